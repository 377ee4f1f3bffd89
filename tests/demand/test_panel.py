"""Weeks of products, those without a sale among them, and the price that stood in each."""

from datetime import date, timedelta

import polars as pl
import pytest

from ml.demand.panel import weekly_panel

MONDAY = date(2017, 1, 2)
DAY = {"discount_cents": 0, "is_promoted": False}


def week(number: int, day: int = 0) -> date:
    return MONDAY + timedelta(days=7 * number + day)


DAYS = pl.DataFrame(
    [
        {"product_id": "tea", "sold_on": week(0), "units": 2, "revenue_cents": 200, "price_cents": 100, **DAY},
        {"product_id": "tea", "sold_on": week(0, 3), "units": 2, "revenue_cents": 160, "price_cents": 100, **DAY},
        {"product_id": "tea", "sold_on": week(3, 6), "units": 1, "revenue_cents": 120, "price_cents": 120, **DAY},
        {"product_id": "jam", "sold_on": week(0), "units": 1, "revenue_cents": 50, "price_cents": 50, **DAY},
        {"product_id": "jam", "sold_on": week(4), "units": 1, "revenue_cents": 50, "price_cents": 50, **DAY},
    ]
)
PRODUCTS = pl.DataFrame({"product_id": ["tea", "jam"]})
OFFERS = pl.DataFrame(
    {
        "product_id": ["tea", "jam"],
        "promotion_kinds": [["discount", "display"], None],
        "promotion_starts_on": [[week(1), week(2)], None],
        "promotion_ends_on": [[week(1, 6), week(2, 6)], None],
        "promotion_sizes": [[0.2, 7.0], None],
    }
)


def test_weeks_between_first_and_last_sale_are_there_with_the_last_list_price() -> None:
    tea = weekly_panel(DAYS, PRODUCTS, week(3, 6)).filter(pl.col("product_id") == "tea")
    assert tea["units"].to_list() == [4, 0, 0, 1]
    # 90 paid of 100, then 120 of 120: 95 % is the median of what is usually paid.
    assert tea["price_cents"].to_list() == pytest.approx([90.0, 95.0, 95.0, 120.0])
    assert tea["is_price_known"].to_list() == [True, False, False, True]


def test_an_announced_discount_is_known_in_a_week_without_sales() -> None:
    tea = weekly_panel(DAYS, OFFERS, week(3, 6)).filter(pl.col("product_id") == "tea")
    assert tea["price_cents"].to_list() == pytest.approx([90.0, 76.0, 95.0, 120.0])
    assert tea["is_price_known"].all()
    assert tea["shown_share"].to_list() == [0.0, 0.0, 1.0, 0.0]


def test_a_week_that_has_not_ended_is_left_out() -> None:
    assert weekly_panel(DAYS, PRODUCTS, week(4, 5))["week_on"].max() == week(3)
    assert weekly_panel(DAYS, PRODUCTS, week(4, 6))["week_on"].max() == week(4)


def test_nothing_sold_is_an_empty_panel() -> None:
    assert weekly_panel(DAYS.clear(), PRODUCTS, week(3)).is_empty()
    assert weekly_panel(DAYS, PRODUCTS, MONDAY).is_empty()
