"""Old runs are dropped beside readers: the drop gives way, never the reader."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg2
import pytest

from local.postgres import Server
from ml.settings import Settings
from ml.warehouse import Warehouse

DEADLOCK_SECONDS = 1.0
"""Postgres' deadlock_timeout: who has waited so long is looked at, and may be ended."""


@contextmanager
def reader(server: Server, database: str) -> Iterator[psycopg2.extensions.cursor]:
    """A query in a transaction that stays open, as the publisher, who may read all results."""
    password = server.client_environment("bundles_publisher")["PGPASSWORD"]
    where = {"host": "127.0.0.1", "port": server.port, "dbname": database, "user": "bundles_publisher"}
    with closing(psycopg2.connect(password=password, **where)) as connection, connection.cursor() as cursor:  # type: ignore[call-overload]
        yield cursor


@pytest.fixture
def tables(settings: Settings, owner: psycopg2.extensions.connection) -> list[str]:
    """The result tables in the order in which they are dropped, with an old run that nobody needs."""
    for day in (1, 2):
        facts = {"as_of": f"2024-01-0{day}", "started_by": f"race {day}", "seed": 1, "params": {}, "git_commit": ""}
        ((run_id, _),) = Warehouse(settings, "ml").call("ops.open_run", scope="personal", **facts)
        Warehouse(settings, "ml").call("ops.note_run", run_id=run_id, patch={"status": "failed"})
    with owner.cursor() as cursor:
        cursor.execute("update ops.runs set opened_at = now() - interval '3 days'")
        cursor.execute("select ops.result_tables()")
        return [name for (name,) in cursor]


def test_a_reader_who_takes_the_tables_in_another_order_is_answered(
    settings: Settings, postgres: Server, database: str, tables: list[str]
) -> None:
    def drop() -> list[tuple[object, ...]]:
        return Warehouse(settings, "publisher").call("ops.drop_old_runs", scope="personal", keep=2)

    with ThreadPoolExecutor() as pool, reader(postgres, database) as cursor:
        cursor.execute(f"select count(*) from ml.{tables[-1]}")
        dropping = pool.submit(drop)
        time.sleep(0.01)
        began = time.monotonic()
        for table in tables:
            cursor.execute(f"select count(*) from ml.{table}")
        assert time.monotonic() - began < DEADLOCK_SECONDS
        assert dropping.result() == [(0,)]
    assert drop() == [(1,)], "what stayed goes once nobody reads"
