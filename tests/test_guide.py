"""The analyst's guide stays true: its queries run as the analyst and give the columns that the page shows."""

import pytest

from local.guide import GUIDE, Question, questions
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.stack]

QUESTIONS = questions(GUIDE.read_text("utf-8"))


@pytest.mark.parametrize("question", QUESTIONS, ids=[one.title for one in QUESTIONS])
def test_a_question_of_the_guide_is_answered(stack: Stack, question: Question) -> None:
    answer = stack.command("psql", "--", "-X", "-v", "ON_ERROR_STOP=1", "--csv", "-c", question.sql).stdout
    columns, *rows = answer.splitlines()
    assert columns.split(",") == question.columns
    assert rows or "quarantine" in question.sql, "the simulated shop delivers no bad record"
