"""Who asked to be left out: gone from what is shown, given to no stage, published in no run."""

from datetime import date

import polars as pl
import psycopg2
import pytest

from ml import tables
from ml.errors import DataError, TemporaryError
from ml.params import Context, RunParams
from ml.publishing.audit import Check
from ml.publishing.erasures import request_erasure
from ml.publishing.lease import open_run
from ml.publishing.publish import publish, record, rollback
from ml.settings import Settings
from ml.tables import CANDIDATES, CUSTOMER_CARDS
from ml.warehouse import Lease, Warehouse

ANN, BOB = "ann-19c2", "bob-7e41"


@pytest.fixture(autouse=True)
def clean(owner: psycopg2.extensions.connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("delete from ops.published; delete from ops.publish_log; delete from ops.erasures")
        cursor.execute(
            "delete from ml.candidates; delete from ml.bundles; delete from ml.bundle_items; delete from ml.why_not"
        )
        cursor.execute("delete from ops.offered_bundles; delete from ops.leases; delete from ops.audits")
        cursor.execute("delete from ops.runs")


def context(day: int) -> Context:
    return Context(date(2017, 12, day), "test", RunParams())


def candidates(*customers: str) -> pl.DataFrame:
    size = len(customers)
    columns = {"customer_id": customers, "product_id": ["tea"] * size, "sources": [["bought"]] * size}
    return pl.DataFrame(columns).with_columns(
        preference=pl.lit(0.5), candidate_rank=pl.lit(1), basket_spread=pl.lit(0.1)
    )


def written(settings: Settings, day: int, *customers: str) -> Lease:
    """Open a run that holds candidates of some customers, and let it pass its audit."""
    lease = open_run(settings, context(day))
    Warehouse(settings, "ml").replace_run(CANDIDATES, candidates(*customers), lease)
    record(settings, lease, [Check("sums", 0)])
    return lease


def held(owner: psycopg2.extensions.connection, table: str = "ml.candidates") -> set[str]:
    with owner.cursor() as cursor:
        cursor.execute(f"select customer_id from {table}")
        return {name for (name,) in cursor.fetchall()}


def plant_bundle(owner: psycopg2.extensions.connection, run_id: int, customer: str) -> None:
    with owner.cursor() as cursor:
        for table, facts in (
            ("bundles", {"bundle_id": f"b-{customer}", "customer_id": customer}),
            ("bundle_items", {"bundle_id": f"b-{customer}", "position": 1}),
        ):
            cursor.execute(
                "select attname, format_type(atttypid, null) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and attnotnull",
                (f"ml.{table}",),
            )
            blank = {"text": "x", "text[]": [], "boolean": False}
            row = {name: blank.get(kind, 1) for name, kind in cursor.fetchall()} | facts | {"run_id": run_id}
            names, places = ", ".join(row), ", ".join(["%s"] * len(row))
            if "status" in row:
                row["status"] = "optimal"
            cursor.execute(f"insert into ml.{table} ({names}) values ({places})", tuple(row.values()))


def test_what_a_customer_was_given_goes_at_once_and_nothing_of_others(
    settings: Settings, owner: psycopg2.extensions.connection
) -> None:
    lease = written(settings, 1, ANN, BOB)
    for customer in (ANN, BOB):
        plant_bundle(owner, lease.run_id, customer)
        numbers = {"bundle_rank": 1, "objective": 1, "best_objective": 1, "cost_of_forcing": 0}
        answer = {"product_ids": ["tea"], "verdict": "offered", **numbers, "binding": [], "detail": "it is"}
        why = {"run_id": lease.run_id, "customer_id": customer, "answer": answer}
        Warehouse(settings, "ml").call("ops.record_why_not", **why)
    publish(settings, context(1))
    assert request_erasure(settings, ANN, "test") == 5
    assert held(owner) == held(owner, "ml.bundles") == held(owner, "ops.offered_bundles") == {BOB}
    assert held(owner, "ml.why_not") == {BOB}
    with owner.cursor() as cursor:
        cursor.execute("select bundle_id from ml.bundle_items")
        assert cursor.fetchall() == [(f"b-{BOB}",)]
    assert request_erasure(settings, ANN, "somebody else") == 0
    asked = Warehouse(settings, "publisher").read_view("ops.erasures")
    assert asked.select("customer_id", "asked_by").rows() == [(ANN, "test")], "the first time counts"


def test_a_run_that_was_under_way_is_not_published_and_a_rerun_is(
    settings: Settings, owner: psycopg2.extensions.connection
) -> None:
    shown = written(settings, 1, ANN, BOB).run_id
    publish(settings, context(1))
    request_erasure(settings, ANN, "test")
    written(settings, 2, ANN, BOB)  # a stage had read her before she asked
    with pytest.raises(DataError, match="holds rows of 1 customer who asked to be left out") as refusal:
        publish(settings, context(2))
    assert ANN not in str(refusal.value)
    publisher = Warehouse(settings, "publisher")
    assert publisher.read_view("ops.published")["run_id"].to_list() == [shown], "the pointer did not move"
    assert publisher.read_view("ops.publish_log").height == 1
    again = written(settings, 2, *Warehouse(settings, "ml").read(CANDIDATES, {"run_id": shown})["customer_id"])
    assert publish(settings, context(2)).outcome == "published"
    assert publisher.read_view("ops.published")["run_id"].to_list() == [again.run_id]


def test_going_back_shows_nobody_who_asked_since(settings: Settings, owner: psycopg2.extensions.connection) -> None:
    first = written(settings, 1, ANN, BOB).run_id
    publish(settings, context(1))
    written(settings, 2, BOB)
    publish(settings, context(2))
    request_erasure(settings, ANN, "test")
    assert rollback(settings, "personal", "test") == first
    assert held(owner) == {BOB}
    with owner.cursor() as cursor:  # what only a superuser's hand could bring back
        cursor.execute("create temporary table brought_back as select * from ml.candidates")
        cursor.execute("update brought_back set customer_id = %s", (ANN,))
        cursor.execute("insert into ml.candidates select * from brought_back")
        with pytest.raises(psycopg2.errors.RaiseException, match="left out"):
            cursor.execute("update ops.published set as_of = as_of where run_id = %s", (first,))


def test_no_stage_is_given_a_row_of_theirs(settings: Settings) -> None:
    lease = written(settings, 1, ANN, BOB)
    ml = Warehouse(settings, "ml")
    assert set(ml.read(CANDIDATES, {"run_id": lease.run_id})["customer_id"]) == {ANN, BOB}
    request_erasure(settings, BOB, "test")
    ml.replace_run(CANDIDATES, candidates(ANN, BOB), lease)
    read = ml.read(CANDIDATES, {"run_id": lease.run_id}, ["product_id", "customer_id"])
    assert read.rows() == [("tea", ANN)]
    assert ml.read(CUSTOMER_CARDS).is_empty()


def test_every_table_of_results_with_a_customer_is_known(owner: psycopg2.extensions.connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("select ops.customer_tables()")
        known = {name for (name,) in cursor.fetchall()}
    results = [table for table in vars(tables).values() if isinstance(table, tables.Table) and table.schema == "ml"]
    assert known == {table.name for table in results if "customer_id" in table.columns}


def test_a_publish_under_way_and_somebody_who_asks_wait_for_each_other(
    settings: Settings, owner: psycopg2.extensions.connection
) -> None:
    written(settings, 1, ANN, BOB)
    with Warehouse(settings, "publisher").transaction() as connection, connection.cursor() as cursor:
        cursor.execute("select ops.publish(run_id, epoch, 'slow') from ops.leases where scope = 'personal'")
        with pytest.raises(TemporaryError, match="lock timeout"):
            request_erasure(settings, ANN, "test")
    assert request_erasure(settings, ANN, "test") == 1


def test_offers_are_prepared_of_nobody_who_asked_to_be_left_out(
    settings: Settings, owner: psycopg2.extensions.connection
) -> None:
    """Also where a stage that had begun before wrote of them after."""
    lease = written(settings, 1, ANN, BOB)
    for customer in (ANN, BOB):
        plant_bundle(owner, lease.run_id, customer)
    with owner.cursor() as cursor:
        cursor.execute("insert into ops.erasures (customer_id, asked_by) values (%s, 'before')", (ANN,))
    of_run = {"run_id": lease.run_id, "epoch": lease.epoch}
    Warehouse(settings, "publisher").call("ops.prepare_offers", **of_run)
    assert held(owner, "ops.offered_bundles") == {BOB}
    with Warehouse(settings, "publisher").transaction() as connection, connection.cursor() as cursor:
        cursor.execute("select ops.prepare_offers(%(run_id)s, %(epoch)s)", of_run)
        with pytest.raises(TemporaryError, match="lock timeout"):
            request_erasure(settings, BOB, "test")
    request_erasure(settings, BOB, "test")
    assert held(owner, "ops.offered_bundles") == set()


def test_a_publish_that_takes_too_long_gives_up_and_moves_nothing(
    settings: Settings, owner: psycopg2.extensions.connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(settings, 1, ANN).run_id
    publish(settings, context(1))
    written(settings, 2, ANN)
    monkeypatch.setattr("ml.publishing.publish.STATEMENT_SECONDS", 1)
    with owner.cursor() as cursor:
        cursor.execute(
            "create function ops.sleepy() returns trigger language plpgsql"
            " as $$ begin perform pg_sleep(3); return new; end $$"
        )
        cursor.execute("create trigger sleepy before update on ops.published execute function ops.sleepy()")
    try:
        with pytest.raises(TemporaryError, match="statement timeout"):
            publish(settings, context(2))
    finally:
        with owner.cursor() as cursor:
            cursor.execute("drop function ops.sleepy cascade")
    assert Warehouse(settings, "publisher").read_view("ops.published")["run_id"].to_list() == [first]
    publish(settings, context(2))


@pytest.mark.parametrize("nobody", ["", "  "])
def test_nobody_cannot_be_left_out(settings: Settings, nobody: str) -> None:
    with pytest.raises(DataError, match="no customer was named"):
        request_erasure(settings, nobody, "test")


def test_a_role_that_publishes_nothing_may_not_leave_anybody_out(settings: Settings) -> None:
    with pytest.raises(DataError, match="permission denied"):
        Warehouse(settings, "ml").call("ops.request_erasure", customer_id=ANN, asked_by="test")
