"""The loader against a real Postgres: every record is accounted for, and landing twice is landing once."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import psycopg2
import pytest

import ml.stages.load_raw
from ml.errors import DataError, NothingToDo
from ml.params import Context, Counts, RunParams
from ml.settings import Settings, SourceSettings
from ml.sources.contract import TABLES
from ml.stages.load_raw import run
from ml.warehouse import Warehouse

AS_OF = date(2017, 12, 3)
PRODUCTS = ["p1", "p2", "p3"]
Row = tuple[object, ...]
Load = Callable[[Path], Counts]
pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def empty(owner: psycopg2.extensions.connection) -> None:
    wipe(owner)


@pytest.fixture
def load(settings: Settings) -> Load:
    """Load a folder, with a quarantine limit of one half unless the test says otherwise."""

    def load(folder: Path, limit_share: float = 0.5) -> Counts:
        source = SourceSettings(folder=folder, quarantine_limit_share=limit_share)
        return run(settings.model_copy(update={"source": source}), Context(AS_OF, "test", RunParams(source="folder")))

    return load


def simulated(settings: Settings) -> Settings:
    small = {"simulated_customers": 30, "simulated_products": 20, "simulated_days": 20}
    return settings.model_copy(update={"source": settings.source.model_copy(update=small)})


def wipe(owner: psycopg2.extensions.connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute(f"truncate {', '.join(f'raw.{t}' for t in TABLES)}, ops.quarantine, ops.load_manifest cascade")


def write(folder: Path, name: str, header: str, rows: list[Row]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    lines = [header, *(",".join("" if value is None else str(value) for value in row) for row in rows)]
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")


def write_shop(folder: Path, lines: list[Row] | None = None) -> None:
    write(folder, "products.csv", "product_id,title,price_cents", [(p, f"Title {p}", 100) for p in PRODUCTS])
    write(
        folder,
        "orders.csv",
        "order_id,customer_id,ordered_at",
        [("o1", "ann", "2017-11-01T10:00:00Z"), ("o2", "", "2017-11-02T10:00:00Z"), ("o3", "ben", "2017-11-03")],
    )
    good = [("o1", 1, "p1", 2, 100, 0), ("o1", 2, "p2", -1, 100, 10), ("o2", 1, "p3", 1, 0, 0)]
    write(folder, "order_items.csv", ITEMS, good if lines is None else lines)


ITEMS = "order_id,line_number,product_id,quantity,unit_price_cents,discount_cents"


def fetch(owner: psycopg2.extensions.connection, statement: str) -> list[Row]:
    with owner.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def landed(owner: psycopg2.extensions.connection, table: str = "order_items") -> list[Row]:
    names = ", ".join(TABLES[table].columns)
    return fetch(owner, f"select {names} from raw.{table} order by {', '.join(TABLES[table].key)}")


def test_returns_and_orders_without_a_customer_land(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    write_shop(tmp_path)
    counts = load(tmp_path)
    assert counts == {"deliveries": 3, "rows_in": 9, "rows_accepted": 9, "rows_duplicate": 0, "rows_quarantined": 0}
    assert ("o1", 2, "p2", -1, 100, 10) in landed(owner)
    assert fetch(owner, "select customer_id from raw.orders where order_id = 'o2'") == [(None,)]
    assert fetch(owner, "select status, extract(timezone from ordered_at) from raw.orders where order_id = 'o3'") == [
        ("completed", 0)
    ]


def test_the_same_files_again_change_nothing_and_are_noted(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    write_shop(tmp_path)
    load(tmp_path)
    before = landed(owner)
    assert load(tmp_path) == {"deliveries": 0}
    assert landed(owner) == before
    assert fetch(owner, "select status, count(*) from ops.load_manifest group by status order by status") == [
        ("accepted", 3),
        ("unchanged", 3),
    ]


def test_what_is_wrong_with_each_record_stands_in_the_quarantine(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    bad = [
        ("o1", 11, "p1", 0, 100, 0),
        ("o1", 12, "p1", 89638, 100, 0),
        ("o1", 13, "", 1, 100, 0),
        ("nobody", 1, "p1", 1, 100, 0),
        ("o1", 14, "p9", 1, 100, 0),
        ("o1", 15, "p1", 1, -1, 0),
        ("o1", 16, "p1", 1.5, 100, 0),
    ]
    good = [("o1", n, "p1", 1, 100, 0) for n in range(20, 40)]
    write_shop(tmp_path, [*good, *bad])
    counts = load(tmp_path)
    assert counts["rows_quarantined"] == len(bad)
    assert fetch(owner, "select record_number, reason, column_name from ops.quarantine order by record_number") == [
        (21, "quantity_range", "quantity"),
        (22, "quantity_range", "quantity"),
        (23, "missing_id", "product_id"),
        (24, "orphan_order", "order_id"),
        (25, "orphan_product", "product_id"),
        (26, "unit_price_cents_range", "unit_price_cents"),
        (27, "integer_format", "quantity"),
    ]
    ((raw,),) = fetch(owner, "select raw_record from ops.quarantine where record_number = 25")
    assert json.loads(str(raw))["product_id"] == "p9"


def test_the_same_key_with_other_content_is_quarantined_and_with_the_same_content_is_a_duplicate(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    write_shop(tmp_path)
    load(tmp_path)
    write_shop(tmp_path, [("o1", 1, "p1", 2, 100, 0), ("o1", 2, "p2", -1, 100, 99), ("o3", 1, "p1", 1, 1, 0)])
    counts = load(tmp_path)
    assert (counts["rows_accepted"], counts["rows_duplicate"], counts["rows_quarantined"]) == (1, 1, 1)
    assert fetch(owner, "select reason from ops.quarantine") == [("conflicting_duplicate",)]
    assert ("o1", 2, "p2", -1, 100, 10) in landed(owner), "what landed first stays"


ORDERS = "order_id,customer_id,ordered_at,status"


def test_an_order_that_is_cancelled_later_is_cancelled_and_nothing_else_changes_it(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    day, next_day = "2017-11-01 10:00:00+00", "2017-11-02 10:00:00+00"
    write_shop(tmp_path)
    load(tmp_path)
    first = [("a", "ann", day, "completed"), ("b", "ann", day, "completed"), ("c", "", day, ""), ("d", "", day, "")]
    write(tmp_path, "orders.csv", ORDERS, [*first, ("e", "", day, "cancelled")])
    load(tmp_path)
    then: list[Row] = [
        ("a", "ann", day, "cancelled"),
        ("b", "bob", day, "cancelled"),
        ("c", "", day, "cancelled"),
        ("d", "", next_day, "cancelled"),
        ("e", "", day, "completed"),
        ("f", "", day, "cancelled"),
    ]
    write(tmp_path, "orders.csv", ORDERS, then)
    counts = load(tmp_path)
    assert (counts["rows_accepted"], counts["rows_duplicate"], counts["rows_quarantined"]) == (3, 0, 3)
    assert fetch(owner, "select order_id, customer_id, status from raw.orders where order_id < 'o' order by 1") == [
        ("a", "ann", "cancelled"),
        ("b", "ann", "completed"),
        ("c", None, "cancelled"),
        ("d", None, "completed"),
        ("e", None, "cancelled"),
        ("f", None, "cancelled"),
    ]
    assert fetch(owner, "select record_number, reason from ops.quarantine order by 1") == [
        (number, "conflicting_duplicate") for number in (2, 4, 5)
    ]
    manifest = "select load_id, rows_accepted, notes from ops.load_manifest where table_name = 'orders'"
    (_, _, _), (brought, _, none), (cancelled, _, noted) = fetch(owner, f"{manifest} order by load_id")
    assert (none, noted) == ({}, {"cancelled_later": 2})
    assert fetch(owner, "select * from ops.cancellations") == [(cancelled, brought, 2)]
    by_delivery = "select load_id, count(*) from raw.orders where order_id < 'o' group by 1 order by 1"
    assert fetch(owner, by_delivery) == [(brought, 3), (cancelled, 3)]
    assert load(tmp_path) == {"deliveries": 0}
    write(tmp_path, "orders.csv", ORDERS, [*then, ("g", "", day, "")])
    counts = load(tmp_path)
    assert (counts["rows_accepted"], counts["rows_duplicate"], counts["rows_quarantined"]) == (1, 3, 3)


def test_a_newer_catalogue_replaces_the_row(load: Load, owner: psycopg2.extensions.connection, tmp_path: Path) -> None:
    write(tmp_path, "products.csv", "product_id,title,price_cents,image_vector", [("p1", "Old", 100, '"0.5,0.25"')])
    load(tmp_path)
    write(tmp_path, "products.csv", "product_id,title,price_cents,image_vector", [("p1", "New", 90, '"[0.5, 0.1]"')])
    assert load(tmp_path)["rows_accepted"] == 1
    assert fetch(owner, "select title, price_cents, image_vector from raw.products") == [("New", 90, [0.5, 0.1])]
    assert load(tmp_path)["deliveries"] == 0


def test_a_product_whose_newest_count_has_no_number_has_nothing_to_sell(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    write_shop(tmp_path)
    counts: list[Row] = [("p1", "2017-12-01", 50), ("p2", "2017-12-01", 50)]
    for day in (counts, [*counts, ("p1", "2017-12-02", None)]):
        write(tmp_path, "stock_levels.csv", "product_id,counted_at,on_hand_units", day)
        load(tmp_path)
    live = "select product_id, available_units from serve.live_stock order by product_id"
    assert fetch(owner, live) == [("p1", 0), ("p2", 50), ("p3", 0)]
    assert fetch(owner, "select notes from ops.load_manifest where table_name = 'stock_levels' and notes <> '{}'") == [
        ({"unknown_as_zero:on_hand_units": 1},)
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: write(folder, "order_items.csv", ITEMS.replace("quantity", "qty"), [("o1", 1, "p1", 1, 1, 0)]),
         "schema_missing:quantity"),
        (lambda folder: (folder / "order_items.csv").write_bytes(b""), "empty_file"),
        (lambda folder: (folder / "order_items.csv").write_bytes(f"{ITEMS}\no1,1,\xe9".encode("latin-1")), "encoding"),
        (lambda folder: write(folder, "order_items.csv", ITEMS, [("o1", n, "p9", 1, 1, 0) for n in range(1, 4)]),
         "orphan_product 3"),
    ],
)  # fmt: skip
def test_a_refused_file_leaves_nothing_behind_but_its_reason(
    load: Load,
    owner: psycopg2.extensions.connection,
    tmp_path: Path,
    change: Callable[[Path], object],
    reason: str,
) -> None:
    write_shop(tmp_path)
    change(tmp_path)
    with pytest.raises(DataError, match=reason):
        load(tmp_path)
    assert landed(owner) == [] and fetch(owner, "select * from ops.quarantine") == []
    ((file_name, written),) = fetch(owner, "select file_name, reason from ops.load_manifest where status = 'refused'")
    assert file_name == "order_items.csv" and reason in str(written)
    write_shop(tmp_path)
    assert load(tmp_path)["rows_accepted"] == 3, "the mended file lands"


def test_a_record_that_is_lost_on_the_way_refuses_the_delivery(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "products.csv", "product_id", [(name,) for name in PRODUCTS])
    judge = ml.stages.load_raw.judge

    def lossy(*arguments: Any) -> Any:
        outcome = judge(*arguments)
        return replace(outcome, accepted=outcome.accepted.head(2))

    monkeypatch.setattr(ml.stages.load_raw, "judge", lossy)
    with pytest.raises(DataError, match="3 records were read, 2 are accounted for"):
        load(tmp_path)
    with owner.cursor() as cursor:
        cursor.execute("select count(*) from raw.products")
        assert cursor.fetchall() == [(0,)]


def test_a_shop_keeps_the_currency_that_landed_first(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    write_shop(tmp_path)
    write(tmp_path, "products.csv", "product_id,currency", [(p, "EUR") for p in PRODUCTS])
    load(tmp_path)
    assert fetch(owner, "select notes from ops.load_manifest where table_name = 'products'") == [({"currency:EUR": 3},)]
    write(tmp_path, "order_items.csv", f"{ITEMS},currency", [("o1", 3, "p1", 1, 100, 0, "USD")])
    with pytest.raises(DataError, match="mixed_currency: order_items has amounts in USD, what landed before in EUR"):
        load(tmp_path)
    assert len(landed(owner)) == 3
    write(tmp_path, "order_items.csv", f"{ITEMS},currency", [("o1", 3, "p1", 1, 100, 0, "EUR")])
    assert load(tmp_path)["rows_accepted"] == 1


def test_of_two_loads_at_once_the_second_sees_the_currency_of_the_first(
    settings: Settings, load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    write(tmp_path, "products.csv", "product_id,currency", [("p1", "USD")])
    with ThreadPoolExecutor(1) as pool:
        with Warehouse(settings, "loader").transaction() as first, first.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtext('ops.load_manifest currency'))")
            second = pool.submit(load, tmp_path)
            while fetch(owner, "select from pg_locks where locktype = 'advisory' and not granted") == []:
                assert not second.done(), "it did not wait for the load that was under way"
            cursor.execute(
                "insert into ops.load_manifest (source, table_name, file_name, file_sha256, status, notes)"
                """ values ('folder', 'orders', 'orders.csv', 'x', 'accepted', '{"currency:EUR": 1}')"""
            )
        with pytest.raises(DataError, match="products has amounts in USD, what landed before in EUR"):
            second.result()
    assert landed(owner, "products") == []


def test_the_share_of_bad_records_that_refuses_a_file_is_a_setting(load: Load, tmp_path: Path) -> None:
    lines = [("o1", n, "p1", 1, 100, 0) for n in range(1, 20)] + [("o1", 20, "p1", 0, 100, 0)]
    write_shop(tmp_path, lines)
    with pytest.raises(DataError, match=r"1 of 20 records are bad \(quantity_range 1\)"):
        load(tmp_path, limit_share=0.049)  # type: ignore[call-arg]
    assert load(tmp_path, limit_share=0.05)["rows_quarantined"] == 1  # type: ignore[call-arg]


def test_two_loaders_of_the_same_files_land_them_once(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    write_shop(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(load, [tmp_path] * 4))
    assert sum(int(counts.get("rows_accepted", 0)) for counts in results) == 9
    assert sum(int(counts["deliveries"]) for counts in results) == 3
    assert len(landed(owner)) == 3


def test_no_text_from_outside_is_ever_run(load: Load, owner: psycopg2.extensions.connection, tmp_path: Path) -> None:
    hostile = [
        "1'; drop table raw.orders; --",
        "${jndi:ldap://x}",
        "{{ 7*7 }}",
        "$(id)",
        "../../etc/passwd",
        "\\.",
        "=1+1",
    ]
    pl.DataFrame({"product_id": hostile, "title": hostile}).write_csv(tmp_path / "products.csv")
    load(tmp_path)
    assert {row[0] for row in fetch(owner, "select product_id from raw.products where product_id = title")} == set(
        hostile
    )


def test_a_simulated_day_lands_whole_and_the_next_extends_it(
    settings: Settings, owner: psycopg2.extensions.connection
) -> None:
    settings = simulated(settings)

    def load_day(day: date) -> Counts:
        return run(settings, Context(day, "test", RunParams(source="simulated_shop")))

    first = load_day(AS_OF)
    assert first["rows_quarantined"] == 0 and first["rows_in"] == first["rows_accepted"]
    assert load_day(AS_OF) == {}, "a rerun of a loaded day leads on without a delivery"
    second = load_day(date(2017, 12, 5))
    assert second["rows_quarantined"] == 0
    ((orphans,),) = fetch(
        owner,
        "select count(*) from raw.order_items as i left join raw.orders as o on o.order_id = i.order_id"
        " where o.order_id is null",
    )
    assert orphans == 0
    with pytest.raises(NothingToDo):
        load_day(date(2017, 1, 1))


def test_a_day_that_another_try_lands_meanwhile_is_not_nothing_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = simulated(settings)
    shop = RunParams(source="simulated_shop")
    run(settings, Context(AS_OF, "before", shop))
    next_day = date(2017, 12, 4)
    opened = ml.stages.load_raw.open_source

    def open_late(*asked: Any) -> Any:
        """Open the source, after another try that began later has loaded the day."""
        monkeypatch.setattr(ml.stages.load_raw, "open_source", opened)
        assert run(settings, Context(next_day, "other try", shop))["rows_in"]
        return opened(*asked)

    monkeypatch.setattr(ml.stages.load_raw, "open_source", open_late)
    assert run(settings, Context(next_day, "slow try", shop)) == {"deliveries": 0}


def test_only_the_loader_writes_raw(settings: Settings, owner: psycopg2.extensions.connection) -> None:
    with pytest.raises(DataError, match="permission denied"), Warehouse(settings, "ml").transaction() as connection:
        connection.cursor().execute("insert into raw.lead_times values ('p', 1, null, 1)")
