"""A spreadsheet runs nothing of what leaves the marts."""

import csv
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import psutil
import psycopg2
import pytest

from local import export as module
from local.export import export, harmless
from local.instance import LocalError
from local.postgres import Server

EVIL = (
    "=1+1",
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|'x'!A",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
)
HONEST = ("milk", "", "-5", "+3.5", "-1e-9", "1-2", "a=b", 'ünï, "quoted"\nline', "'tis")


@pytest.mark.parametrize("cell", EVIL)
def test_a_formula_is_shown_and_not_run(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", HONEST)
def test_what_is_no_formula_stays_as_it_is(cell: str) -> None:
    assert harmless(cell) == cell


@pytest.mark.parametrize("cell", EVIL)
def test_the_dashboard_shows_no_formula_either(cell: str) -> None:
    from dashboard.shop import harmless as of_page

    assert of_page(pd.DataFrame({"title": [cell]}))["title"].tolist() == [f"'{cell}"]


def test_the_dashboard_leaves_everything_else() -> None:
    from dashboard.shop import harmless as of_page

    rows = of_page(pd.DataFrame({"title": ["a=b", "milk", None], "cents": [-5, 3, 1]}))
    assert rows["title"].iloc[:2].tolist() == ["a=b", "milk"] and rows["title"].isna()[2]
    assert rows["cents"].tolist() == [-5, 3, 1]


@pytest.fixture
def mart(postgres: Server) -> str:
    """A mart in `shop` itself, where exports read."""
    where = {"host": "127.0.0.1", "port": postgres.port, "dbname": "shop", "user": "postgres"}
    connection = psycopg2.connect(password=postgres.passwords["POSTGRES_PASSWORD"], **where)  # type: ignore[call-overload]
    with connection, connection.cursor() as cursor:
        cursor.execute(
            'drop table if exists marts."odd ""name"; create table marts."odd ""name" (n int, title text);'
            'grant select on marts."odd ""name" to bundles_analyst'
        )
        for n, title in enumerate(EVIL + HONEST):
            cursor.execute('insert into marts."odd ""name" values (%s, %s)', (n, title))
    connection.close()
    return 'odd "name'


def test_an_export_holds_every_row_and_no_formula(postgres: Server, mart: str, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    try:
        assert export(postgres, mart, target) == len(EVIL + HONEST)
    finally:
        postgres.psql("postgres", "shop", ["-qc", 'drop table marts."odd ""name"'])
    with target.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["title"] for row in found] == [*(f"'{cell}" for cell in EVIL), *HONEST]
    assert target.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["no_such_mart", 'x" ; drop table ops.runs; --', "../../etc/passwd"])
def test_a_mart_that_is_none_is_refused_and_leaves_no_file(postgres: Server, name: str, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="does not exist"):
        export(postgres, name, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def long_mart(postgres: Server) -> Iterator[str]:
    """A mart whose second row is longer than Python's own limit, and which is more than pipes hold."""
    where = {"host": "127.0.0.1", "port": postgres.port, "dbname": "shop", "user": "postgres"}
    with closing(psycopg2.connect(password=postgres.passwords["POSTGRES_PASSWORD"], **where)) as connection:  # type: ignore[call-overload]
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "drop table if exists marts.long_cells;"
                "create table marts.long_cells as select n, repeat('x', 300000) as params"
                " from generate_series(1, 20) as n; grant select on marts.long_cells to bundles_analyst"
            )
            yield "long_cells"
            cursor.execute("drop table marts.long_cells")


def test_a_cell_may_be_as_long_as_postgres_lets_it(postgres: Server, long_mart: str, tmp_path: Path) -> None:
    before = csv.field_size_limit(131_072)
    try:
        assert export(postgres, long_mart, tmp_path / "out.csv") == 20
        with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
            assert {len(row["params"]) for row in csv.DictReader(file)} == {300_000}
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("broken", [KeyboardInterrupt(), OSError(28, "No space left on device"), ValueError("odd")])
def test_what_breaks_off_an_export_leaves_no_part_and_no_psql(
    postgres: Server, long_mart: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: BaseException
) -> None:
    target = tmp_path / "out.csv"
    target.write_text("of before")
    started: list[subprocess.Popen[bytes]] = []

    class Remembered(subprocess.Popen[bytes]):
        def __init__(self, *words: object, **options: object) -> None:
            super().__init__(*words, **options)  # type: ignore[call-overload]
            started.append(self)

    def breaks(cell: str) -> str:
        if cell == "3":
            assert target.with_name("out.csv.part").exists()
            raise broken
        return cell

    monkeypatch.setattr(module.subprocess, "Popen", Remembered)  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "harmless", breaks)
    with pytest.raises(LocalError if isinstance(broken, OSError) else type(broken)):
        export(postgres, long_mart, target)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"] and target.read_text() == "of before"
    assert started[0].returncode is not None and not psutil.pid_exists(started[0].pid)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told_in_words(
    postgres: Server, long_mart: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def full(path: object, *rest: int) -> int:
        if not str(path).endswith(".part"):
            return really(path, *rest)  # type: ignore[arg-type]
        os.close(really(path, *rest))  # type: ignore[arg-type]
        return really("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(module.os, "open", full)  # type: ignore[attr-defined]
    with pytest.raises(LocalError, match=r"out\.csv cannot be written: No space left on device"):
        export(postgres, long_mart, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_an_export_without_postgres_says_so(tmp_path: Path) -> None:
    nowhere = Server(tmp_path, 9, {"BUNDLES_WAREHOUSE__ANALYST_PASSWORD": "none"})
    with pytest.raises(LocalError, match="Connection refused"):
        export(nowhere, "fct_bundles", tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []
