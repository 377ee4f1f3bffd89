"""Promotions judged on weeks held out, in a world whose answers are known."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from ml.scenarios.cross_category.evaluation import Past, discounted_weeks, judged_audience, judged_response
from ml.scenarios.judged import Judged, metric_rows
from ml.tables import ASSOCIATIONS, MARKET_SIGNALS, PRODUCTS
from tests.scenarios.cross_category.situations import AS_OF, params

WEEKS, HELD_OUT = 44, 28
PRICE = 1000
ELASTIC = {"jam": -3.0, "tea": -1.0, "oil": -3.0, "salt": -1.0, "rice": -3.0, "milk": -1.0}


def sales() -> pl.DataFrame:
    """Return 1000 units a week, on one day, times price ratio to the elasticity in each product's discounted weeks."""
    rows = []
    for number, (product, elasticity) in enumerate(ELASTIC.items()):
        for week in range(WEEKS):
            paid = 0.7 if (week + number) % 7 == 0 else 1.0
            units = round(1000 * paid**elasticity)
            rows.append((product, AS_OF - timedelta(days=7 * (WEEKS - 1 - week)), units, round(units * PRICE * paid)))
    frame = pl.DataFrame(rows, ["product_id", "sold_on", "units", "revenue_cents"], orient="row")
    return frame.with_columns(
        discount_cents=pl.col("units") * PRICE - pl.col("revenue_cents"),
        price_cents=pl.lit(PRICE),
        is_promoted=pl.lit(False),
    )


def baskets() -> pl.DataFrame:
    """Return weekly baskets: lovers of jam always buy it, the others never; the busiest come twice a week for milk."""
    rows = []
    for week in range(WEEKS):
        day = AS_OF - timedelta(days=7 * (WEEKS - 1 - week))
        rows += [(f"lover{n}", day, ["jam", "oil", "rice"] if week % 2 else ["jam"]) for n in range(10)]
        rows += [(f"busy{n}", day - timedelta(days=back), ["milk"]) for n in range(10) for back in (0, 3)]
    frame = pl.DataFrame(rows, ["customer_id", "basket_on", "product_ids"], orient="row")
    return frame.with_columns(is_giant=pl.lit(False), basket_id=pl.format("{}", pl.int_range(pl.len())))


def past() -> Past:
    usual = {"is_bundleable": True, "price_cents": PRICE, "cost_cents": 200, "baskets": 100, "department": "FOOD"}
    rows = [dict.fromkeys(PRODUCTS.columns) | usual | {"product_id": p, "category": p.upper()} for p in ELASTIC]
    products = pl.DataFrame(rows, schema=dict(PRODUCTS.columns))
    none = MARKET_SIGNALS.frame([])
    return Past(baskets(), products, sales(), ASSOCIATIONS.frame([]), none, AS_OF - timedelta(days=HELD_OUT), AS_OF)


def by_kpi(judged: list[Judged]) -> dict[str, Judged]:
    metric_rows(judged)
    return {one.kpi: one for one in judged}


def test_answers_that_differ_between_products_are_foretold_better_than_by_one_uplift() -> None:
    found = by_kpi(list(judged_response(past(), 200, 1)))
    error = found["discounted_units_error"]
    assert error.cases >= 3 and error.peer_value is not None and error.difference_high is not None
    assert error.value < 0.5 * error.peer_value and error.difference_high < 0
    assert found["discounted_units_ratio"].value == pytest.approx(1, abs=0.15)


def test_those_who_buy_what_is_promoted_are_invited_and_not_who_comes_most() -> None:
    asked = params(promotion_products=2, promotion_audience=10, promotion_days=28)
    found = by_kpi(list(judged_audience(past(), asked, 200)))
    invited = found["invited_who_buy"]
    assert invited.cases >= 5 and invited.value == 1 and invited.peer == "most frequent customers"
    assert invited.peer_value is not None and invited.peer_value < 1
    assert found["reach_ratio"].value == pytest.approx(1, abs=0.1)


def test_a_shop_without_discounts_is_not_judged() -> None:
    usual = past()
    flat = usual.product_days.with_columns(discount_cents=0, revenue_cents=pl.col("units") * PRICE)
    none = replace(usual, product_days=flat)
    assert list(judged_response(none, 100, 1)) == list(judged_audience(none, params(), 100)) == []


def test_discounted_weeks_are_whole_and_show_what_was_paid() -> None:
    first = AS_OF - timedelta(days=13)
    rows = [(first, 2, 150, 50), (first + timedelta(days=6), 1, 100, 0), (AS_OF, 1, 98, 2)]
    days = pl.DataFrame(rows, ["sold_on", "units", "revenue_cents", "discount_cents"], orient="row")
    found = discounted_weeks(days.with_columns(product_id=pl.lit("jam")), first, AS_OF)
    assert found.rows() == [("jam", 0, 3, pytest.approx(250 / 300))], "two cents off a hundred is no discount"
    assert discounted_weeks(days.with_columns(product_id=pl.lit("jam")), first, AS_OF - timedelta(days=8)).is_empty()
