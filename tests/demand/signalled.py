"""A shop whose sales follow what the market told, as closely as a test asks."""

from datetime import timedelta

import numpy as np
import polars as pl

from tests.demand.days import AS_OF, NO_SIGNALS, products

DAYS, NAMES = 280, [f"p{number:02d}" for number in range(12)]
CATEGORIES = ["FOOD" if number % 2 else "DRINKS" for number in range(len(NAMES))]
SHOP = products(*NAMES, category=CATEGORIES)


def level(about: str, back: int) -> float:
    """Return what was told of a category or product on some day: a chance level of its own every four weeks."""
    seed = [sum(map(ord, about)), 100 + (back - 1) // 28]
    return float(np.exp(np.random.default_rng(seed).uniform(-0.5, 0.5)))


def told(kind: str, abouts: list[str], column: str, price: float = 1.0) -> pl.DataFrame:
    rows = [
        {
            "signal_id": f"{kind} {about} {back}",
            "kind": kind,
            column: about,
            "signal_on": AS_OF - timedelta(days=back),
            "signal_value": price * level(about, back),
        }
        for about in abouts
        for back in range(-28, DAYS, 7)
    ]
    return pl.DataFrame(rows, schema=NO_SIGNALS.schema)


INDEX = told("category_demand", ["FOOD", "DRINKS"], "category")
RIVALS = told("competitor_price", NAMES, "product_id", price=100.0)


def sold(power: float, by: str = "category") -> pl.DataFrame:
    """Return daily units of each product that follow its signal with a power, also in the weeks after the day."""
    rows = [
        (name, AS_OF - timedelta(days=back), round(1000 * level(category if by == "category" else name, back) ** power))
        for name, category in zip(NAMES, CATEGORIES, strict=True)
        for back in range(-28, DAYS)
    ]
    frame = pl.DataFrame(rows, ["product_id", "sold_on", "units"], orient="row")
    return frame.with_columns(price_cents=pl.lit(100, pl.Int32))


def surged(category: str, ratio: float) -> pl.DataFrame:
    """Return the index with one category's newest value so many times what it was."""
    is_newest = (pl.col("signal_on") == AS_OF) & (pl.col("category") == category)
    moved = pl.when(is_newest).then(pl.col("signal_value") * ratio).otherwise("signal_value")
    return INDEX.with_columns(signal_value=moved)
