"""Clocks and gaps of one customer's purchases, worked out by hand."""

import math
from datetime import date, timedelta

import polars as pl
import pytest

from ml.preference.features import FEATURES, features_of
from ml.preference.history import History
from tests.preference.conftest import basket, catalogue, everything

DAY = date(2017, 6, 1)
AGES = {"ann": [(31, "ab"), (21, "a"), (15, "b"), (14, "c"), (4, "a")], "bob": [(40, "a")], "cem": [(9, "a"), (3, "a")]}
BASKETS = pl.DataFrame(
    [basket(who, DAY - timedelta(days=age), [*names]) for who, past in AGES.items() for age, names in past]
    + [basket("ann", DAY, ["b"]), basket(None, DAY - timedelta(days=2), ["a"])]
)


def row(customer: str, product: str) -> dict[str, float]:
    history = History.of(BASKETS, catalogue("a", "b", "c", "d"))
    return dict(zip(FEATURES, features_of(history, everything([customer], [product], DAY))[0].tolist(), strict=True))


def test_clocks_in_days_and_in_baskets() -> None:
    ann = row("ann", "a")  # in the first, second and last of five baskets
    weights = [math.exp(-age / 10) for age in (31, 21, 15, 14, 4)]
    nine = [0.9**k for k in range(5)]
    expected = {
        "decayed_10_share": (weights[0] + weights[1] + weights[4]) / sum(weights),
        "recency_90_share": (nine[0] + nine[3] + nine[4]) / sum(nine),
        "recency_70_share": (1 + 0.7**3 + 0.7**4) / sum(0.7**k for k in range(5)),
        "recency_rank": 1, "recency_to_best": 1,
    }  # fmt: skip
    assert {name: ann[name] for name in expected} == pytest.approx(expected)
    other = row("ann", "b")
    assert other["recency_rank"] == 2
    assert other["recency_to_best"] == pytest.approx((nine[2] + nine[4]) / (nine[0] + nine[3] + nine[4]))


def test_gaps_in_days_and_in_baskets() -> None:
    ann = row("ann", "a")  # gaps of 10 and 17 days, of 1 and 3 baskets
    expected = {
        "mean_gap_baskets": 2, "overdue_baskets_ratio": 0, "last_gap_days": 17, "overdue_last_ratio": 4 / 17,
        "gap_deviation_days": math.sqrt((3.5**2 + 3.5**2) / 1),
    }  # fmt: skip
    assert {name: ann[name] for name in expected} == pytest.approx(expected)
    other = row("ann", "b")
    assert other["mean_gap_baskets"] == 2 and other["overdue_baskets_ratio"] == 1
    assert math.isnan(other["gap_deviation_days"])  # one gap has no deviation


def test_what_was_bought_once_or_never_has_no_gap() -> None:
    once, never = row("ann", "c"), row("ann", "d")
    assert once["recency_rank"] == 3 and math.isnan(once["last_gap_days"])
    assert never["recency_90_share"] == 0 and math.isnan(never["recency_rank"])
    assert math.isnan(row("stranger", "a")["recency_90_share"])


def test_the_rhythm_of_a_product_among_its_known_buyers() -> None:
    ann = row("ann", "a")  # gaps 10 and 17 of ann, 6 of cem; bob bought once
    expected = {
        "product_gap_days": 11, "product_again_share": 2 / 3, "product_baskets_each": 2,
        "overdue_product_ratio": 4 / 11,
    }  # fmt: skip
    assert {name: ann[name] for name in expected} == pytest.approx(expected)
    assert math.isnan(row("ann", "d")["product_gap_days"])
