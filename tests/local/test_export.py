"""A spreadsheet runs nothing of what leaves the marts."""

import csv
from pathlib import Path

import pandas as pd
import psycopg2
import pytest

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
