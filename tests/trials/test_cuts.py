"""Days that part what is known from what is asked."""

from datetime import date, timedelta

import polars as pl
import pytest

from ml.errors import DataError
from ml.trials.cuts import check_cut, earlier_cut, usual_cut

FIRST = date(2020, 1, 1)


def baskets(*days: int) -> pl.DataFrame:
    return pl.DataFrame({"basket_on": [FIRST + timedelta(days=day) for day in days]})


@pytest.mark.parametrize("day", [0, 2])
def test_a_cut_outside_the_data_is_refused_with_their_days(day: int) -> None:
    check_cut(baskets(0, 1), FIRST + timedelta(days=1))
    with pytest.raises(DataError, match="2020-01-01, and up to the last, 2020-01-02"):
        check_cut(baskets(0, 1), FIRST + timedelta(days=day))


def test_the_usual_cut_leaves_the_newest_fifth_and_never_everything() -> None:
    assert usual_cut(baskets(*range(10))) == FIRST + timedelta(days=8)
    assert usual_cut(baskets(0, 0, 0, 0, 0, 0, 7)) == FIRST + timedelta(days=7)


def test_the_validation_is_as_long_as_the_test_and_holds_a_day_of_sales() -> None:
    assert earlier_cut(baskets(*range(10)), FIRST + timedelta(days=7)) == FIRST + timedelta(days=4)
    assert earlier_cut(baskets(0, 3, 9), FIRST + timedelta(days=9)) == FIRST + timedelta(days=3)
