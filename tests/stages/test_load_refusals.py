"""What the loader keeps out of a real Postgres: bad records go to the quarantine, bad files leave only a reason."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import ml.stages.load_raw
from ml.errors import DataError
from ml.settings import Settings
from ml.warehouse import Warehouse
from tests.stages.landing import ITEMS, PRODUCTS, Load, fetch, landed, write, write_shop

pytestmark = pytest.mark.usefixtures("empty")


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


def test_an_order_that_landed_stays_a_duplicate_when_its_customer_lands_in_another_spelling(
    load: Load, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    """A shop that sends all its orders each night would else be refused from that day on."""
    heading, first = "order_id,customer_id,ordered_at", ("o1", "cafe\u0301", "2017-11-01T10:00:00Z")
    write(tmp_path, "orders.csv", heading, [first])
    load(tmp_path)
    write(tmp_path, "customers.csv", "customer_id", [("caf\u00e9",)])
    write(tmp_path, "orders.csv", heading, [first, ("o2", "cafe\u0301", "2017-11-02T10:00:00Z")])
    counts = load(tmp_path)
    assert (counts["rows_accepted"], counts["rows_duplicate"], counts["rows_quarantined"]) == (1, 1, 1)
    assert fetch(owner, "select table_name, record_number, reason from ops.quarantine") == [
        ("orders", 2, "ambiguous_id")
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
        load(tmp_path, limit_share=0.049)
    assert load(tmp_path, limit_share=0.05)["rows_quarantined"] == 1


def test_only_the_loader_writes_raw(settings: Settings, owner: psycopg2.extensions.connection) -> None:
    with pytest.raises(DataError, match="permission denied"), Warehouse(settings, "ml").transaction() as connection:
        connection.cursor().execute("insert into raw.lead_times values ('p', 1, null, 1)")
