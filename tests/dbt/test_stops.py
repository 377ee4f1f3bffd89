"""Bad or stale data stop the build, and what stops it has a name."""

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
    assert check_freshness.run(shop, context(0)) == {"raw.orders_age_days": 1.0}
    with pytest.raises(DataError, match=r"newest row 5\.0 days old"):
        check_freshness.run(shop, context(4))
    with pytest.raises(DataError, match="no row at all"):
        check_freshness.run(shop, context(-1))
    patient = shop.model_copy(update={"freshness": FreshnessSettings(max_age_days=9)})
    assert check_freshness.run(patient, context(4)) == {"raw.orders_age_days": 5.0}


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
    with pytest.raises(TemporaryError, match="cannot reach Postgres"):
        build(shop.model_copy(update={"warehouse": nowhere}), AS_OF)
