"""How long each result view takes to give everything it has: every row and column, as the analyst.

Asks the stack that runs (``make run`` or ``make up`` before), so the data are the shop's own. Of several rounds the
median; the peer is ``select 1`` over the same connection, which is what asking alone takes.

Run as ``python -m benchmarks.views [--quick] --json FILE``; ``--quick`` asks once.
"""

import time
from contextlib import closing
from statistics import median

import psycopg2
import psycopg2.extensions
from psycopg2 import sql
from tqdm import tqdm

from benchmarks.report import Row, arguments, write_report
from local.instance import current
from local.stack import server

ROUNDS, QUICK_ROUNDS = 5, 1
PEER = "select_1"
VIEWS = "select table_name from information_schema.tables where table_schema = 'marts' order by table_name"


def main() -> None:
    """Ask every view and report."""
    options = arguments(__doc__)
    where = server(current()).client_environment("bundles_analyst", "shop")
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    with closing(
        psycopg2.connect(
            host=where["PGHOST"],
            port=where["PGPORT"],
            dbname="shop",
            user=where["PGUSER"],
            password=where["PGPASSWORD"],
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(VIEWS)
            views = [name for (name,) in cursor.fetchall()]
            peer = took(cursor, "select 1", rounds)
            rows = [Row(f"views/{PEER}/p50_ms", peer, "ms")]
            counted = 0
            for view in tqdm(views, unit="view", disable=None):
                # A whole row is named, so that no column is left out.
                everything = sql.SQL("select count(v) from {} as v").format(sql.Identifier("marts", view))
                value = took(cursor, everything, rounds)
                counted += cursor.fetchone()[0]
                rows.append(Row(f"views/{view}/p50_ms", value, "ms", peer=PEER, ratio=value / peer))
    write_report("views", f"{len(views)} views, {counted:,} rows", rows, options.json)


def took(cursor: psycopg2.extensions.cursor, query: str | sql.Composable, rounds: int) -> float:
    """Return the median milliseconds of a query; its last answer waits to be fetched."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        cursor.execute(query)
        times.append(1000 * (time.perf_counter() - start))
    return median(times)


if __name__ == "__main__":
    main()
