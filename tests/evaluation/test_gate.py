"""The gate: what passes, what does not, and that the reason says so."""

import pytest

from ml.evaluation.bootstrap import Interval
from ml.evaluation.gate import (
    COVERAGE_SHARE,
    ECE_BOUND,
    MARGIN,
    SEGMENT_BOUND,
    Rivalry,
    judge_challenger,
    judge_first,
    judge_refresh,
    stand_in,
)

GOOD = {"ndcg_10": 0.26, "brier": 0.016, "base_rate_brier": 0.018}
BASELINES = {"personal_decayed": {**GOOD, "ndcg_10": 0.25}, "global_popularity": {**GOOD, "ndcg_10": 0.1}}
BEATEN = {"personal_frequency": {**GOOD, "ndcg_10": 0.2601}}
BETTER, SAME = Interval(0.01, 0.004, 0.016), Interval(0.0, -0.004, 0.004)


def rivalry(
    gain: Interval, ece: float = 0.001, coverage: float = 0.5, segments: dict[str, Interval] | None = None
) -> Rivalry:
    shares = {"product_coverage_20": (coverage, 0.5)}
    return Rivalry(2, gain, (ece, 0.001), shares, segments if segments is not None else {"heavy buyers": SAME})


def test_a_first_model_better_than_every_baseline_and_calibrated_passes() -> None:
    verdict = judge_first(GOOD, BASELINES)
    assert verdict.passed
    assert verdict.reason == (
        "passed: NDCG@10 0.2600 against 0.2500 of the best baseline (personal_decayed); "
        "Brier 0.01600 against 0.01800 of the base rate"
    )


def test_a_better_baseline_stops_it() -> None:
    verdict = judge_first(GOOD, {**BASELINES, **BEATEN})
    assert not verdict.passed and "FAILED: NDCG@10 0.2600 against 0.2601" in verdict.reason


def test_a_brier_score_above_the_base_rate_stops_it() -> None:
    verdict = judge_first({**GOOD, "brier": 0.0181}, BASELINES)
    assert not verdict.passed and "FAILED: Brier" in verdict.reason


@pytest.mark.parametrize(("low", "passes"), [(-MARGIN + 1e-6, True), (-MARGIN, False), (0.001, True)])
def test_a_refresh_need_not_be_better_but_must_not_be_worse(low: float, passes: bool) -> None:
    verdict = judge_refresh(GOOD, BEATEN, rivalry(Interval(0.001, low, 0.01)))
    assert verdict.passed is passes
    assert "in 2 windows" in verdict.reason and "must be above -0.005" in verdict.reason


@pytest.mark.parametrize(("low", "passes"), [(1e-6, True), (0.0, False), (-0.001, False)])
def test_a_challenger_must_be_better_beyond_chance(low: float, passes: bool) -> None:
    verdict = judge_challenger(GOOD, BASELINES, rivalry(Interval(0.004, low, 0.01)))
    assert verdict.passed is passes
    assert "must be above 0" in verdict.reason


def test_a_challenger_must_beat_the_baselines_too() -> None:
    assert not judge_challenger(GOOD, BEATEN, rivalry(BETTER)).passed


def test_a_challenger_that_cannot_be_compared_does_not_pass_however_good_it_looks_alone() -> None:
    verdict = judge_challenger(GOOD, BASELINES, None, "its recipe is lost")
    assert not verdict.passed and "FAILED: cannot be compared with the champion" in verdict.reason
    assert "by hand where it is wanted: its recipe is lost; NDCG@10 0.2600 against 0.2500" in verdict.reason


def test_what_is_guarded_stops_both_however_much_better_they_rank() -> None:
    few, lost = COVERAGE_SHARE * 0.5, Interval(-SEGMENT_BOUND - 1e-6, -0.03, -0.01)
    for guarded, words in (
        (rivalry(BETTER, ece=0.001 + ECE_BOUND + 1e-6), "FAILED: ECE"),
        (rivalry(BETTER, coverage=few - 1e-6), "FAILED: product coverage 20"),
        (rivalry(BETTER, segments={"heavy": BETTER, "light": lost}), "FAILED: worst segment (light)"),
    ):
        for verdict in (judge_refresh(GOOD, BASELINES, guarded), judge_challenger(GOOD, BASELINES, guarded)):
            assert not verdict.passed and words in verdict.reason
            assert verdict.reason.count("FAILED") == 1
    at_the_bound = rivalry(BETTER, ece=0.001 + ECE_BOUND, coverage=few)
    assert judge_refresh(GOOD, BASELINES, at_the_bound).passed


def test_a_segment_may_lose_within_chance_or_within_the_bound() -> None:
    within_chance, within_bound = Interval(-0.03, -0.07, 0.01), Interval(-0.01, -0.015, -0.005)
    for loss in (within_chance, within_bound):
        assert judge_refresh(GOOD, BASELINES, rivalry(SAME, segments={"few": loss})).passed


def test_a_large_loss_within_chance_does_not_hide_a_smaller_one_beyond_it() -> None:
    within_chance, beyond = Interval(-0.05, -0.12, 0.01), Interval(-0.03, -0.04, -0.02)
    verdict = judge_refresh(GOOD, BASELINES, rivalry(SAME, segments={"noisy": within_chance, "sure": beyond}))
    assert not verdict.passed and "FAILED: worst segment (sure): -0.0300" in verdict.reason


def test_a_shop_without_large_segments_says_so() -> None:
    assert "no segment has 100 customers" in judge_refresh(GOOD, BASELINES, rivalry(SAME, segments={})).reason


def test_a_refresh_without_a_comparison_must_show_what_a_first_version_must() -> None:
    verdict = judge_refresh(GOOD, BASELINES, None)
    assert verdict.passed and "no window" in verdict.reason
    assert "FAILED: NDCG@10" in judge_refresh(GOOD, BEATEN, None).reason


def test_the_numbers_are_written_down_apart_from_those_of_the_newest_window() -> None:
    noted = rivalry(BETTER).metrics()
    assert noted["gate_recall_20_over_champion_low"] == 0.004 and noted["gate_champion_product_coverage_20"] == 0.5
    assert all(name.startswith("gate_") for name in noted)


def test_the_best_baseline_stands_in_and_says_for_whom() -> None:
    name, reason = stand_in(BASELINES, 3, "not passed: FAILED: NDCG@10")
    assert name == "personal_decayed"
    assert "0.2500" in reason and "version 3 was not passed" in reason
