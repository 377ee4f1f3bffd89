"""Bundle hits on baskets that can be checked by eye."""

import numpy as np
import pytest

from ml.evaluation.bundle_metrics import ratio_interval, score_bundles


def test_a_bundle_counts_when_all_of_it_was_bought() -> None:
    basket = np.array([True, True, False, True])
    scores = score_bundles([[(0, 1), (2, 3)], [(2, 3)], []], [[0.3, 0.1], [0.2], []], [basket] * 3, k=5)
    assert scores.hit.tolist() == [1, 0, 0]
    assert scores.precision.tolist() == [0.2, 0, 0]
    assert scores.bought.tolist() == [1, 0, 0]
    assert scores.predicted == pytest.approx([0.4, 0.2, 0.0])


def test_only_the_first_k_are_looked_at() -> None:
    scores = score_bundles([[(0, 1), (0, 2)]], [[0.3, 0.1]], [np.array([True, False, True])], k=1)
    assert scores.hit.tolist() == [0]
    assert scores.predicted == pytest.approx([0.3])


def test_a_triple_needs_all_three() -> None:
    scores = score_bundles([[(0, 1, 2)]] * 2, [[0.1]] * 2, [np.array([True] * 3), np.array([True, True, False])])
    assert scores.hit.tolist() == [1, 0]


def test_the_ratio_of_a_calibrated_policy_is_one() -> None:
    rng = np.random.default_rng(4)
    chance = rng.uniform(0.02, 0.2, (3000, 5))
    bought = (rng.random((3000, 5)) < chance).sum(axis=1).astype(float)
    interval = ratio_interval(chance.sum(axis=1), bought, 300, 1)
    assert interval is not None
    ratio, low, high = interval
    assert low < 1 < high and high - low < 0.15
    assert ratio == pytest.approx(chance.sum() / bought.sum())


def test_nothing_bought_gives_no_ratio() -> None:
    assert ratio_interval(np.array([0.1, 0.2]), np.zeros(2), 100, 1) is None


def test_too_few_purchases_give_no_interval() -> None:
    bought = np.zeros(50)
    bought[0] = 1
    assert ratio_interval(np.full(50, 0.1), bought, 200, 1) is None
