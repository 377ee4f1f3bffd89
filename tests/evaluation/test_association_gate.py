"""The association gate: who passes, and that the reason names the numbers."""

import pytest

from ml.evaluation.association_gate import AUC_BOUND, PairRivalry, judge_association
from ml.evaluation.bootstrap import Interval

BETTER, EQUAL, WORSE = Interval(0.05, 0.03, 0.07), Interval(-0.001, -0.01, 0.01), Interval(-0.02, -0.03, -0.01)


def rivalry(gain: Interval, auc: float = 0.7, pairs: float = 1000) -> PairRivalry:
    return PairRivalry(2, gain, (auc, 0.7), (pairs, 1000), "the champion's recipe")


def test_a_first_model_passes_that_is_not_worse_than_anyone() -> None:
    verdict = judge_association({"scaled_cosine": BETTER, "other": EQUAL}, 1200, {"cosine": 0.139})
    assert verdict.passed
    assert verdict.reason == (
        "passed: 1200 pairs with evidence; completion recall@10 against scaled_cosine: +0.0500 [+0.0300, +0.0700]; "
        "completion recall@10 against other: -0.0010 [-0.0100, +0.0100]; cosine for information: 0.1390"
    )


def test_a_candidate_that_is_worse_beyond_chance_is_held_back_and_told_why() -> None:
    verdict = judge_association({"scaled_cosine": BETTER, "other": WORSE}, 1200, {})
    assert not verdict.passed
    assert verdict.reason.startswith("not passed: ")
    assert "FAILED: completion recall@10 against other" in verdict.reason


def test_what_is_shown_for_information_decides_nothing() -> None:
    assert judge_association({"scaled_cosine": EQUAL}, 10, {"cosine": 0.99}).passed


def test_a_model_without_evidence_does_not_pass() -> None:
    assert not judge_association({"scaled_cosine": BETTER}, 0, {}).passed


@pytest.mark.parametrize(
    ("gain", "refresh_passes", "challenger_passes"),
    [
        (Interval(0.002, -0.004, 0.008), True, False),
        (Interval(0.002, 0.001, 0.003), True, True),
        (Interval(0.0, -0.006, 0.006), False, False),
    ],
)
def test_a_refresh_must_not_be_worse_and_a_challenger_must_be_better(
    gain: Interval, refresh_passes: bool, challenger_passes: bool
) -> None:
    given = ({"scaled_cosine": BETTER}, 1000, {}, rivalry(gain))
    assert judge_association(*given, is_refresh=True).passed is refresh_passes
    challenger = judge_association(*given)
    assert challenger.passed is challenger_passes
    assert "against the champion's recipe in 2 windows" in challenger.reason


def test_fewer_pairs_or_a_lower_pair_auc_stop_a_better_one() -> None:
    for guarded, words in (
        (rivalry(BETTER, auc=0.7 - AUC_BOUND - 1e-6), "FAILED: pair AUC"),
        (rivalry(BETTER, pairs=899), "FAILED: 899 pairs against 1000"),
    ):
        verdict = judge_association({"scaled_cosine": BETTER}, 1000, {}, guarded)
        assert not verdict.passed and words in verdict.reason
