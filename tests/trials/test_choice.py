"""What is chosen by: a sample of all questions, later ones than are fitted on, and owners instead of questions."""

from datetime import date, timedelta

import numpy as np
import pytest

from ml.trials import choice
from ml.trials.choice import _drawn, _turns
from ml.trials.questions import Question, in_turn


def questions(owners: list[str], days: list[int] | None = None) -> list[Question]:
    return [
        Question(f"b{k:03d}", np.array([0]), 1, None, owner,
                 None if days is None else date(2020, 1, 1) + timedelta(days=days[k]))
        for k, owner in enumerate(owners)
    ]  # fmt: skip


def test_the_sample_is_drawn_from_all_questions_and_not_the_first_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "VALIDATION_ROWS", 40 * 9)
    asked = questions([f"c{k}" for k in range(400)])
    names = [one.name for one in _drawn(asked, 10, 0)]
    assert len(names) == 40 and names == sorted(names)
    assert 100 < np.mean([int(name[1:]) for name in names]) < 300
    assert names != [one.name for one in _drawn(asked, 10, 1)]


def test_weights_are_judged_on_later_days_than_they_are_fitted_on() -> None:
    ((fitted, judged),) = _turns(questions(["c"] * 10, [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]))
    assert fitted.tolist() == [0, 1, 2, 3, 6, 9] and judged.tolist() == [4, 5, 7, 8]
    ((fitted, judged),) = _turns(questions(["c"] * 4, [0, 0, 0, 9]))
    assert fitted.tolist() == [0, 1, 2] and judged.tolist() == [3]


def test_without_days_no_owner_is_fitted_on_and_judged() -> None:
    owners = [f"c{k % 7}" for k in range(35)]
    turns = _turns(questions(owners))
    assert sorted(np.concatenate([judged for _, judged in turns])) == list(range(35))
    for fitted, judged in turns:
        assert len(fitted) and not {owners[k] for k in fitted} & {owners[k] for k in judged}
    assert all(len(fitted) for fitted, _ in _turns(questions(["one"] * 6)))


def test_each_product_of_a_basket_is_hidden_in_turn_beside_the_same_alternatives() -> None:
    asked = [Question("b", np.array([2, 7]), 5, np.array([1, 5, 9]), "mia")]
    first, *others = in_turn(asked, most=3)
    assert first == asked[0]
    assert [(one.shown.tolist(), one.hidden) for one in others] == [([5, 7], 2), ([2, 5], 7)]
    assert [one.listed.tolist() for one in others if one.listed is not None] == [[1, 2, 9], [1, 7, 9]]
    assert {one.owner for one in others} == {"mia"}
    assert in_turn(asked, most=2) == asked, "too many stay as they were"
