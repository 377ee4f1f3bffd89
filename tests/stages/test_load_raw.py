"""What the loader lands in a real Postgres: every record once, whoever brings it again and beside whom."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import psycopg2
import pytest

import ml.stages.load_raw
from ml.errors import NothingToDo
from ml.params import Context, Counts, RunParams
from ml.settings import Settings
from ml.stages.load_raw import run
from tests.stages.landing import AS_OF, Load, Row, fetch, landed, write, write_shop

pytestmark = pytest.mark.usefixtures("empty")


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


def simulated(settings: Settings) -> Settings:
    small = {"simulated_customers": 30, "simulated_products": 20, "simulated_days": 20}
    return settings.model_copy(update={"source": settings.source.model_copy(update=small)})


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
