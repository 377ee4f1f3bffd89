"""Answers under load: a customer's bundles and ten analysts' questions, at rest and while runs are published.

The shop of :mod:`benchmarks.serving_shop` on an embedded Postgres; every answer stands beside a look-up by primary key
that met the same load. Quantiles are of all raw times. Phases:

- ``8_clients``, ``32_clients``: without a pause, with statements prepared as a shop's page does it (``_unprepared``:
  planned anew each time); ``on_time``: 50 questions a second that are due whether or not answers
  have come, so that no queue hides.
- ``publishing``: 8 clients while one run after the other is opened, filled with the rows of the one shown, analysed,
  audited and published, and old ones are dropped; ``publishing_beside_analysts``: with four analysts at it, too.
- ``analysts``: each of ten questions by 4 clients; ``analysts_publishing``: the same beside those 8 clients.
- ``prepare`` (what is offered is copied before the pointer moves), ``publish``, ``first_query`` (of one customer's
  bundles, on a connection of its own, right after a publish: statistics and caches are cold) and ``rollback``.

Run as ``python -m benchmarks.load [--quick] --json FILE``; ``--quick`` takes 10,000 products and short phases.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
from numpy.typing import NDArray
from psycopg2 import sql

from benchmarks.load_questions import ANALYSTS
from benchmarks.report import Row, arguments, write_report
from benchmarks.serving import BUNDLES, CLIENTS, FULL, LOOK, PEER, QUICK, UNPREPARED, ask, quantile
from benchmarks.serving_shop import AS_OF, Size, plant
from local.postgres import Server
from local.temporary import temporary_server

MANY_CLIENTS, ANALYST_CLIENTS, PER_SECOND = 32, 4, 50
FULL_SECONDS, QUICK_SECONDS = 20, 4
KEPT_RUNS = 2
"""So many are published at least: a rollback needs one to go back to."""
COPIED = ("candidates", "bundles", "bundle_items")
"""Tables whose rows each new run takes over: what a run of personal bundles writes most of."""
Times = NDArray[np.float64]


def main() -> None:
    """Plant, ask and report."""
    options = arguments(__doc__)
    size, seconds = (QUICK, QUICK_SECONDS) if options.quick else (FULL, FULL_SECONDS)
    with tempfile.TemporaryDirectory() as folder, temporary_server(Path(folder), is_durable=True) as server:
        plant(server, size)
        rows = measure(server, size, seconds)
    write_report(
        "load", f"{size.products:,} products, {size.customers:,} customers, {seconds} s a phase", rows, options.json
    )


def measure(server: Server, size: Size, seconds: int) -> list[Row]:
    """Return the rows of all phases."""
    rows = []
    for phase, how in (
        ("8_clients", {"clients": CLIENTS}),
        ("32_clients", {"clients": MANY_CLIENTS}),
        ("on_time", {"clients": CLIENTS, "per_second": PER_SECOND}),
    ):
        asked = (LOOK, BUNDLES, UNPREPARED)
        rows += of_phase(phase, {one.name: ask(server, one, size, seconds, **how) for one in asked})
    alone = {one.name: ask(server, one, size, max(seconds // 4, 2), ANALYST_CLIENTS) for one in (LOOK, *ANALYSTS)}
    rows += of_phase("analysts", alone, share=0.95)
    with publishing(server) as publishes:
        rows += of_phase("publishing", {one.name: ask(server, one, size, seconds) for one in (LOOK, BUNDLES)})
        with ThreadPoolExecutor() as pool:
            analysts = pool.submit(one_after_the_other, server, size, seconds)
            beside = {one.name: ask(server, one, size, seconds) for one in (LOOK, BUNDLES)}
        rows += of_phase("publishing_beside_analysts", beside)
        rows += of_phase("analysts_publishing", {PEER: beside[PEER], **analysts.result()}, share=0.95)
    rows.append(Row("load/publishes", len(publishes.publish_ms), "runs"))
    for name, times in (
        ("prepare", publishes.prepare_ms),
        ("publish", publishes.publish_ms),
        ("first_query", publishes.first_query_ms),
    ):
        rows.append(Row(f"load/{name}/p50_ms", float(np.median(times)), "ms"))
        rows.append(Row(f"load/{name}/most_ms", float(np.max(times)), "ms"))
    rows.append(Row("load/rollback_ms", roll_back(server), "ms"))
    return rows


def one_after_the_other(server: Server, size: Size, seconds: int) -> dict[str, Times]:
    """Ask the analysts' questions in turn for as long as two others are asked."""
    share = max(2 * seconds // len(ANALYSTS), 1)
    return {one.name: ask(server, one, size, share, ANALYST_CLIENTS) for one in ANALYSTS}


def of_phase(phase: str, took: dict[str, Times], share: float = 0.99) -> list[Row]:
    """Return the quantile and the median of each question beside those of the look-up of the same phase."""
    found = []
    for name, times in took.items():
        for metric, of in ((f"p{round(100 * share)}_ms", share), ("p50_ms", 0.5)):
            value, low, high = quantile(times, of)
            against = (None, None) if name == PEER else (PEER, value / float(np.quantile(took[PEER], of)))
            found.append(Row(f"load/{phase}/{name}/{metric}", value, "ms", low, high, *against))
    return found


@dataclass
class Publishes:
    """What publishing took, run by run."""

    prepare_ms: list[float] = field(default_factory=list)
    publish_ms: list[float] = field(default_factory=list)
    first_query_ms: list[float] = field(default_factory=list)
    error: BaseException | None = None


@contextmanager
def publishing(server: Server) -> Iterator[Publishes]:
    """Publish one run after the other until the block ends."""
    publishes, over = Publishes(), threading.Event()

    def work() -> None:
        try:
            with closing(connect(server, "bundles_owner")) as connection:
                while not over.is_set() or len(publishes.publish_ms) < KEPT_RUNS:
                    publish_a_copy(server, connection, publishes)
        except BaseException as error:
            publishes.error = error

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield publishes
    finally:
        over.set()
        thread.join()
    if publishes.error:
        raise publishes.error


def publish_a_copy(server: Server, connection: Any, publishes: Publishes) -> None:
    """Make a run with the rows of the one that is shown, publish it, and ask for one customer's bundles at once."""
    with connection.cursor() as cursor:
        cursor.execute("select run_id from ops.published where scope = 'personal'")
        ((shown,),) = cursor.fetchall()
        started_by = f"load {time.time_ns()}"
        cursor.execute("select run_id, epoch from ops.open_run('personal', %s, %s, 1, '{}', '')", (AS_OF, started_by))
        ((run_id, epoch),) = cursor.fetchall()
        for table in COPIED:
            cursor.execute(
                "select column_name from information_schema.columns"
                " where table_schema = 'ml' and table_name = %s and column_name <> 'run_id'",
                (table,),
            )
            columns = sql.SQL(", ").join(sql.Identifier(name) for (name,) in cursor.fetchall())
            copy = "insert into {} (run_id, {}) select %s, {} from {} where run_id = %s"
            where = sql.Identifier("ml", table)
            cursor.execute(sql.SQL(copy).format(where, columns, columns, where), (run_id, shown))
        cursor.execute("select ops.analyze_run(%s)", (run_id,))
        cursor.execute("select ops.record_audit(%s, %s, 'load', true, 0, null)", (run_id, epoch))
        began = time.perf_counter()
        cursor.execute("select ops.prepare_offers(%s, %s)", (run_id, epoch))
        publishes.prepare_ms.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        cursor.execute("select ops.publish(%s, %s, 'load')", (run_id, epoch))
        publishes.publish_ms.append(1000 * (time.perf_counter() - began))
    with closing(connect(server, "bundles_analyst")) as fresh, fresh.cursor() as cursor:
        began = time.perf_counter()
        cursor.execute("select run_id from marts.fct_bundles where customer_id = 'c7'")
        if {run for (run,) in cursor.fetchall()} != {run_id}:
            raise SystemExit(f"run {run_id} was published, and another one is shown")
        publishes.first_query_ms.append(1000 * (time.perf_counter() - began))
    with connection.cursor() as cursor:
        cursor.execute("select ops.drop_old_runs('personal', 2)")


def roll_back(server: Server) -> float:
    """Take the pointer back by a run and return the milliseconds that took."""
    with closing(connect(server, "bundles_owner")) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        cursor.execute("select ops.rollback('personal', 'load')")
        return 1000 * (time.perf_counter() - began)


def connect(server: Server, role: str) -> Any:
    """Return a connection that commits each statement."""
    where = {"host": "127.0.0.1", "port": server.port, "dbname": "shop", "user": role}
    connection = psycopg2.connect(password=server.client_environment(role)["PGPASSWORD"], **where)
    connection.autocommit = True
    return connection


if __name__ == "__main__":
    main()
