"""The policy benchmark reports each policy against the usual widget."""

import numpy as np
import pytest

from benchmarks.bundles import _quality
from ml.evaluation.bundle_metrics import BundleScores
from ml.policies.named import COMPARED


def test_our_policy_is_reported_against_the_usual_widget() -> None:
    hits = np.array([1.0, 0.0, 1.0, 1.0])
    scores = {
        (name, is_cross_sell): BundleScores(hits, hits / 5, hits * 0.3, hits)
        for name in COMPARED
        for is_cross_sell in (False, True)
    }
    rows = {row.name: row for row in _quality(scores)}
    assert rows["bundles/ours/hit_5"].peer == "frequently_bought_together"
    assert rows["bundles/ours/hit_5"].ratio == 1.0
    assert rows["bundles/ours/hit_5_over_frequently_bought_together"].value == 0.0
    assert rows["bundles/ours/joint_probability_ratio_cross_sell"].value == pytest.approx(0.3)
