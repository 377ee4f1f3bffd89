"""A late order restates the windows it falls into, exactly, and nothing else."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg2.extensions
import pytest

from ml.params import Context, RunParams
from ml.settings import Settings, SourceSettings
from ml.stages import load_raw
from ml.transform import build
from tests.dbt.conftest import AS_OF, tiny_world
from tests.dbt.reference import Reference

pytestmark = pytest.mark.slow
LATE = AS_OF - timedelta(days=10)
ORDER = {"order_id": "late", "customer_id": "c1", "ordered_at": f"{LATE} 12:00:00+00", "status": "completed"}
PRODUCT = "p03"
LINE = {"order_id": "late", "line_number": 1, "product_id": PRODUCT, "quantity": 2, "unit_price_cents": 70}
Connection = psycopg2.extensions.connection
World = dict[str, list[dict[str, Any]]]


def world() -> World:
    """Return a shop whose discounts are of what a line costs, as the contract wants it."""
    tables = tiny_world(seed=7)
    for line in tables["order_items"]:
        line["discount_cents"] = min(line["discount_cents"], abs(line["quantity"]) * line["unit_price_cents"])
    return tables


def deliver(shop: Settings, folder: Path, tables: World) -> None:
    """Load the tables from files of a new name, like the export of another night."""
    for old in folder.rglob("*.parquet"):
        old.unlink()
    for table, records in tables.items():
        pl.DataFrame(records, infer_schema_length=None).write_parquet(folder / f"{table}.parquet")
    wanted = shop.model_copy(update={"source": SourceSettings(folder=folder)})
    counts = load_raw.run(wanted, Context(AS_OF, "test", RunParams(source="folder")))
    assert counts["rows_quarantined"] == 0


@pytest.fixture(scope="module")
def before(
    shop: Settings, owner: Connection, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[tuple[Any, ...]]]:
    """What a day knew before the late order came; it is built anew after it."""
    folder = tmp_path_factory.mktemp("shop")
    deliver(shop, folder, world())
    build(shop, AS_OF)
    known = {"baskets": baskets(owner), "sold": sold(owner)}
    deliver(shop, folder, {"orders": [ORDER], "order_items": [LINE]})
    build(shop, AS_OF)
    return known


def rows(owner: Connection, query: str) -> set[tuple[Any, ...]]:
    with owner.cursor() as cursor:
        cursor.execute(query)
        return {tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in cursor.fetchall()}


def baskets(owner: Connection) -> set[tuple[Any, ...]]:
    columns = "basket_id, customer_id, basket_on, basket_number, product_ids, quantities, paid_cents, basket_products"
    return rows(owner, f"select {columns} from features.ftr_baskets")


def sold(owner: Connection) -> set[tuple[Any, ...]]:
    columns = "product_id, sold_on, units, revenue_cents::int, discount_cents::int, is_promoted"
    return rows(owner, f"select {columns} from features.ftr_product_days")


def test_the_day_is_restated_as_if_the_order_had_come_in_time(
    before: dict[str, set[tuple[Any, ...]]], owner: Connection
) -> None:
    whole = world()
    whole["orders"].append(ORDER)
    whole["order_items"].append(LINE | {"discount_cents": 0})
    reference = Reference(whole, AS_OF, min_product_baskets=3, min_pair_baskets=2)
    assert baskets(owner) == reference.ftr_baskets() != before["baskets"]
    assert sold(owner) == reference.ftr_product_days() != before["sold"]


def test_nothing_of_others_or_of_days_before_it_changes(
    before: dict[str, set[tuple[Any, ...]]], owner: Connection
) -> None:
    """Of a whole day before the order ``test_features`` shows the same: rows dated later change no feature."""
    changed = baskets(owner) ^ before["baskets"]
    assert {customer for _, customer, *_ in changed} == {"c1"}
    assert min(on for _, _, on, *_ in changed) >= LATE
    assert {(product, on) for product, on, *_ in sold(owner) ^ before["sold"]} == {(PRODUCT, LATE)}
