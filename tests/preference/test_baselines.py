"""Baselines, worked out in the head."""

import math
from datetime import date, timedelta

import polars as pl
import pytest

from ml.preference.baselines import GlobalPopularity, PersonalDecayed, PersonalFrequency
from ml.preference.contract import PreferenceModel
from tests.preference.conftest import basket, catalogue, everything

DAY = date(2017, 6, 1)
BASKETS = pl.DataFrame(
    [
        basket("ann", DAY - timedelta(days=180), ["a"]),
        basket("ann", DAY - timedelta(days=1), ["b"]),
        basket("bob", DAY - timedelta(days=1), ["a", "b"]),
        basket(None, DAY - timedelta(days=2), ["a"]),
        basket("bob", DAY, ["c"]),
    ]
)


def scores(kind: type[PreferenceModel], customer: str) -> dict[str, float]:
    asked = everything([customer], ["a", "b", "c"], DAY)
    p = kind().fit(BASKETS, catalogue("a", "b", "c"), asked).score(BASKETS, catalogue("a", "b", "c"), asked)
    return dict(zip("abc", p.tolist(), strict=True))


def test_global_popularity_is_the_share_of_earlier_baskets() -> None:
    assert scores(GlobalPopularity, "ann") == {"a": 3 / 4, "b": 2 / 4, "c": 0}


def test_personal_frequency_adds_one_average_basket() -> None:
    assert scores(PersonalFrequency, "ann") == pytest.approx(
        {"a": (1 + 3 / 4) / 3, "b": (1 + 2 / 4) / 3, "c": 0}
    )  # fmt: skip
    assert scores(PersonalFrequency, "bob") == pytest.approx({"a": (1 + 3 / 4) / 2, "b": (1 + 2 / 4) / 2, "c": 0})


def test_a_basket_of_180_days_counts_1_over_e() -> None:
    old, new = math.exp(-1), math.exp(-1 / 180)
    assert scores(PersonalDecayed, "ann") == pytest.approx(
        {"a": (old + 3 / 4) / (old + new + 1), "b": (new + 2 / 4) / (old + new + 1), "c": 0}
    )


def test_a_stranger_gets_the_average() -> None:
    assert scores(PersonalFrequency, "stranger") == scores(GlobalPopularity, "stranger")
