"""Audits of a run as dbt compiles them, each sent to Postgres by itself.

Starting dbt for each planted fault would take longer than all other tests; by dbt they run in
``tests/test_transform.py`` and in the tests of the stages.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import date
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from ml.params import RunParams
from ml.settings import Settings
from ml.transform import AuditCheck, _results

MARK = 909_090_909
"""Stands for the run's number in what dbt compiles."""


Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""By result table."""


def written(owner: Connection, as_of: date, name: str, asked: RunParams, rows: Rows) -> int:
    """Open a run of the scenario that is asked for, write these rows as its results, and return it."""
    with owner.cursor() as cursor:
        query = "select run_id from ops.open_run(%s, %s, %s, 1, %s, 'abc')"
        cursor.execute(query, (asked.scenario, as_of, name, json.dumps(asdict(asked))))
        ((run_id,),) = cursor.fetchall()
        for table, records in rows.items():
            if records:
                columns = ["run_id", *records[0]]
                values = [[run_id, *(record[key] for key in columns[1:])] for record in records]
                execute_values(cursor, f"insert into ml.{table} ({', '.join(columns)}) values %s", values)
    return int(run_id)


def let_anything_in(owner: Connection) -> None:
    """Take away what keeps NaN and infinity out of results, to see that the audit finds them without it."""
    with owner.cursor() as cursor:
        cursor.execute(
            "select conrelid::regclass::text from pg_constraint as c inner join pg_class as t on c.conrelid = t.oid"
            " where conname = 'numbers_are_finite' and not t.relispartition"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"alter table {table} drop constraint numbers_are_finite")


def failed(
    settings: Settings, owner: Connection, as_of: date, name: str, asked: RunParams, rows: Rows
) -> dict[str, int]:
    """Return the checks that a run of these rows does not pass, with how many rows break each."""
    run_id = written(owner, as_of, name, asked, rows)
    checks = audit(settings, as_of, run_id, asked.scenario)
    return {check.name: check.failures for check in checks if not check.is_passed}


def audit(settings: Settings, as_of: date, run_id: int, scenario: str = "personal") -> list[AuditCheck]:
    """Return the outcome of every audit test of a scenario on the rows of ``run_id``, passed ones too."""
    return checked(settings, as_of, run_id, f"audit_{scenario}")


def checked(
    settings: Settings, as_of: date, run_id: int, tag: str, connection: Connection | None = None
) -> list[AuditCheck]:
    """Return the outcome of every test with a tag, in the transaction of ``connection`` where one is given."""
    if connection is None:
        where = settings.warehouse
        address = {"host": where.host, "port": where.port, "dbname": where.database, "user": "bundles_transformer"}
        with closing(psycopg2.connect(**address, password=where.password("transformer"))) as own:  # type: ignore[call-overload]
            return checked(settings, as_of, run_id, tag, own)
    checks = []
    for name, query in _compiled(settings, as_of, tag):
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from ({query.replace(str(MARK), str(run_id))}) as broken")
            ((failures,),) = cursor.fetchall()
        checks.append(AuditCheck(name, failures))
    return checks


def _compiled(settings: Settings, as_of: date, tag: str) -> list[tuple[str, str]]:
    """Return name and query of every test with a tag."""
    key = (settings.warehouse.port, settings.warehouse.database, as_of, tag)
    if key not in _COMPILED:
        arguments = ["compile", "--select", f"tag:{tag}"]
        results, _ = _results(settings, arguments, "run_results.json", as_of, MARK)
        _COMPILED[key] = [(one["unique_id"].split(".")[2], one["compiled_code"]) for one in results]
    assert _COMPILED[key]
    return _COMPILED[key]


_COMPILED: dict[tuple[int, str, date, str], list[tuple[str, str]]] = {}
