"""The level at the usual price, and whether prices pay on weeks not seen; and side effects planted amid chance."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from ml.demand.level import held_out, usual_level
from ml.demand.side_effects import NOTHING, side_effects
from tests.demand.shop import THROUGH, catalogue


def planted(
    diverted: float, pulled: float, categories: int = 10, weeks: int = 104
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return days and products: of the extra units of an offer, rivals lose a share, and the next weeks another."""
    rng = np.random.default_rng(4)
    rows, products = [], []
    for category in range(categories):
        names = [f"c{category}p{n}" for n in range(4)]
        products.append(catalogue(*names, category=f"C{category}"))
        share = np.where(rng.random((weeks, 4)) < 0.15, 0.25, 0.0)
        extra = 60 * ((1 - share) ** -2.0 - 1)
        rivals = (extra.sum(axis=1, keepdims=True) - extra) / 3 * diverted
        later = np.zeros_like(extra)
        for lag in range(1, 5):
            later[lag:] += pulled / 4 * extra[:-lag]
        units = rng.poisson(np.maximum(60 + extra - rivals - later, 1))
        for week in range(weeks):
            day = THROUGH - timedelta(days=7 * (weeks - week) - 3)
            for n, name in enumerate(names):
                paid = round(units[week, n] * 200 * (1 - share[week, n]))
                rows.append((name, day, int(units[week, n]), paid, 0, 200, False))
    columns = ["product_id", "sold_on", "units", "revenue_cents", "discount_cents", "price_cents", "is_promoted"]
    return pl.DataFrame(rows, schema=columns, orient="row"), pl.concat(products)


@pytest.mark.parametrize(("diverted", "pulled"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.4)])
def test_planted_shares_are_found(diverted: float, pulled: float) -> None:
    days, products = planted(diverted, pulled)
    found = side_effects(days, products, None, THROUGH)
    assert found is not None and found.halo == NOTHING
    assert found.taken.value == pytest.approx(diverted, abs=0.15)
    assert found.pulled.value == pytest.approx(pulled, abs=0.2)


def test_the_level_says_what_it_rests_on() -> None:
    days, products = planted(0.0, 0.0)
    level = usual_level(days, products, THROUGH, 14)
    assert set(level["product_id"]) == set(products["product_id"])
    assert level["source"].n_unique() == 1 and level["level_ratio"].is_between(0.25, 4.0).all()
    few = usual_level(days.filter(pl.col("product_id") == "c0p0"), products, THROUGH, 14)
    assert few["source"].to_list() == ["recent_mean"] and few["level_ratio"].to_list() == [1.0]


def test_prices_pay_on_weeks_that_were_not_seen() -> None:
    days, products = planted(0.0, 0.0)
    judged = held_out(days, products, THROUGH)
    assert judged is not None
    assert judged.with_price.mean() < judged.without_price.mean()
    assert judged.promoted["units"].sum() > 0


def test_a_shop_that_sold_nothing_keeps_the_recent_mean() -> None:
    """Sales ended 14 weeks ago: earlier origins saw the end of them, the weeks to learn from at last hold no unit."""
    days, products = planted(0.0, 0.0)
    ended = pl.col("sold_on") > THROUGH - timedelta(days=98)
    sold = days.with_columns(pl.when(ended).then(0).otherwise(pl.col("units", "revenue_cents")).name.keep())
    level = usual_level(sold, products, THROUGH, 14)
    assert set(level["source"]) <= {"recent_mean"} and set(level["level_ratio"]) <= {1.0}
    assert held_out(sold, products, THROUGH - timedelta(days=14)) is None
