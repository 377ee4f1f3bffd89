"""Days that part what is known from what is asked."""

from datetime import date, timedelta

import polars as pl
import pytest

from ml.errors import DataError
from ml.trials.cuts import check_cut, drawn_newest, earlier_cut, usual_cut

FIRST = date(2020, 1, 1)


def baskets(*days: int) -> pl.DataFrame:
    return pl.DataFrame({"basket_on": [FIRST + timedelta(days=day) for day in days]})


def test_a_cut_that_leaves_nothing_before_it_is_refused_with_the_days() -> None:
    for day in (1, 9):
        check_cut(baskets(0, 1), FIRST + timedelta(days=day))
    with pytest.raises(DataError, match="after the first day of the data, 2020-01-01; the last is 2020-01-02"):
        check_cut(baskets(0, 1), FIRST)


def test_a_fifth_is_drawn_by_seed_whatever_the_order_of_the_rows() -> None:
    names = pl.DataFrame({"basket_id": [f"b{k:02d}" for k in range(20)]})
    older, newest = drawn_newest(names, 3)
    assert (older.height, newest.height) == (16, 4) and not set(older["basket_id"]) & set(newest["basket_id"])
    assert drawn_newest(names.reverse(), 3)[1].equals(newest)


def test_the_usual_cut_leaves_the_newest_fifth_and_never_everything() -> None:
    assert usual_cut(baskets(*range(10))) == FIRST + timedelta(days=8)
    assert usual_cut(baskets(0, 0, 0, 0, 0, 0, 7)) == FIRST + timedelta(days=7)


def test_the_validation_is_as_long_as_the_test_and_holds_a_day_of_sales() -> None:
    assert earlier_cut(baskets(*range(10)), FIRST + timedelta(days=7)) == FIRST + timedelta(days=4)
    assert earlier_cut(baskets(0, 3, 9), FIRST + timedelta(days=9)) == FIRST + timedelta(days=3)
    # After the last day nobody says how long the test is: the newest fifth.
    assert earlier_cut(baskets(*range(10)), FIRST + timedelta(days=90)) == FIRST + timedelta(days=8)
