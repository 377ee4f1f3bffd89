"""Which part of the response to a discount is more units at once, in shops made of it."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from ml.demand.quantity import quantity_response
from tests.demand.shop import THROUGH, catalogue

WEEKS, NAMES = 104, [f"p{n}" for n in range(8)]
PRODUCTS = pl.concat([catalogue(name, category=name.upper()) for name in NAMES])


def shop(buyers: float, quantity: float, jump: float = 0.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return days and baskets; baskets and units in them follow prices by these elasticities, and units by a jump."""
    rng = np.random.default_rng(1)
    days, held = [], []
    for name in NAMES:
        for week in range(WEEKS):
            share = rng.choice([0.1, 0.2, 0.3]) if rng.random() < 0.15 else 0.0
            day = THROUGH - timedelta(days=7 * (WEEKS - week) - 3)
            baskets = round(60 * (1 - share) ** -buyers)
            units = round(baskets * 2 * (1 - share) ** -quantity * (1 + jump * (share > 0)))
            paid = round(units * 200 * (1 - share))
            days.append((name, day, units, paid, units * 200 - paid, 200, False))
            held += [(day, [name])] * baskets
    columns = ["product_id", "sold_on", "units", "revenue_cents", "discount_cents", "price_cents", "is_promoted"]
    return (
        pl.DataFrame(days, schema=columns, orient="row"),
        pl.DataFrame(held, schema=["basket_on", "product_ids"], orient="row"),
    )


@pytest.mark.parametrize(("buyers", "quantity"), [(2.0, 0.0), (1.0, 1.0), (0.5, 1.5)])
def test_the_share_that_buyers_take_more_is_found(buyers: float, quantity: float) -> None:
    found = quantity_response(*shop(buyers, quantity), PRODUCTS, THROUGH)
    assert found.share == pytest.approx(quantity / (buyers + quantity), abs=0.06)
    assert found.buyers_deal.share < 0.15 and found.deal.share < 0.15


def test_what_no_depth_explains_is_told_of_the_kind_that_does_it() -> None:
    found = quantity_response(*shop(1.0, 0.0, jump=0.4), PRODUCTS, THROUGH)
    assert found.deal.share > 0.9 and found.buyers_deal.share < 0.1
    assert found.share == pytest.approx(np.log(1.4) / (np.log(1.4) - np.log(0.8)), abs=0.06)


def test_a_shop_without_discounts_is_taken_to_win_buyers_only() -> None:
    days, baskets = shop(0.0, 0.0)
    usual = days.with_columns(discount_cents=0, revenue_cents=pl.col("units") * 200)
    assert quantity_response(usual, baskets, PRODUCTS, THROUGH).share == 0
