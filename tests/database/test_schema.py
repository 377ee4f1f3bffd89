"""What stands in the migrated database: descriptions, indexes, rights."""

from datetime import date

import polars as pl
import psycopg2
import pytest

from ml import tables
from ml.errors import DataError
from ml.settings import Settings
from ml.sources.contract import TABLES
from ml.tables import contract, measurements, results, scenarios
from ml.warehouse import Lease, Warehouse

Connection = psycopg2.extensions.connection
RESULTS = {
    t.name: t
    for room in (measurements, results, scenarios)
    for t in vars(room).values()
    if isinstance(t, contract.Table) and t.schema == "ml"
}
TYPES = {
    contract.TEXT: "text",
    contract.INT: "integer",
    contract.BIG: "bigint",
    contract.REAL: "double precision",
    contract.DAY: "date",
    contract.FLAG: "boolean",
    contract.TEXTS: "text[]",
}
KEPT = {"policy_metrics", "why_not"}
"""Result tables without partitions, whose rows stay."""


def rows(owner: Connection, statement: str) -> list[tuple[object, ...]]:
    with owner.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_every_table_and_column_of_raw_ops_and_ml_is_described(owner: Connection) -> None:
    bare = rows(
        owner,
        "select c.oid::regclass::text, a.attname from pg_class as c"
        " left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace in ('raw'::regnamespace, 'ops'::regnamespace, 'ml'::regnamespace)"
        " and c.relkind in ('r', 'p') and not c.relispartition"
        " and (obj_description(c.oid) is null or col_description(c.oid, a.attnum) is null)",
    )
    assert not bare


def test_the_tables_of_the_raw_contract_are_those_of_the_database(owner: Connection) -> None:
    found: dict[str, dict[str, bool]] = {}
    for table, column, nullable, default in rows(
        owner,
        "select table_name, column_name, is_nullable = 'YES', column_default is not null"
        " from information_schema.columns where table_schema = 'raw' and column_name <> 'load_id'",
    ):
        found.setdefault(str(table), {})[str(column)] = not nullable and not default
    stated = {name: {column: rule.required for column, rule in table.columns.items()} for name, table in TABLES.items()}
    assert found == stated


def test_the_result_tables_of_the_code_are_those_of_the_database(owner: Connection) -> None:
    found: dict[str, list[tuple[object, ...]]] = {}
    for table, *column in rows(
        owner,
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
        " array_position(i.indkey::int2[], a.attnum)"
        " from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " join pg_index as i on i.indrelid = c.oid and i.indisprimary"
        " where c.relnamespace = 'ml'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
        " order by c.relname, a.attnum",
    ):
        found.setdefault(str(table), []).append(tuple(column))
    stated = {
        name: [
            (
                column,
                TYPES[kind],  # type: ignore[index]
                column not in table.optional,
                table.key.index(column) if column in table.key else None,
            )
            for column, kind in table.columns.items()
        ]
        for name, table in RESULTS.items()
    }
    assert found == stated


def test_no_number_of_a_result_or_a_raw_table_may_be_nan_or_infinite(owner: Connection) -> None:
    """Arrays are left out: what is in a vector is looked at when it is loaded."""
    unbounded = rows(
        owner,
        "select c.oid::regclass::text || '.' || a.attname from pg_class as c"
        " join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace in ('ml'::regnamespace, 'raw'::regnamespace) and c.relkind in ('r', 'p')"
        " and not c.relispartition and a.atttypid in ('float8'::regtype, 'float4'::regtype, 'numeric'::regtype)"
        " and not exists (select from pg_constraint as k where k.conrelid = c.oid and k.contype = 'c'"
        # An upper bound, since NaN is above every number.
        " and pg_get_constraintdef(k.oid) ~ ('\\m' || a.attname || '\\)? <'))",
    )
    assert unbounded == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_result_that_is_no_number_is_refused_in_a_partition_too(
    settings: Settings, owner: Connection, number: str
) -> None:
    lease = opened(settings, 20)
    with pytest.raises(psycopg2.errors.CheckViolation, match="numbers_are_finite"), owner.cursor() as cursor:
        row = "(%s, 'r', 'expected_margin_cents', %s, 1, 1, '')"
        cursor.execute(f"insert into ml.rule_costs values {row}", (lease.run_id, number))


def aged(owner: Connection, lease: Lease) -> None:
    """Let a run be so old that nobody looks at it any more."""
    with owner.cursor() as cursor:
        cursor.execute("update ops.runs set opened_at = now() - interval '3 days' where run_id = %s", (lease.run_id,))


def test_each_run_has_a_partition_of_every_result_table_and_all_go_together(
    settings: Settings, owner: Connection
) -> None:
    old, newer = opened(settings, 3), opened(settings, 4)

    def partitions(lease: Lease) -> set[str]:
        names = {f"{name}_r{lease.run_id}": name for name in RESULTS}
        there = rows(owner, "select relname from pg_class where relnamespace = 'ml'::regnamespace and relispartition")
        return {names[str(name)] for (name,) in there if name in names}

    assert partitions(old) == partitions(newer) == set(RESULTS) - KEPT
    Warehouse(settings, "ml").call("ops.note_run", run_id=old.run_id, patch={"status": "failed"})
    assert Warehouse(settings, "publisher").call("ops.drop_old_runs", scope="personal", keep=2) == [(0,)]
    aged(owner, old)
    assert Warehouse(settings, "publisher").call("ops.drop_old_runs", scope="personal", keep=2) == [(1,)]
    assert partitions(old) == set()
    assert partitions(newer) == set(RESULTS) - KEPT


def test_answers_about_a_run_are_replaced_by_ml_and_outlive_its_partitions(
    settings: Settings, owner: Connection
) -> None:
    ml, lease = Warehouse(settings, "ml"), opened(settings, 5)
    answer = {"customer_id": "ann", "product_key": "jam + tea", "product_ids": ["jam", "tea"], "best_objective": 0.2}
    verdict = {"verdict": "infeasible", "binding": ["budget"], "detail": "too dear"}
    unknown = dict.fromkeys(("bundle_rank", "objective", "cost_of_forcing"))
    frame = pl.DataFrame([{**answer, **verdict, **unknown}], infer_schema_length=None)
    for _ in range(2):
        ml.replace_run(tables.WHY_NOT, frame, lease)
    ml.call("ops.note_run", run_id=lease.run_id, patch={"status": "failed"})
    aged(owner, lease)
    opened(settings, 6)
    assert Warehouse(settings, "publisher").call("ops.drop_old_runs", scope="personal", keep=2) == [(1,)]
    kept = ml.read(tables.WHY_NOT, {"run_id": lease.run_id})
    assert kept.select("verdict", "binding").rows() == [("infeasible", ["budget"])]
    with ml.transaction() as connection:
        connection.cursor().execute("delete from ml.why_not where run_id = %s", (lease.run_id,))
    assert ml.read(tables.WHY_NOT).is_empty()


def opened(settings: Settings, day: int) -> Lease:
    facts = {"as_of": date(2017, 12, day), "started_by": "t", "seed": 1, "params": {}, "git_commit": ""}
    ((run_id, epoch),) = Warehouse(settings, "ml").call("ops.open_run", scope="personal", **facts)
    return Lease("personal", run_id, epoch)


def test_the_bundles_of_a_customer_are_found_by_index(settings: Settings, owner: Connection) -> None:
    run_id, _ = Warehouse(settings, "ml").call(
        "ops.open_run", scope="personal", as_of="2017-12-01", started_by="i", seed=1, params={}, git_commit=""
    )[0]
    with owner.cursor() as cursor:
        cursor.execute(
            "insert into ml.bundles"
            " select %s, 'b' || n, 'c' || n, 1, 'p', 's', 'k', 9, 3, 1, 1, 0, 'optimal', 0.1, 1, 1, 1,"
            " null, null, null, null, null, null, false"
            " from generate_series(1, 5000) as n",
            (run_id,),
        )
    Warehouse(settings, "publisher").call("ops.analyze_run", run_id=run_id)
    plan = rows(
        owner,
        f"explain select * from ml.bundles where run_id = (select {run_id}::bigint) and customer_id = 'c7'",
    )
    assert "Index" in str(plan) and "Seq Scan" not in str(plan)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("loader", "delete from raw.orders"),
        ("loader", "update ops.load_manifest set rows_in = 0"),
        ("loader", "delete from ops.quarantine"),
        ("loader", "select * from ml.bundles"),
        ("ml", "select * from raw.orders"),
        ("ml", "insert into raw.lead_times values ('p', 1, null, 1)"),
        ("ml", "update ops.published set run_id = 1"),
        ("ml", "insert into ops.audits values (1, 1, 'x', true, 0)"),
        ("ml", "select ops.publish(1, 1, 'me')"),
        ("ml", "create table ml.mine (a int)"),
        ("publisher", "insert into ml.bundle_items values (1, 'b', 1, 'p', 0, 1, 1, '{}')"),
        ("publisher", "update ops.published set run_id = 1"),
        ("transformer", "insert into raw.lead_times values ('p', 1, null, 1)"),
        ("transformer", "delete from ml.bundles"),
        ("transformer", "delete from ml.why_not"),
        ("publisher", "delete from ml.why_not"),
        ("analyst", "select * from ml.why_not"),
        ("analyst", "select * from ml.bundles"),
        ("analyst", "select * from raw.customers"),
        ("analyst", "select * from ops.runs"),
        ("analyst", "select ops.rollback('personal', 'me')"),
        ("analyst", "set transaction read write; create table marts.mine (a int)"),
        ("analyst", "set transaction read write; create temp table mine (a int)"),
        ("analyst", "set transaction read write; create schema mine"),
    ],
)
def test_a_role_is_refused_what_is_not_its_work(settings: Settings, role: str, statement: str) -> None:
    with pytest.raises(DataError, match="permission denied"), Warehouse(settings, role).transaction() as connection:  # type: ignore[arg-type]
        connection.cursor().execute(statement)


def test_the_functions_cannot_be_misled_by_a_search_path(owner: Connection) -> None:
    loose = rows(
        owner,
        "select proname from pg_proc where pronamespace = 'ops'::regnamespace"
        " and (not prosecdef or not 'search_path=pg_catalog, ops, pg_temp' = any(proconfig))",
    )
    assert not loose


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ("bundle_items values (999999, 'b', 1, 'p', 0, 1, 1, '{}')", "no partition of relation|check constraint"),
        (
            "policy_metrics values (999999, 'p', 'm', 'v', 0, 0, 0, null, null, null, null, 1, 'today', 'today')",
            "foreign key",
        ),
        (
            "why_not values (999999, 'c', 'a + b', '{a,b}', 'offered', 1, 1, 1, 0, '{}', 'it is offered')",
            "foreign key",
        ),
        ("shadow_prices values (999999, 'p', 1, 1, 1, 1, 1, 1, 0)", "no partition of relation|check constraint"),
        (
            "catalogue_bundles values (999999, 1, '{a,b}', 2, 1, 1, 1, 1, 1, 0, 'why')",
            "no partition of relation|check constraint",
        ),
        ("given_bundle_ranks values (999999, 'c', 'b', 1, 1, 0, 1)", "no partition of relation|check constraint"),
    ],
)
def test_a_row_of_a_run_that_was_never_opened_is_refused(settings: Settings, row: str, refused: str) -> None:
    with pytest.raises(DataError, match=refused) as told, Warehouse(settings, "ml").transaction() as connection:
        connection.cursor().execute(f"insert into ml.{row}")
    assert "999999" not in str(told.value), "what a row holds is no business of a log"


@pytest.mark.parametrize(
    "row", ["null, .2, .1, 475, null", "1, .2, .1, 475, 'infeasible:budget'", "1, null, null, 475, null"]
)
def test_a_given_bundle_has_a_rank_with_its_value_or_a_reason(owner: Connection, row: str) -> None:
    ((run_id,),) = rows(owner, "select run_id from ops.open_run('personal', '2024-03-31', 'given', 1, '{}', 'abc')")
    with pytest.raises(psycopg2.errors.CheckViolation, match="given_bundle_ranks"), owner.cursor() as cursor:
        cursor.execute(f"insert into ml.given_bundle_ranks values ({run_id}, 'c', 'b', {row})")
