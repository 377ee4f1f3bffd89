"""Trend of a category and season of a product, on baskets counted by hand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.preference.history import History, days
from ml.preference.market import category_trends, seasons
from tests.preference.conftest import basket, catalogue

CUT = date(2018, 6, 4)
AT = int(days(pl.Series([CUT]))[0])


def history(*baskets: tuple[int, str]) -> History:
    """Return a past of baskets, each of an age in days and with products named by a letter."""
    rows = [basket(f"c{n}", CUT - timedelta(days=age), [*names]) for n, (age, names) in enumerate(baskets)]
    return History.of(pl.DataFrame(rows), catalogue("a", "b", "c"))  # a and c are one category


def test_category_trend_counts_baskets_not_lines() -> None:
    facts = category_trends(history((1, "ac"), (28, "b"), (29, "a"), (56, "c"), (57, "b"), (0, "abc")), AT)
    # category of a and c: 1 of the last 2 baskets, 2 of the 2 before; that of b: 1 of 2, 0 of 2
    assert facts[0].tolist() == facts[2].tolist() == pytest.approx([1 / 2, (1 + 1) / (2 + 1)])
    assert facts[1].tolist() == pytest.approx([1 / 2, (1 + 1) / (0 + 1)])


def test_products_without_a_category_have_no_trend() -> None:
    rows = pl.DataFrame([basket("ann", CUT - timedelta(days=1), ["x"])])
    assert np.isnan(category_trends(History.of(rows, catalogue("a")), AT)[1]).all()


def test_season_is_last_years_four_weeks_against_the_year() -> None:
    year = history((365, "c"), (364, "ab"), (337, "a"), (336, "c"), (100, "b"), (1, "c"), (0, "a"))
    # within the year 5 baskets, 2 of them in the four weeks, so 2/5 of a product's baskets are expected there
    expected = [(2 + 1) / (2 * 2 / 5 + 1), (1 + 1) / (2 * 2 / 5 + 1), (0 + 1) / (2 * 2 / 5 + 1)]
    assert seasons(year, AT)[:, 0].tolist() == pytest.approx(expected)


def test_without_a_whole_year_there_is_no_season() -> None:
    assert np.isnan(seasons(history((363, "a"), (1, "b")), AT)).all()
