"""The gate: what passes, what does not, and that the reason says so."""

import pytest

from ml.evaluation.gate import TOLERANCE, judge_preference, stand_in

GOOD = {"ndcg_10": 0.26, "brier": 0.016, "base_rate_brier": 0.018}
BASELINES = {"personal_decayed": {**GOOD, "ndcg_10": 0.25}, "global_popularity": {**GOOD, "ndcg_10": 0.1}}


def test_better_than_every_baseline_and_calibrated_passes() -> None:
    passed, reason = judge_preference(GOOD, BASELINES, None)
    assert passed and reason.startswith("passed") and "personal_decayed" in reason and "0.2600" in reason


def test_a_better_baseline_stops_it() -> None:
    passed, reason = judge_preference(GOOD, {**BASELINES, "personal_frequency": {**GOOD, "ndcg_10": 0.2601}}, None)
    assert not passed and "FAILED: NDCG@10 0.2600 against 0.2601" in reason


def test_a_brier_score_above_the_base_rate_stops_it() -> None:
    passed, reason = judge_preference({**GOOD, "brier": 0.0181}, BASELINES, None)
    assert not passed and "FAILED: Brier" in reason


@pytest.mark.parametrize(("lost", "expected"), [(TOLERANCE - 1e-4, True), (TOLERANCE + 1e-4, False)])
def test_the_champion_may_be_missed_by_the_tolerance_only(lost: float, expected: bool) -> None:
    passed, reason = judge_preference(GOOD, BASELINES, GOOD["ndcg_10"] + lost)
    assert passed is expected and "champion" in reason


def test_the_best_baseline_stands_in_and_says_for_whom() -> None:
    name, reason = stand_in(BASELINES, 3, "not passed: FAILED: NDCG@10")
    assert name == "personal_decayed"
    assert "0.2500" in reason and "version 3 was not passed" in reason
