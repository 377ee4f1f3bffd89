"""The analyst's guide: its questions are asked of the running stack, and what it answers is written beneath each."""

import csv
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.instance import REPOSITORY, Instance, LocalError
from local.programs import programs
from local.stack import server

GUIDE = REPOSITORY / "docs" / "analyst_guide.md"
QUESTION = re.compile(r"^## (?P<title>.+?)$.*?^```sql\n(?P<sql>.*?)^```\n\n^```text\n(?P<answer>.*?)^```$", re.M | re.S)
WIDTH = 100
"""Characters of a cell; a longer one is cut, so that the page can be read."""


@dataclass(frozen=True)
class Question:
    """A question of the guide, the SQL that answers it, and the answer on the page."""

    title: str
    sql: str
    answer: str

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns that the page shows."""
        return [name.strip() for name in self.answer.split("\n", 1)[0].split("|")]


def questions(text: str) -> list[Question]:
    """Return the questions of a guide in order."""
    return [Question(found["title"], found["sql"], found["answer"]) for found in QUESTION.finditer(text)]


def write_answers(instance: Instance, guide: Path = GUIDE) -> int:
    """Ask every question anew, write the answers into the guide, and return how many there are.

    Raises
    ------
    LocalError
        When Postgres refuses a query.
    """
    text = guide.read_text("utf-8")

    def answered(found: re.Match[str]) -> str:
        whole, start = found[0], found.start()
        answer = _ask(instance, found["sql"])
        return whole[: found.start("answer") - start] + answer + whole[found.end("answer") - start :]

    guide.write_text(QUESTION.sub(answered, text), "utf-8")
    return len(questions(text))


def _ask(instance: Instance, sql: str) -> str:
    done = subprocess.run(
        [programs() / "psql", "-v", "ON_ERROR_STOP=1", "-X", "-q", "--csv"],
        input=sql,
        env=server(instance).client_environment("bundles_analyst", "shop"),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalError(f"Postgres refuses a query of the guide: {done.stderr.strip()}\n{sql}")
    return _table(done.stdout.splitlines(keepends=True))


def _table(lines: list[str]) -> str:
    """Return comma-separated lines as an aligned table."""
    rows = [[_short(cell) for cell in row] for row in csv.reader(lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([shown[0], "-+-".join("-" * width for width in widths), *shown[1:]]) + "\n"


def _short(cell: str) -> str:
    line = " ".join(cell.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."
