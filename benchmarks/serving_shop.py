"""A published run of a large shop, planted by SQL: what ``benchmarks.serving`` asks.

Products are numbered by popularity. A partner is drawn with density 1 / sqrt(number), so that the most popular product
has thousands of pairs and the median one some fifteen; every product is in 20 pairs in the mean. A tenth of the pairs
are substitutes or avoid each other, a twentieth of the products are out of stock. The features and the marts are made
by dbt from the planted raw tables; how often products sold, which takes no orders here, is written in afterwards.
"""

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import date

import psycopg2

from local.instance import REPOSITORY
from local.postgres import Server

AS_OF = date(2024, 3, 31)
RAW = """
select setseed(0.5);
insert into raw.products (product_id, title, category_path, price_cents, load_id)
select 'p' || lpad(n::text, 7, '0'), 'Product ' || n, 'DEPARTMENT ' || n % 20 || ' > CATEGORY ' || n % 400,
    100 + n * 37 % 1900, 1
from generate_series(1, {products}) as n;
insert into raw.stock_levels (product_id, warehouse_id, counted_at, on_hand_units, load_id)
select 'p' || lpad(n::text, 7, '0'), 'w' || w, date '{as_of}' - 7 * c, case when n % 20 = 7 then 0 else n % 90 end, 1
from generate_series(1, {products}) as n, generate_series(1, 2) as w, generate_series(0, 4) as c
"""
RESULTS = """
select setseed(0.5);
update features.ftr_products set baskets = 100 + 100000 / sqrt(substr(product_id, 2)::integer);
update features.ftr_builds set baskets = 1000000;
insert into ml.associations
select {run_id}, least(a, b), greatest(a, b), together, expected, together / expected, 0.7 * together / expected,
    1.4 * together / expected, case when chance < 0.05 then 0 else (together + 5) / (expected + 5) end,
    case when chance < 0.05 then 'substitute' when chance < 0.5 then 'complement' else 'undecided' end
from (
    select distinct on (least(a, b), greatest(a, b)) a, b, 5 + (45 * random())::integer as together,
        5 + 15 * random() as expected, random() as chance
    from (
        select 'p' || lpad(n::text, 7, '0') as a,
            'p' || lpad((1 + floor({products} * random() ^ 2))::integer::text, 7, '0') as b
        from generate_series(1, {products}) as n, generate_series(1, 10)
    ) as drawn
    where a <> b
    order by least(a, b), greatest(a, b)
) as pairs;
insert into ml.candidates
select {run_id}, 'c' || c, 'p' || lpad((1 + floor({products} * random() ^ 2))::integer::text, 7, '0'), random() ^ 4,
    array['bought'], n, 1
from generate_series(1, {customers}) as c, generate_series(1, 140) as n
on conflict do nothing;
insert into ml.bundles (
    run_id, bundle_id, customer_id, bundle_rank, policy, solver, candidate_set, candidates, bundle_size, objective,
    upper_bound, gap_pct, status, joint_probability, list_price_cents, bundle_price_cents, expected_revenue_cents,
    is_kept
)
select {run_id}, c || ':' || b, 'c' || c, b, 'expected_joint_purchase', 'exact', 'shortlist', 140, 3, 0.1,
    0.1, 0, 'optimal', 0.01, 900, 900, 9, false
from generate_series(1, {customers}) as c, generate_series(1, 2) as b;
insert into ml.bundle_items
select {run_id}, c || ':' || b, i, 'p' || lpad((1 + floor({products} * random() ^ 2))::integer::text, 7, '0'), 0.1,
    300, 300, array['bought']
from generate_series(1, {customers}) as c, generate_series(1, 2) as b, generate_series(1, 3) as i;
insert into ops.published (scope, run_id, as_of) values ('personal', {run_id}, '{as_of}');
select ops.analyze_run({run_id})
"""


@dataclass(frozen=True)
class Size:
    """How large the shop is."""

    products: int
    customers: int


def plant(server: Server, size: Size) -> int:
    """Fill the migrated database of the server, and return how many pairs the published run has."""
    facts = {"products": size.products, "customers": size.customers, "as_of": AS_OF}
    secret = server.passwords["BUNDLES_WAREHOUSE__OWNER_PASSWORD"]
    opened = psycopg2.connect(host="127.0.0.1", port=server.port, dbname="shop", user="bundles_owner", password=secret)
    with closing(opened) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(RAW.format(**facts))
        cursor.execute("vacuum analyze raw.products, raw.stock_levels")
        _run_dbt(server)
        cursor.execute("select run_id from ops.open_run('personal', %s, 'benchmark', 1, '{}', '')", (AS_OF,))
        ((run_id,),) = cursor.fetchall()
        cursor.execute(RESULTS.format(**facts, run_id=run_id))
        cursor.execute("vacuum analyze features.ftr_products, features.ftr_builds, ml.associations, ml.candidates")
        cursor.execute("select count(*) from ml.associations")
        ((pairs,),) = cursor.fetchall()
    return int(pairs)


def _run_dbt(server: Server) -> None:
    project, target = REPOSITORY / "dbt_project", server.home / "dbt"
    where = {
        "BUNDLES_WAREHOUSE__HOST": "127.0.0.1",
        "BUNDLES_WAREHOUSE__PORT": str(server.port),
        "BUNDLES_WAREHOUSE__DATABASE": "shop",
        "BUNDLES_AS_OF": AS_OF.isoformat(),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    folders = ["--project-dir", project, "--profiles-dir", project, "--target-path", target, "--log-path", target]
    without_tests = ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "build", *without_tests, *folders],
        env={**os.environ, **server.passwords, **where},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"dbt ended with {done.returncode}:\n{done.stdout[-3000:]}")
