"""What launches of the past say: worked by hand, and drawn from a known distribution."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.demand.launches import Conversion, learn_launches, past_launches

FIRST = date(2024, 1, 1)
SCHEMA = {"category": pl.String, "buyers": pl.Int64, "trials": pl.Int64}


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def shop(*rows: tuple[int, str | None, list[str]]) -> pl.DataFrame:
    data = [(day(number), customer, products, False) for number, customer, products in rows]
    return pl.DataFrame(data, schema=["basket_on", "customer_id", "product_ids", "is_giant"], orient="row")


def products(**launched: int | None) -> pl.DataFrame:
    rows = [(name, "SOUP", None if number is None else day(number)) for name, number in launched.items()]
    schema = {"product_id": pl.String, "category": pl.String, "launched_on": pl.Date}
    return pl.DataFrame(rows, schema, orient="row")


def test_buyers_and_customers_of_the_first_weeks_are_counted_each_once() -> None:
    baskets = shop(
        (0, "ann", ["old"]),
        (60, "ann", ["new"]),
        (62, "ann", ["new"]),
        (66, "bob", ["old"]),
        (67, "eve", ["new"]),  # a day too late
        (61, None, ["new"]),  # nobody known
        (65, "joe", ["late"]),
    )
    found = past_launches(baskets, products(old=None, new=None, late=None), day(66), window_days=7)
    assert found.rows() == [("new", "SOUP", day(60), 1, 3)], "old was there from the start, late is not over yet"


def test_a_known_day_of_launch_counts_even_in_the_first_weeks_and_without_a_sale_soon() -> None:
    baskets = shop((0, "ann", ["a"]), (5, "bob", ["b"]), (20, "ann", ["b"]))
    found = past_launches(baskets, products(a=None, b=4), day(30), window_days=7)
    assert found.rows() == [("b", "SOUP", day(4), 1, 1)]


def test_nothing_is_learned_from_nothing() -> None:
    assert learn_launches(pl.DataFrame(schema=SCHEMA)) is None
    assert learn_launches(pl.DataFrame([("A", 0, 50)], SCHEMA, orient="row")) is None


def test_the_shares_of_many_launches_give_back_what_they_were_drawn_from() -> None:
    rng = np.random.default_rng(1)
    rates = rng.beta(2, 98, 4000)
    rows = [("A", int(rng.binomial(1000, rate)), 1000) for rate in rates]
    learned = learn_launches(pl.DataFrame(rows, SCHEMA, orient="row"))
    assert learned is not None
    assert learned.mean == pytest.approx(0.02, rel=0.05)
    assert learned.precision == pytest.approx(100, rel=0.15)


def test_a_category_is_drawn_to_the_whole_and_first_days_count() -> None:
    rows = [("A", 40, 1000)] * 5 + [("B", 10, 1000)] * 5
    learned = learn_launches(pl.DataFrame(rows, SCHEMA, orient="row"))
    assert learned is not None
    assert learned.conversion("A").mean == pytest.approx((5 * 0.04 + 5 * 0.025) / 10)
    assert learned.conversion("unknown").mean == learned.conversion(None).mean == pytest.approx(0.025)
    assert (learned.conversion("A").launches, learned.conversion("unknown").launches) == (5, 0)
    after = Conversion(1.0, 99.0, 0).seen(9, 100)
    assert after.mean == pytest.approx(0.05)
    low, high = after.interval
    assert low < after.mean < high
