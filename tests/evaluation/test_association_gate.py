"""The association gate: who passes, and that the reason names the numbers."""

from ml.evaluation.association_gate import judge_association
from ml.evaluation.bootstrap import Interval

BETTER, EQUAL, WORSE = Interval(0.05, 0.03, 0.07), Interval(-0.001, -0.01, 0.01), Interval(-0.02, -0.03, -0.01)


def test_a_challenger_passes_that_is_not_worse_than_anyone() -> None:
    passed, reason = judge_association({"scaled_cosine": BETTER, "champion": EQUAL}, 1200, {"cosine": 0.139})
    assert passed
    assert reason == (
        "passed: 1200 pairs with evidence; completion recall@10 against scaled_cosine: +0.0500 [+0.0300, +0.0700]; "
        "completion recall@10 against champion: -0.0010 [-0.0100, +0.0100]; cosine for information: 0.1390"
    )


def test_a_challenger_that_is_worse_beyond_chance_is_held_back_and_told_why() -> None:
    passed, reason = judge_association({"scaled_cosine": BETTER, "champion": WORSE}, 1200, {})
    assert not passed
    assert reason.startswith("not passed: ")
    assert "FAILED: completion recall@10 against champion" in reason


def test_what_is_shown_for_information_decides_nothing() -> None:
    assert judge_association({"scaled_cosine": EQUAL}, 10, {"cosine": 0.99})[0]


def test_a_model_without_evidence_does_not_pass() -> None:
    assert not judge_association({"scaled_cosine": BETTER}, 0, {})[0]
