"""The association gate: who passes, and that the reason names the numbers."""

from dataclasses import replace

import pytest

from ml.evaluation.association_gate import (
    AUC_BOUND,
    CALIBRATION_BOUND,
    DEPARTMENT_BOUND,
    PairRivalry,
    judge_challenger,
    judge_first,
    judge_refresh,
)
from ml.evaluation.bootstrap import Interval

BETTER, EQUAL, WORSE = Interval(0.05, 0.03, 0.07), Interval(-0.001, -0.01, 0.01), Interval(-0.02, -0.03, -0.01)
NAN = float("nan")
FLOOR = ({"scaled_cosine": BETTER}, 1000, {})


def rivalry(gain: Interval = BETTER, **changes: object) -> PairRivalry:
    return replace(PairRivalry(2, gain, (0.7, 0.7), (1000, 1000), (1.05, 1.05), {"GROCERY": 0.0}), **changes)


def test_a_first_model_passes_that_is_not_worse_than_anyone() -> None:
    verdict = judge_first({"scaled_cosine": BETTER, "other": EQUAL}, 1200, {"cosine": 0.139})
    assert verdict.passed
    assert verdict.reason == (
        "passed: 1200 pairs with evidence; completion recall@10 against scaled_cosine: +0.0500 [+0.0300, +0.0700]; "
        "completion recall@10 against other: -0.0010 [-0.0100, +0.0100]; cosine for information: 0.1390"
    )


def test_a_candidate_that_is_worse_beyond_chance_is_held_back_and_told_why() -> None:
    verdict = judge_first({"scaled_cosine": BETTER, "other": WORSE}, 1200, {})
    assert not verdict.passed
    assert verdict.reason.startswith("not passed: ")
    assert "FAILED: completion recall@10 against other" in verdict.reason


def test_what_is_shown_for_information_decides_nothing() -> None:
    assert judge_first({"scaled_cosine": EQUAL}, 10, {"cosine": 0.99}).passed


def test_a_model_without_evidence_does_not_pass() -> None:
    assert not judge_first({"scaled_cosine": BETTER}, 0, {}).passed


def test_a_model_that_could_not_be_measured_does_not_pass() -> None:
    verdict = judge_first({"scaled_cosine": Interval(NAN, NAN, NAN)}, 1200, {})
    assert not verdict.passed and "FAILED: completion recall@10 against scaled_cosine: could not be" in verdict.reason


@pytest.mark.parametrize(
    ("gain", "refresh_passes", "challenger_passes"),
    [
        (Interval(0.002, -0.004, 0.008), True, False),
        (Interval(0.002, 0.001, 0.003), True, True),
        (Interval(0.0, -0.006, 0.006), False, False),
        (Interval(NAN, NAN, NAN), False, False),
    ],
)
def test_a_refresh_must_not_be_worse_and_a_challenger_must_be_better(
    gain: Interval, refresh_passes: bool, challenger_passes: bool
) -> None:
    assert judge_refresh(*FLOOR, rivalry(gain)).passed is refresh_passes
    challenger = judge_challenger(*FLOOR, rivalry(gain))
    assert challenger.passed is challenger_passes
    assert "against the champion's recipe in 2 windows" in challenger.reason


def test_a_challenger_that_never_met_the_champion_does_not_pass_and_a_refresh_shows_what_a_first_one_must() -> None:
    verdict = judge_challenger(*FLOOR, None, "no recipe")
    assert not verdict.passed and "FAILED: cannot be compared with the champion" in verdict.reason
    assert "no recipe" in verdict.reason
    assert judge_refresh(*FLOOR, None).passed
    assert not judge_refresh({"scaled_cosine": WORSE}, 1000, {}, None).passed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pair_auc": (0.7 - AUC_BOUND - 1e-6, 0.7)}, "FAILED: pair AUC"),
        ({"pair_auc": (NAN, 0.7)}, "FAILED: pair AUC could not be measured"),
        ({"pairs": (899, 1000)}, "FAILED: 899 pairs against 1000"),
        (
            {"predicted_over_actual": (1.05 * (1 + 1.2 * CALIBRATION_BOUND), 1.05)},
            "FAILED: joint purchases predicted / actual",
        ),
        (
            {"predicted_over_actual": (1 / (1.05 * (1 + 1.2 * CALIBRATION_BOUND)), 1.05)},
            "FAILED: joint purchases predicted / actual",
        ),
        ({"predicted_over_actual": (1.0, NAN)}, "FAILED: joint purchases predicted / actual could not be measured"),
        ({"departments": {"GROCERY": 0.01, "DELI": -DEPARTMENT_BOUND - 1e-6}}, "FAILED: worst department (DELI)"),
    ],
)
def test_whatever_is_guarded_stops_a_better_one(change: dict[str, object], words: str) -> None:
    for judge in (judge_challenger, judge_refresh):
        verdict = judge(*FLOOR, rivalry(**change))
        assert not verdict.passed and words in verdict.reason


def test_what_could_not_be_measured_is_not_written_down() -> None:
    noted = rivalry(pair_auc=(NAN, 0.7)).metrics()
    assert "gate_pair_auc" not in noted and noted["gate_champion_pair_auc"] == 0.7
