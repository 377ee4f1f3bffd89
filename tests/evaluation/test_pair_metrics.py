"""Pair metrics on associations whose quality is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ml.evaluation.pair_metrics import (
    auc_by_group,
    auc_interval,
    completion,
    measure,
    pair_auc,
    predicted_over_actual,
    sample_pairs,
)

RNG = np.random.default_rng(6)
# Products 2i and 2i + 1 are bought together; 30 such pairs, baskets of two pairs.
BASKETS = [np.sort([2 * a, 2 * a + 1, 2 * b, 2 * b + 1]) for a, b in RNG.integers(0, 30, (400, 2)) if a != b]
STARTS = np.arange(0, 4 * len(BASKETS) + 1, 4)
ITEMS = np.concatenate(BASKETS).astype(np.int32)


def twins(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first // 2 == second // 2).astype(float)


def sample(least: int = 6):
    from collections import Counter
    from itertools import combinations

    counts = Counter(pair for basket in BASKETS for pair in combinations(basket.tolist(), 2))
    first, second = (np.array(side, np.int32) for side in zip(*sorted(counts), strict=True))
    together = np.array([counts[pair] for pair in sorted(counts)], np.int32)
    return sample_pairs(first, second, together, np.bincount(ITEMS, minlength=60), 1, least, 500)


def test_the_right_association_tells_pairs_from_stand_ins() -> None:
    drawn = sample()
    assert len(drawn.first) == len(drawn.other_first) > 5
    assert pair_auc(drawn, twins) == 1.0
    assert pair_auc(drawn, lambda first, second: -twins(first, second)) == 0.0


def test_an_association_that_knows_nothing_is_worth_a_half() -> None:
    assert pair_auc(sample(), lambda first, second: np.ones(len(first))) == 0.5


def test_the_area_under_the_curve_equals_scikit_learn_with_ties() -> None:
    drawn, worth = sample(), np.random.default_rng(8).integers(0, 4, (60, 60)).astype(float)
    first = np.concatenate([drawn.first, drawn.other_first])
    second = np.concatenate([drawn.second, drawn.other_second])
    is_bought = np.arange(len(first)) < len(drawn.first)
    ours = pair_auc(drawn, lambda one, other: worth[one, other])
    assert ours == pytest.approx(roc_auc_score(is_bought, worth[first, second]))


def test_stand_ins_were_never_bought_together() -> None:
    drawn = sample()
    held = {(a, b) for basket in BASKETS for a in basket.tolist() for b in basket.tolist()}
    assert not held & set(zip(drawn.other_first.tolist(), drawn.other_second.tolist(), strict=True))


def test_stand_ins_are_about_as_popular() -> None:
    popularity = np.arange(1000)[::-1]
    first, second = np.arange(0, 400, dtype=np.int32), np.arange(500, 900, dtype=np.int32)
    drawn = sample_pairs(first, second, np.full(400, 5, np.int32), popularity, 2, 3, 400)
    assert abs(np.sort(drawn.other_first) - first[: len(drawn.other_first)]).mean() < 30


def test_popularity_alone_tells_nothing() -> None:
    # Every pair of the ten most popular was bought together: their stand-ins cannot stand in, and they leave with them.
    popularity = np.concatenate([np.full(10, 1000), np.arange(300)[::-1]])
    top = np.array([(a, b) for a in range(10) for b in range(a + 1, 10)], np.int32)
    rest = np.stack([np.arange(50, 150), np.arange(160, 260)], axis=1).astype(np.int32)
    first, second = np.concatenate([top, rest]).T
    drawn = sample_pairs(first, second, np.full(len(first), 3, np.int32), popularity, 4)
    assert 0.4 < pair_auc(drawn, lambda one, other: np.log1p(popularity[one]) + np.log1p(popularity[other])) < 0.6


def test_a_stand_in_comes_from_the_group_of_its_product() -> None:
    groups = np.arange(200) % 2
    first, second = np.arange(0, 100, 2, dtype=np.int32), np.arange(101, 200, 2, dtype=np.int32)
    drawn = sample_pairs(first, second, np.full(50, 3, np.int32), np.arange(200)[::-1], 5, groups=groups)
    assert len(drawn.first) > 30
    assert (groups[drawn.other_first] + groups[drawn.other_second] == 1).all()


def test_no_pairs_are_not_measured() -> None:
    assert np.isnan(pair_auc(sample(least=10**6), twins))


def test_half_a_basket_finds_its_other_half() -> None:
    """The twin of a shown product is hidden or shown: a list of ten that puts twins first finds all hidden twins."""
    _, recall, hit = completion(STARTS, ITEMS, lambda shown: np.bincount(shown ^ 1, minlength=60).astype(float), 3, 200)
    assert len(recall) == 200
    assert 0.5 < recall.mean() < 1.0, "where both of a pair are hidden nothing points to them"
    assert set(hit.tolist()) <= {0.0, 1.0}
    _, blind, _ = completion(STARTS, ITEMS, lambda shown: np.zeros(60), 3, 200)
    assert blind.mean() == 0.0, "no association, no completion"


def test_every_reading_is_asked_the_same_questions() -> None:
    asked: list[list[int]] = []

    def note(shown: np.ndarray) -> np.ndarray:
        asked.append(sorted(shown.tolist()))
        return np.zeros(60)

    completion(STARTS, ITEMS, note, 3, 50)
    once = list(asked)
    asked.clear()
    completion(STARTS, ITEMS, lambda shown: note(shown) + RNG.random(60), 3, 50)
    assert asked == once


def test_baskets_of_one_product_have_nothing_to_complete() -> None:
    _, recall, hit = completion(np.array([0, 1, 2]), np.array([4, 5], np.int32), lambda shown: np.zeros(9), 1, 10)
    assert len(recall) == len(hit) == 0


@pytest.mark.parametrize("k", [1, 5])
def test_a_longer_list_finds_no_less(k: int) -> None:
    def scores(shown: np.ndarray) -> np.ndarray:
        return np.bincount(shown ^ 1, minlength=60).astype(float)

    assert completion(STARTS, ITEMS, scores, 3, 100, k)[1].mean() <= completion(STARTS, ITEMS, scores, 3, 100)[1].mean()


class Twins:
    """The association of the baskets above, known by construction."""

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return twins(first, second)

    def summed(self, codes: np.ndarray) -> np.ndarray:
        return np.bincount(codes ^ 1, minlength=60).astype(float)


def test_all_metrics_of_a_reading_come_together() -> None:
    metrics, _, recall = measure(Twins(), sample(), STARTS, ITEMS, np.full(len(BASKETS), -1), 3)
    assert metrics["pair_auc"] == 1.0
    assert metrics["completion_recall_10"] == pytest.approx(recall.mean())
    assert metrics["completion_hit_10"] >= metrics["completion_recall_10"]


def test_what_cannot_be_measured_is_left_out() -> None:
    metrics, _, recall = measure(Twins(), sample(least=10**6), np.array([0, 1]), ITEMS[:1], np.zeros(1, np.int32), 3)
    assert metrics == {} and len(recall) == 0


def test_recall_is_by_customer_and_a_basket_without_one_stands_alone() -> None:
    """Two baskets of customer 0, one whose twins are found and one whose are not; then one of nobody, found."""
    starts, items = np.array([0, 2, 4, 6]), np.array([0, 1, 2, 4, 6, 7], np.int32)
    metrics, asked, recall = measure(Twins(), sample(), starts, items, np.array([0, 0, -1], np.int32), 3)
    assert metrics["completion_recall_10"] == pytest.approx(2 / 3)
    assert dict(zip(np.sign(asked).tolist(), recall.tolist(), strict=True)) == {-1: 1.0, 0: 0.5}


def test_the_interval_of_an_area_covers_its_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(9)
    draws = [auc_interval(rng.normal(1, 1, 80), rng.normal(0, 1, 80)) for _ in range(300)]
    truth = 0.7602  # of two normals one standard deviation apart: Phi(1 / sqrt 2)
    assert 0.9 < np.mean([one.low < truth < one.high for one in draws]) < 0.99
    bought, others = rng.integers(0, 5, 50).astype(float), rng.integers(0, 4, 60).astype(float)
    labels = np.concatenate([np.ones(50), np.zeros(60)])
    assert auc_interval(bought, others).value == pytest.approx(roc_auc_score(labels, np.concatenate([bought, others])))


def test_groups_with_pairs_enough_are_judged_by_their_own_pairs() -> None:
    groups = np.where(np.arange(60) < 30, "low", "high")
    drawn = sample()
    split = auc_by_group(drawn, lambda a, b: twins(a, b) * np.where(a < 30, 1.0, -1.0), groups, least=2)
    assert split["low"] > 0.9 > 0.1 > split["high"]
    assert auc_by_group(drawn, twins, groups, least=10**6) == {}


def test_what_was_foretold_is_compared_with_what_was_seen() -> None:
    assert predicted_over_actual(np.array([2.0, 4.0]), np.array([3.0, 1.0])) == {"predicted_over_actual": 1.5}
    assert predicted_over_actual(np.array([2.0]), np.array([0.0])) == {}
