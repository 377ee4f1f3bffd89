"""The race of the bundle benchmark is run against a brute force that is right."""

import numpy as np
import pytest

from benchmarks.bundles import _brute_force, _quality
from ml.evaluation.bundle_metrics import BundleScores
from ml.optimizer.problem import Limits
from ml.policies.named import POLICIES
from tests.optimizer.problems import by_trying_everything, random_problem


def test_the_compiled_brute_force_tries_everything() -> None:
    rng = np.random.default_rng(21)
    for quota in (1, 2, 3):
        for _ in range(40):
            limits = Limits(max_per_category=quota, cost_per_product=0.001, min_joint_probability=0.002)
            problem = random_problem(rng, int(rng.integers(2, 11)), limits)
            assert _brute_force(problem) == pytest.approx(by_trying_everything(problem))


def test_our_policy_is_reported_against_the_usual_widget() -> None:
    hits = np.array([1.0, 0.0, 1.0, 1.0])
    scores = {
        (name, is_cross_sell): BundleScores(hits, hits / 5, hits * 0.3, hits)
        for name in POLICIES
        for is_cross_sell in (False, True)
    }
    rows = {row.name: row for row in _quality(scores)}
    assert rows["bundles/ours/hit_5"].peer == "frequently_bought_together"
    assert rows["bundles/ours/hit_5"].ratio == 1.0
    assert rows["bundles/ours/hit_5_over_frequently_bought_together"].value == 0.0
    assert rows["bundles/ours/joint_probability_ratio_cross_sell"].value == pytest.approx(0.3)
