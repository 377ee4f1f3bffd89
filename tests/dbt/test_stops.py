"""Bad or stale data stop the build, and what stops it has a name."""

import logging
from datetime import timedelta

import psycopg2.extensions
import pytest

from ml.errors import DataError, TemporaryError
from ml.params import Context, RunParams
from ml.settings import FreshnessSettings, Settings, WarehouseSettings
from ml.stages import build_features, check_freshness
from ml.transform import build
from tests.dbt.conftest import AS_OF, Plant

pytestmark = pytest.mark.slow


def context(days_later: int) -> Context:
    return Context(AS_OF + timedelta(days=days_later), "test", RunParams())


def test_a_shop_without_any_order_is_stale(shop: Settings) -> None:
    with pytest.raises(DataError, match=r"raw\.orders \(no row at all\)"):
        check_freshness.run(shop, context(0))


def test_freshness_is_measured_back_from_the_as_of_date(shop: Settings, plant: Plant) -> None:
    plant("products", [{"product_id": "milk", "title": "Milk", "price_cents": 100}])
    plant("orders", [{"order_id": "o1", "customer_id": "ann", "ordered_at": f"{AS_OF} 00:00:00+00"}])
    assert check_freshness.run(shop, context(0)) == {"raw.orders_age_days": 1.0, "missing_days": 0}
    with pytest.raises(DataError, match=r"newest row 5\.0 days old"):
        check_freshness.run(shop, context(4))
    with pytest.raises(DataError, match="no row at all"):
        check_freshness.run(shop, context(-1))
    patient = shop.model_copy(update={"freshness": FreshnessSettings(max_age_days=9)})
    assert check_freshness.run(patient, context(4)) == {"raw.orders_age_days": 5.0, "missing_days": 0}


def test_days_that_lack_are_noted_once_and_the_second_stops_the_day(
    shop: Settings, plant: Plant, owner: psycopg2.extensions.connection
) -> None:
    """A shop that is shut on Sundays; a Wednesday four weeks ago was not delivered, nor was this week's Tuesday."""
    last = AS_OF + timedelta(days=200)
    first, second = last - timedelta(days=29), last - timedelta(days=2)
    assert (f"{first:%a}", f"{second:%a}") == ("Wed", "Tue")
    days = [last - timedelta(days=back) for back in range(100)]
    sold = [day for day in days if day not in (first, second) and day.isoweekday() != 7]
    plant("orders", [{"order_id": f"{day}-{n}", "ordered_at": f"{day} 12:00:00+00"} for day in sold for n in range(10)])
    assert check_freshness.run(shop, context(200)) == {"raw.orders_age_days": 0.5, "missing_days": 1}
    with pytest.raises(
        DataError, match=f"nothing of {first}, {second}, on which the shop usually sells; 1 of the last"
    ):
        check_freshness.run(shop, context(199))
    for borne in (FreshnessSettings(max_missing_days=2), FreshnessSettings(closed_days=(first,))):
        told = check_freshness.run(shop.model_copy(update={"freshness": borne}), context(199))
        assert told["missing_days"] == borne.max_missing_days
    with pytest.raises(DataError, match=f"nothing of {second}, {last + timedelta(days=1)}, on which"):
        check_freshness.run(shop, context(202))
    with owner.cursor() as cursor:
        cursor.execute("select kind, subject, as_of, detail from ops.incidents order by incident_id")
        assert cursor.fetchall() == [
            ("day_missing", "raw.orders", day, f"no order on {day:%A, %Y-%m-%d}; usually there are 10")
            for day in (second, first, last + timedelta(days=1))
        ]


def test_a_table_that_changed_is_told_before_anything_is_built(
    shop: Settings, owner: psycopg2.extensions.connection
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("alter table raw.orders add column gift boolean")
        try:
            with pytest.raises(DataError, match=r"schema_drift.*gift"):
                check_freshness.run(shop, context(200))
        finally:
            cursor.execute("alter table raw.orders drop column gift")


def test_an_old_table_that_not_every_shop_has_is_warned_about_and_an_empty_one_is_not(
    shop: Settings, plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    plant("stock_levels", [{"product_id": "milk", "counted_at": f"{AS_OF} 00:00:00+00", "on_hand_units": 9}])
    known = {"product_id": "milk", "kind": "display"}
    days = {"old": AS_OF - timedelta(days=39), "tomorrow's": AS_OF + timedelta(days=1)}
    plant("promotions", [{"promotion_id": n, "starts_on": day, "ends_on": day, **known} for n, day in days.items()])
    with caplog.at_level(logging.WARNING, "ml.transform"):
        ages = check_freshness.run(shop, context(0))
    assert ages == {
        "raw.orders_age_days": 1.0,
        "raw.stock_levels_age_days": 1.0,
        "raw.promotions_age_days": 40.0,
        "missing_days": 0,
    }
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == [f"raw.promotions: the newest row is 40.0 days old at the end of {AS_OF}"]


def test_a_second_call_parses_nothing_anew_and_leaves_no_folder_behind(
    shop: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    before = set(shop.dbt.target_dir.iterdir())
    check_freshness.run(shop, context(0))
    with caplog.at_level(logging.INFO, "ml.transform"):
        check_freshness.run(shop, context(0))
    assert "Found" in caplog.text and "Unable to do partial parsing" not in caplog.text
    left = set(shop.dbt.target_dir.iterdir()) - before
    assert {path.name for path in left if path.is_dir()} <= {"audit"}


def test_a_stale_source_stops_the_build_before_it_begins(shop: Settings, owner: psycopg2.extensions.connection) -> None:
    with pytest.raises(DataError, match="stale at the end of"):
        build_features.run(shop, context(30))
    with owner.cursor() as cursor:
        cursor.execute("select to_regclass('features.ftr_builds')")
        assert cursor.fetchall() == [(None,)]


def test_a_failed_test_is_named_and_stops_what_follows(
    shop: Settings, plant: Plant, owner: psycopg2.extensions.connection
) -> None:
    line = {"line_number": 1, "quantity": 1, "unit_price_cents": 100}
    plant("order_items", [{"order_id": "o1", "product_id": "milk", **line}])
    build(shop, AS_OF)
    plant("order_items", [{"order_id": "nowhere", "product_id": "milk", **line}])
    with pytest.raises(DataError, match=r"1 failed: relationships_stg_raw__order_items_order_id.*Got 1 result"):
        build(shop, AS_OF + timedelta(days=1))
    with owner.cursor() as cursor:
        cursor.execute("select as_of from features.ftr_builds")
        assert cursor.fetchall() == [(AS_OF,)], "the day before stays, the stopped day is not complete"


def test_an_unreachable_server_is_worth_another_try(shop: Settings) -> None:
    nowhere = WarehouseSettings(port=1, transformer_password=shop.warehouse.transformer_password)
    with pytest.raises(TemporaryError, match="cannot work in Postgres now"):
        build(shop.model_copy(update={"warehouse": nowhere}), AS_OF)
