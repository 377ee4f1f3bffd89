"""Audits of a run as dbt compiles them, each sent to Postgres by itself.

Starting dbt for each planted fault would take longer than all other tests; by dbt they run in
``tests/test_transform.py`` and in the tests of the stages.
"""

from contextlib import closing
from datetime import date

import psycopg2
from psycopg2.extensions import connection as Connection

from ml.settings import Settings
from ml.transform import AuditCheck, _results

MARK = 909_090_909
"""Stands for the run's number in what dbt compiles."""


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
