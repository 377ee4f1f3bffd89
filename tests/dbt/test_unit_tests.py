"""Every model that joins, looks through a window or tells cases apart is worked out by hand in a dbt unit test."""

import re
from pathlib import Path

import pytest
import yaml

from tests.mutations.flips import visible

MODELS = Path(__file__).resolve().parents[2] / "dbt_project" / "models"
HARD = {"join": r"\bjoin\b", "window": r"\bover\b", "case": r"\bcase\b"}


def _tested(models: Path) -> set[str]:
    """Return the models that a unit test names, of all YAML files of a folder."""
    files = [yaml.safe_load(path.read_text("utf-8")) for path in models.rglob("*.yml")]
    return {test["model"] for file in files for test in file.get("unit_tests") or []}


def _hard(models: Path) -> dict[str, list[str]]:
    """Return the models that hold something hard, with what it is; what Jinja, texts and comments say is left out."""
    texts = {path.stem: visible(path.read_text("utf-8")) for path in models.rglob("*.sql")}
    found = {name: [what for what, word in HARD.items() if re.search(word, text)] for name, text in texts.items()}
    return {name: whats for name, whats in sorted(found.items()) if whats}


def test_every_model_with_a_join_window_or_case_has_a_unit_test() -> None:
    hard, tested = _hard(MODELS), _tested(MODELS)
    assert len(hard) > 40
    missing = [f"{name} ({', '.join(whats)})" for name, whats in hard.items() if name not in tested]
    assert not missing, f"without unit test: {', '.join(missing)}"


@pytest.mark.parametrize("sql", ["select 1 -- join", "select 'case'", "{# over ( #} select 1", "{{ join(1) }}"])
def test_words_outside_the_sql_make_no_model_hard(sql: str, tmp_path: Path) -> None:
    (tmp_path / "easy.sql").write_text(sql, "utf-8")
    (tmp_path / "hard.sql").write_text(f"{sql}\nselect * from a left join b on true", "utf-8")
    assert _hard(tmp_path) == {"hard": ["join"]}
