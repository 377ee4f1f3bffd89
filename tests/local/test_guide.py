"""The analyst's guide is read and written as its readers see it."""

from local.guide import GUIDE, _table, questions


def test_every_heading_of_the_guide_has_its_query_and_its_answer() -> None:
    text = GUIDE.read_text("utf-8")
    found = questions(text)
    assert [f"## {one.title}" for one in found] == [line for line in text.splitlines() if line.startswith("## ")]
    assert len(found) >= 12
    assert all(one.sql.strip().endswith(";") and one.columns != [""] for one in found)


def test_a_table_is_aligned_and_a_long_cell_is_cut() -> None:
    shown = _table(['name,"a, b"\n', f"x,{'y' * 200}\n", '"two\n', 'lines",\n'])
    assert shown.splitlines() == [
        "name      | a, b",
        f"----------+-{'-' * 100}",
        f"x         | {'y' * 97}...",
        "two lines |",
    ]
