"""Days with, without and of unknown sales; what was known earlier; kinds of demand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.demand.sales import ERRATIC, HISTORY_DAYS, INTERMITTENT, LUMPY, NEW, SMOOTH, sales_of
from tests.demand.days import AS_OF, NO_SIGNALS, NO_STOCK_OUTS, products, sales, sold


def day(back: int) -> date:
    return AS_OF - timedelta(days=back)


def test_a_day_without_a_sale_is_zero_from_launch_or_first_sale_on() -> None:
    known = products("jam", "tea", launched_on=[day(5), None])
    found = sales_of(sold({"jam": {3: 2}, "tea": {4: 1, 0: 3}}), known, NO_STOCK_OUTS, NO_SIGNALS, AS_OF)
    assert found.first_day == day(5)
    np.testing.assert_array_equal(found.units, [[0, 0, 2, 0, 0, 0], [np.nan, 1, 0, 0, 0, 3]])


def test_a_day_without_stock_is_unknown_unless_something_sold() -> None:
    outs = pl.DataFrame(
        {"product_id": ["jam", "gin"], "out_from_on": [day(4), day(9)], "out_through_on": [day(2), day(0)]}
    )
    found = sales_of(sold({"jam": {5: 1, 3: 2}}), products("jam"), outs, NO_SIGNALS, AS_OF)
    np.testing.assert_array_equal(found.units, [[1, np.nan, 2, np.nan, 0, 0]])
    np.testing.assert_allclose(found.filled, [[1, 1, 2, 1.5, 0, 0]])
    assert found.known_days.tolist() == [4]


def test_sales_older_than_a_year_are_left_out_but_tell_that_the_product_was_there() -> None:
    found = sales_of(sold({"jam": {500: 9, 1: 1}}), products("jam"), NO_STOCK_OUTS, NO_SIGNALS, AS_OF)
    assert (
        found.units.shape == (1, HISTORY_DAYS) and np.nansum(found.units) == 1 and found.known_days[0] == HISTORY_DAYS
    )


def test_prices_are_the_last_seen() -> None:
    found = sales_of(sold({"jam": {4: 1, 2: 1}}, 90), products("jam"), NO_STOCK_OUTS, NO_SIGNALS, AS_OF)
    np.testing.assert_array_equal(found.prices, [[90] * 5])


def test_what_was_known_earlier_holds_nothing_later() -> None:
    promoted = products(
        "jam",
        promotion_kinds=[["discount", "mailer"]],
        promotion_starts_on=[[day(9), day(1)]],
        promotion_ends_on=[[day(8), day(0)]],
        promotion_sizes=[[0.2, 7.0]],
    )
    told = pl.DataFrame(
        {
            "kind": ["k", "k"],
            "category": ["FOOD"] * 2,
            "product_id": [None] * 2,
            "signal_on": [day(4), day(1)],
            "signal_value": [1.0, 2.0],
        }
    )
    now = sales_of(sold({"jam": {10: 1, 1: 5}}), promoted, NO_STOCK_OUTS, told, AS_OF)
    then = now.until(3)
    assert (then.last_day, then.units.shape[1]) == (day(3), now.units.shape[1] - 3)
    assert then.promotions["kind"].to_list() == ["discount"]
    assert then.signals["signal_on"].to_list() == [day(4)]
    assert now.until(2).promotions["kind"].to_list() == ["discount", "mailer"], "known the day before"
    assert now.until(0) is now


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [([1, 1, 1, 2], SMOOTH), ([1, 1, 9, 1], ERRATIC), ([1, 0, 0, 1], INTERMITTENT), ([1, 0, 0, 9], LUMPY)],
)
def test_kinds_of_demand_differ_in_gaps_and_spread(pattern: list[int], kind: str) -> None:
    assert sales(np.array([pattern * 10])).classes.tolist() == [kind]


def test_a_product_is_new_for_four_weeks() -> None:
    assert sales(np.ones((1, 27), int)).classes.tolist() == [NEW]
    assert sales(np.ones((1, 28), int)).classes.tolist() == [SMOOTH]
