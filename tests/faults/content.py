"""What there is to lose, as hashes: two states are the same where these are."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from psycopg2.extensions import connection as Connection

from ml.settings import Settings
from ml.transform import ANY_RUN, _results

NUMBERS = ("run_id", "load_id", "quarantine_id", "quarantined_at", "dbt_invocation_id", "built_at")
"""Columns that count tries or tell the time: they differ between two ways to the same end."""


@dataclass(frozen=True)
class Content:
    """One hash each of what people read, of what stands in the newest run, of raw data, features and champions."""

    published: str
    newest_run: str
    raw: str
    features: str
    champions: tuple[str, ...]


def content(connection: Connection, store: Path) -> Content:
    """Return the hashes of everything there is."""
    shown = _rows(connection, "select scope, run_id, as_of::text from ops.published order by scope")
    newest = _rows(connection, "select max(run_id) from ops.runs where scope <> 'models'")[0][0]
    results = [name for (name,) in _rows(connection, "select ops.result_tables()")]
    return Content(
        published=str([(scope, as_of, _run(connection, results, run_id)) for scope, run_id, as_of in shown]),
        newest_run=_run(connection, results, newest),
        raw=_tables(connection, "raw") + _hash(connection, "ops.quarantine"),
        features=_tables(connection, "features"),
        champions=_champions(store),
    )


def published(connection: Connection) -> str:
    """Return the hash of what people read alone."""
    shown = _rows(connection, "select scope, run_id, as_of::text from ops.published order by scope")
    results = [name for (name,) in _rows(connection, "select ops.result_tables()")]
    return str([(scope, as_of, _run(connection, results, run_id)) for scope, run_id, as_of in shown])


def compiled_invariants(settings: Settings, as_of: date) -> dict[str, str]:
    """Return the query of each invariant, as dbt compiles it."""
    arguments = ["compile", "--select", "tag:invariant"]
    results, _ = _results(settings, arguments, "run_results.json", as_of, ANY_RUN)
    return {one["unique_id"].split(".")[2]: one["compiled_code"] for one in results}


def broken_invariants(connection: Connection, invariants: Mapping[str, str]) -> list[str]:
    """Return the names of the invariants that have rows."""
    assert invariants
    return [name for name, query in invariants.items() if _rows(connection, f"select from ({query}) as t limit 1")]


def _run(connection: Connection, tables: list[str], run_id: int) -> str:
    return " ".join(_hash(connection, f"ml.{table}", f"where run_id = {run_id}") for table in tables)


def _tables(connection: Connection, schema: str) -> str:
    names = _rows(
        connection,
        "select tablename from pg_tables where schemaname = %s and tablename <> 'ftr_builds' order by 1",
        schema,
    )
    return " ".join(_hash(connection, f"{schema}.{name}") for (name,) in names)


def _hash(connection: Connection, table: str, where: str = "") -> str:
    row = f"md5((to_jsonb(t) - array{list(NUMBERS)})::text)"
    ((digest,),) = _rows(connection, f"select md5(string_agg({row}, '' order by {row})) from {table} as t {where}")
    return f"{table.split('.')[1]}={str(digest)[:8]}"


def _champions(store: Path) -> tuple[str, ...]:
    """Return the fingerprint of each champion; read beside MLflow, which keeps files open that a case replaces."""
    query = """
        select a.name, t.value from registered_model_aliases as a
        inner join model_version_tags as t on t.name = a.name and t.version = a.version
        where a.alias = 'champion' and t.key = 'manifest_sha256' order by a.name
    """
    with closing(sqlite3.connect(store)) as connection:
        return tuple(f"{name} {digest}" for name, digest in connection.execute(query))


def _rows(connection: Connection, query: str, *values: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()
