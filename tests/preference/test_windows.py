"""Baskets and events as windows of tokens, worked out by hand."""

import math
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from ml.errors import ColumnError, DataError
from ml.preference.actions import ACTIONS, lines_of
from ml.preference.history import EPOCH, History
from ml.preference.windows import CLOCKS_DAYS, Tokens, Windows
from tests.preference.conftest import World, basket, catalogue

DAY = date(2017, 6, 1)
FIRST = (DAY - EPOCH).days
BASKETS = pl.DataFrame(
    [
        basket("ann", DAY, ["a", "b"]),
        basket("ann", DAY + timedelta(days=3), ["b"]),
        basket("ann", DAY + timedelta(days=10), ["c"]),
        basket("ann", DAY + timedelta(days=12), ["a", "c"]),
        basket("bob", DAY + timedelta(days=1), ["d"]),
        basket(None, DAY, ["a"]),
    ]
)
PRODUCTS = catalogue("a", "b", "c", "d")
A, B, C, D = range(4)


def history(baskets: pl.DataFrame = BASKETS) -> History:
    return History.of(baskets, PRODUCTS)


def event(customer: str | None, days_later: int, hour: int, kind: str, product: str | None) -> dict[str, object]:
    at = datetime(DAY.year, DAY.month, DAY.day, hour) + timedelta(days=days_later)
    return {"customer_id": customer, "occurred_at": at, "event_type": kind, "product_id": product}


def bags(windows: Windows, row: int) -> list[list[int]]:
    """Return the products of each token of a window."""
    own = slice(windows.starts[row], windows.starts[row + 1])
    tokens = int((windows.day[row] >= 0).sum())
    return [windows.product[own][windows.slot[own] == slot].tolist() for slot in range(tokens)]


def test_a_customers_day_is_one_visit_with_each_product_once() -> None:
    again = pl.concat([BASKETS, BASKETS.with_columns(basket_id=pl.col("basket_id") + " again")])
    tokens = Tokens.of(history(again))
    assert (tokens.day - FIRST).tolist() == [0, 3, 10, 12, 1]
    assert tokens.product.tolist() == [A, B, B, C, A, C, D]
    assert tokens.begins.tolist() == [0, 4, 5]


def test_the_last_visits_strictly_before_a_cut_are_read() -> None:
    tokens = Tokens.of(history())
    windows = tokens.last(np.array([0, 0, -1, 1]), FIRST + np.array([12, 0, 99, 99]), 2)
    assert [bags(windows, row) for row in range(4)] == [[[B], [C]], [], [], [[D]]]
    assert (windows.day[0] - FIRST).tolist() == [3, 10] and windows.day[1].tolist() == [-1, -1]


def test_what_was_bought_before_a_window_stays_known_as_habits() -> None:
    tokens = Tokens.of(history())
    windows = tokens.last(np.array([0, 1]), FIRST + np.array([99, 99]), 2)
    ages = (10, 7)  # of the two visits before the window, at its first day
    assert windows.habit_product[: windows.habit_starts[1]].tolist() == [A, B]
    for clock, faded, earlier in zip(CLOCKS_DAYS, windows.habit.T, windows.earlier.T, strict=True):
        first, second = (math.exp(-age / clock) for age in ages)
        assert faded.tolist() == pytest.approx([first, first + second])
        assert earlier.tolist() == pytest.approx([first + second, 0])


def test_every_visit_is_predicted_once_and_with_its_whole_past(world: World) -> None:
    past = History.of(world.baskets, world.products)
    tokens = Tokens.of(past)
    windows = tokens.learning(6, before=int(past.day.max()))
    counted = (windows.day >= 0) & (np.arange(6) >= windows.counted[:, None])
    assert counted.sum() == (tokens.day < past.day.max()).sum()
    visits_before = windows.earlier[:, CLOCKS_DAYS.index(np.inf)] + windows.counted
    assert ((visits_before >= 3) | (windows.counted == 0)).all()
    assert (windows.earlier[windows.counted == 0] == 0).all()


def test_some_windows_are_as_if_cut_alone() -> None:
    tokens = Tokens.of(history())
    both = tokens.last(np.array([0, 1]), FIRST + np.array([99, 99]), 3)
    alone = tokens.last(np.array([1]), FIRST + np.array([99]), 3)
    for name, part in vars(both.some(np.array([1]))).items():
        assert np.array_equal(part, getattr(alone, name)), name


def test_events_of_a_day_stand_around_its_first_purchase_in_runs_of_one_kind() -> None:
    events = pl.DataFrame(
        [
            event("ann", 3, 9, "view", "d"),
            event("ann", 3, 8, "view", "c"),
            event("ann", 3, 10, "search", None),
            event("ann", 3, 11, "view", "not sold here"),
            event("ann", 3, 12, "purchase", "a"),
            event("ann", 3, 13, "cart", "a"),
            event("ann", 3, 14, "purchase", "a"),
            event(None, 3, 12, "view", "a"),
            event("never bought", 3, 12, "view", "a"),
        ]
    )
    tokens = Tokens.of(history(), events)
    windows = tokens.last(np.array([0]), FIRST + np.array([10]), 8)
    names = [ACTIONS[kind] for kind in windows.kind[0] if kind >= 0]
    assert names == ["purchase", "view", "search", "view", "purchase", "cart"]
    assert bags(windows, 0) == [[A, B], [C, D], [], [], [B], [A]]
    assert np.array_equal(Tokens.of(history(), events.clear()).product, Tokens.of(history()).product)


def test_a_visit_without_an_instant_stands_before_the_events_of_its_day() -> None:
    events = pl.DataFrame([event("ann", 3, 9, "view", "d"), event("ann", 2, 9, "purchase", "d")])
    windows = Tokens.of(history(), events).last(np.array([0]), FIRST + np.array([10]), 8)
    assert bags(windows, 0) == [[A, B], [B], [D]], "a purchase that no basket shows is no visit"


def test_events_are_no_habits() -> None:
    events = pl.DataFrame([event("ann", 1, 8, "view", "d")])
    windows = Tokens.of(history(), events).last(np.array([0]), FIRST + np.array([99]), 1)
    assert windows.habit_product.tolist() == [A, B, C]


def test_days_without_instants_are_enough() -> None:
    instants = pl.DataFrame([event("ann", 1, 9, "view", "d"), event("ann", 1, 8, "cart", "c")])
    days_only = instants.select("customer_id", "event_type", "product_id", occurred_on=pl.col("occurred_at").dt.date())
    assert lines_of(days_only)["product_id"].to_list() == ["c", "d"] == lines_of(instants)["product_id"].to_list()


def test_events_that_cannot_be_read_are_refused_by_name() -> None:
    events = pl.DataFrame([event("ann", 1, 8, "glance", "d")])
    with pytest.raises(DataError, match="glance"):
        lines_of(events)
    with pytest.raises(ColumnError, match="occurred_on"):
        lines_of(events.drop("occurred_at"))
