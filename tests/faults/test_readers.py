"""People read while the pointer moves: never an error, never two runs in one answer, never nothing."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing

import psycopg2
import psycopg2.extensions
import pytest

from ml.params import Context, RunParams
from ml.publishing.audit import Check
from ml.publishing.publish import publish, record
from ml.warehouse import Lease
from tests.faults.conftest import LONG, Report
from tests.faults.world import AS_OF, World

pytestmark = [pytest.mark.faults, pytest.mark.slow]
PUBLISHES = 200 if LONG else 20
ORIGIN = ("model_versions", "model_manifests", "data_through", "git_commit", "lock_sha256", "dbt_invocation_id")
REPEATABLE = psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ
COMMITTED = psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED

ONE = """
    select array_agg(distinct b.run_id), count(i.bundle_id), count(distinct b.bundle_id)
    from marts.fct_bundles as b left join marts.fct_bundle_items as i on b.bundle_id = i.bundle_id
    where b.status <> 'abstained'
"""
SEVERAL = (
    "select array_agg(distinct run_id), count(*) from marts.fct_bundles",
    "select array_agg(distinct run_id), 1 from marts.fct_runs where is_published and scope = 'personal'",
    "select array_agg(distinct run_id), count(*) from marts.fct_bundles where bundle_rank <= 1",
)
READERS = {
    "one statement, READ COMMITTED": (COMMITTED, (ONE,)),
    "one statement, REPEATABLE READ": (REPEATABLE, (ONE,)),
    "several statements, READ COMMITTED": (COMMITTED, SEVERAL),
    "several statements, REPEATABLE READ": (REPEATABLE, SEVERAL),
}


def read(world: World, name: str, is_over: Callable[[], bool], seen: Counter[str]) -> None:
    """Read until it is over, and count what must not be."""
    level, queries = READERS[name]
    where = {"host": "127.0.0.1", "port": world.server.port, "dbname": world.settings.warehouse.database}
    password = world.settings.warehouse.password("analyst")
    with closing(psycopg2.connect(user="bundles_analyst", password=password, **where)) as connection:  # type: ignore[call-overload]
        connection.set_session(isolation_level=level)
        while not is_over():
            time.sleep(0.005)  # else four readers leave nobody else the machine
            try:
                with connection, connection.cursor() as cursor:
                    runs = []
                    for query in queries:
                        cursor.execute(query)
                        run_ids, rows, *_ = cursor.fetchone()
                        seen["reads"] += 1
                        seen["empty"] += not rows
                        seen["mixed"] += len(run_ids or ()) > 1
                        runs.append(run_ids)
                    if level == REPEATABLE:
                        seen["mixed"] += any(one != runs[0] for one in runs)
            except psycopg2.Error as error:
                seen[f"error {type(error).__name__}: {error}"] += 1


def next_run(world: World, owner: psycopg2.extensions.connection, number: int, source: int) -> Context:
    """Write a copy of a run as a new one, with its origin and its audit."""
    context = Context(AS_OF, f"publish {number}", RunParams())
    with owner.cursor() as cursor:
        cursor.execute("select * from ops.open_run('personal', %s, %s, 1, '{}', 'abc')", (AS_OF, context.started_by))
        ((run_id, epoch),) = cursor.fetchall()
        for table in ("bundles", "bundle_items", "candidates"):
            cursor.execute(f"create temp table copied as select * from ml.{table} where run_id = {source}")
            cursor.execute(f"update copied set run_id = {run_id}; insert into ml.{table} select * from copied")
            cursor.execute("drop table copied")
        told = ", ".join(f"{name} = source.{name}" for name in ORIGIN)
        cursor.execute(f"update ops.runs as r set {told} from ops.runs as source"
                       f" where r.run_id = {run_id} and source.run_id = {source}")  # fmt: skip
        cursor.execute(f"select distinct check_name from ops.audits where run_id = {source}")
        checks = [Check(name, 0) for (name,) in cursor.fetchall()]
    record(world.settings, Lease("personal", run_id, epoch), checks)
    return context


def test_no_reader_sees_anything_but_one_whole_run(world: World, report: Report) -> None:
    world.begin("published")
    seen: Counter[str] = Counter()
    over = threading.Event()
    threads = [threading.Thread(target=read, args=(world, name, over.is_set, seen)) for name in READERS]
    with closing(world.owner()) as owner, owner.cursor() as cursor:
        cursor.execute("select run_id from ops.published where scope = 'personal'")
        ((source,),) = cursor.fetchall()
        for thread in threads:
            thread.start()
        try:
            for number in range(PUBLISHES):
                context = next_run(world, owner, number, source)
                publish(world.settings, context)
                cursor.execute("select run_id from ops.published where scope = 'personal'")
                ((source,),) = cursor.fetchall()
        finally:
            over.set()
            for thread in threads:
                thread.join()
        cursor.execute("select count(*) from ops.publish_log where action = 'publish' and actor like 'publish %'")
        ((moves,),) = cursor.fetchall()
    reads = seen.pop("reads")
    bad = {name: number for name, number in seen.items() if number}
    broken = world.broken()
    report(
        f"{moves} publishes under {len(READERS)} readers",
        f"{reads} reads, {bad or '0 errors, 0 mixed, 0 empty'}",
        broken,
    )
    assert moves == PUBLISHES
    assert reads > PUBLISHES
    assert bad == {}
    assert broken == []
