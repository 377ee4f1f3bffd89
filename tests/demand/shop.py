"""Days of sale of planted products whose response to prices is known."""

from datetime import date, timedelta

import numpy as np
import polars as pl

THROUGH = date(2017, 12, 3)
"""A Sunday."""


def planted(
    elasticity: dict[str, float], weeks: int = 60, mean: float = 20.0, seed: int = 0, shown: float = 0.0
) -> pl.DataFrame:
    """Return rows of ``features.ftr_product_days`` with one day of sale a week, 10 to 30 % off every fourth week or so.

    Parameters
    ----------
    shown
        Log lift of a display; displays stand in half of the discounted weeks and in a tenth of the others.
    """
    rng = np.random.default_rng(seed)
    first = THROUGH - timedelta(days=7 * weeks - 1)
    rows = []
    for product, value in elasticity.items():
        for week in range(weeks):
            share = rng.choice([0.1, 0.2, 0.3]) if rng.random() < 0.25 else 0.0
            is_shown = rng.random() < (0.5 if share else 0.1)
            units = int(rng.poisson(mean * (1 - share) ** value * np.exp(shown * is_shown)))
            if units:
                paid = round(units * 200 * (1 - share))
                rows.append(
                    (product, first + timedelta(days=7 * week + 2), units, paid, units * 200 - paid, 200, is_shown)
                )
    columns = ["product_id", "sold_on", "units", "revenue_cents", "discount_cents", "price_cents", "is_promoted"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def catalogue(*product_ids: str, category: str = "TEA") -> pl.DataFrame:
    """Return products of one category."""
    return pl.DataFrame({"product_id": product_ids, "category": [category] * len(product_ids)})
