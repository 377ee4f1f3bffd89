"""Groups against groups, worked by hand."""

import pytest

from ml.evaluation.group_metrics import best_match, jaccard


def sets(*words: str) -> list[frozenset[str]]:
    return [frozenset(word) for word in words]


def test_the_best_match_of_each_side_is_averaged() -> None:
    # ab meets abc by 2/3, de meets itself; abc meets ab by 2/3, de by 1, f nothing.
    recall, precision, both = best_match(sets("abc", "de", "fg"), sets("ab", "de"))
    assert recall == pytest.approx((2 / 3 + 1) / 2)
    assert precision == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert both == pytest.approx(2 * recall * precision / (recall + precision))


def test_making_every_pair_buys_recall_with_precision() -> None:
    recall, precision, _ = best_match(sets("ab", "ac", "bc"), sets("ab"))
    assert recall == 1.0 and precision == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)


def test_no_groups_and_strangers_score_nothing() -> None:
    assert best_match([], sets("ab")) == best_match(sets("ab"), []) == (0.0, 0.0, 0.0)
    assert best_match(sets("cd"), sets("ab")) == (0.0, 0.0, 0.0)
    assert jaccard(frozenset(), frozenset()) == 0.0
