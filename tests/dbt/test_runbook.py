"""What the runbook tells an operator to ask and to type can be asked and typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from local.__main__ import COMMANDS, main
from local.postgres import Server
from local.programs import ROOT_STATE
from ml.__main__ import OTHERS, STAGES
from ml.settings import Settings
from ml.transform import build
from tests.dbt.conftest import AS_OF, Plant, tiny_world

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
QUERIES = re.findall(r"```sql\n(.+?)```", RUNBOOK, re.S)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def operator(shop: Settings, plant: Plant, postgres: Server, database: str) -> dict[str, str]:
    """The environment of psql as the operator has it, on a database in which dbt has run."""
    for table, records in tiny_world(seed=12).items():
        plant(table, records)
    build(shop, AS_OF)
    return {**postgres.client_environment("postgres", database), "PGOPTIONS": "-c default_transaction_read_only=on"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(query.split())[:60])
def test_every_query_of_the_runbook_can_be_asked(operator: dict[str, str], query: str) -> None:
    where = {"host": operator["PGHOST"], "port": operator["PGPORT"], "dbname": operator["PGDATABASE"]}
    user = {"user": operator["PGUSER"], "password": operator["PGPASSWORD"], "options": operator["PGOPTIONS"]}
    connection = psycopg2.connect(**where, **user)  # type: ignore[call-overload]
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
    connection.close()


def test_an_operator_changes_nothing_by_accident(operator: dict[str, str]) -> None:
    def answer(statement: str) -> subprocess.CompletedProcess[str]:
        line = [psql, "-v", "ON_ERROR_STOP=1", "-c", statement]
        return subprocess.run(line, env=operator, capture_output=True, text=True, check=False)

    from local.programs import programs

    psql = str(programs() / "psql")
    refused = answer("delete from ops.quarantine")
    assert refused.returncode and "read-only transaction" in refused.stderr
    (mend,) = re.findall(r"`(begin read write; .+?)`", RUNBOOK)[:1]
    assert answer(mend).returncode == 0, answer(mend).stderr


def test_the_operators_words_go_to_psql_as_they_stand_in_the_runbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    class Recorder:
        def psql(self, *words: object, **options: object) -> int:
            asked.extend([*words, options])
            return 0

    (line,) = set(re.findall(r"python -m (local operator .*?)`", RUNBOOK))
    monkeypatch.setenv("BUNDLES_HOME", str(tmp_path))
    monkeypatch.setattr("local.__main__.server", lambda instance: Recorder())
    monkeypatch.setattr(sys, "argv", line.replace('"', "").split())
    assert main() == 0
    assert asked == ["postgres", "shop", ["-c", "..."], {"reads_only": True}]


def test_the_lines_that_empty_logs_free_what_a_process_still_writes_to(tmp_path: Path) -> None:
    ((lines),) = re.findall(r"```\n(home=.+?)```", RUNBOOK, re.S)
    assert str(ROOT_STATE) in lines
    home, state = tmp_path / "home", tmp_path / "state" / "0123"
    logs = [home / "logs" / "mlflow.log", home / "postgres.log", state / "postgres.log"]
    old, new = (home / "airflow" / "logs" / "dag_id=load_shop" / name for name in ("attempt=1.log", "attempt=2.log"))
    for path in (*logs, old, new):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("said before\n")
    os.utime(old, (0, 0))
    with logs[0].open("ab", buffering=0) as held:
        line = lines.replace(str(ROOT_STATE), str(state.parent))
        subprocess.run(["bash", "-euc", line], env={**os.environ, "BUNDLES_HOME": str(home)}, check=True)
        held.write(b"said after\n")
    assert [path.read_text() for path in logs] == ["said after\n", "", ""]
    assert (old.exists(), new.exists()) == (False, True)


def test_every_command_of_the_runbook_is_there() -> None:
    documents = [RUNBOOK, (ROOT / "docs" / "security.md").read_text("utf-8")]
    words = re.compile(r"python -m (local|ml) (?!exec)(\w+)")
    named = {found for text in documents for found in words.findall(text)}
    assert named >= {("local", "backup"), ("local", "restore"), ("local", "operator"), ("ml", "rollback_bundles")}
    assert {name for of, name in named if of == "local"} <= set(COMMANDS)
    assert {name for of, name in named if of == "ml"} <= {*STAGES, *OTHERS}
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert {word for text in documents for word in re.findall(r"`(?:.*? )?make ([a-z]+)", text)} <= targets


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_a_page_with_bare_python_says_first_of_which_environment(page: str) -> None:
    """As typed on Debian there is no ``python``; behind ``local exec`` there is the environment's own."""
    text = (ROOT / page).read_text("utf-8")
    bare = re.search(r"(?<![\w/])(?<!exec )python -m ", text)
    if bare:
        assert ". .venv/bin/activate" in text[: bare.start()]


def test_the_readme_lists_every_dag() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \|.*\|.*\|$", (ROOT / "README.md").read_text("utf-8").split("## What an analyst")[0], re.M
    )
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "dags").glob("*.py"))


def test_every_file_that_the_pages_name_is_there() -> None:
    for name in ("security.md", "runbook.md"):
        text = (ROOT / "docs" / name).read_text("utf-8")
        for path in re.findall(r"`((?:tests|local|database|dbt_project|docs)/[\w/.]+)`", text):
            assert (ROOT / path).exists(), path
        for path in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / "docs" / path).resolve().exists(), path


def test_the_command_line_knows_the_operators_words() -> None:
    line = [sys.executable, "-m", "local", "--help"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(word in done.stdout for word in ("backup", "restore", "export", "audit", "operator"))
