"""A tiny shop for the dbt project: rows planted as the owner, built through the door to dbt."""

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest
from psycopg2.extras import execute_values

from ml.settings import DbtSettings, Settings

AS_OF = date(2024, 3, 31)
FIRST_DAY = AS_OF - timedelta(days=70)
Plant = Callable[[str, list[dict[str, Any]]], None]


@pytest.fixture(scope="session")
def dbt_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of artifacts for all modules, so that the project is parsed once."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture(scope="module")
def shop(settings: Settings, dbt_target: Path) -> Iterator[Settings]:
    """Settings for dbt on the module's database, with thresholds that a tiny shop can reach."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BUNDLES_MIN_PAIR_BASKETS", "2")
        yield settings.model_copy(update={"dbt": DbtSettings(target_dir=dbt_target), "min_product_baskets": 3})


@pytest.fixture(scope="module")
def plant(owner: psycopg2.extensions.connection) -> Plant:
    """Insert rows into a raw table, as one delivery."""

    def rows(table: str, records: list[dict[str, Any]]) -> None:
        if records:
            with owner.cursor() as cursor:
                cursor.execute(
                    "insert into ops.load_manifest"
                    " (source, table_name, file_name, file_sha256, status, rows_in, rows_accepted)"
                    " values ('test', %s, 'planted', gen_random_uuid(), 'accepted', %s, %s) returning load_id",
                    (table, len(records), len(records)),
                )
                ((load_id,),) = cursor.fetchall()
                columns = [*records[0], "load_id"]
                values = [(*record.values(), load_id) for record in records]
                execute_values(cursor, f"insert into raw.{table} ({', '.join(columns)}) values %s", values)

    return rows


def tiny_world(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return raw rows with everything that is hard: returns, cancelled and unknown orders, exclusions, no price."""
    draw = random.Random(seed)
    products = [
        {
            "product_id": f"p{n:02d}" if n % 2 else f"P{n:02d}",
            "title": f"Product {n}",
            "category_path": "FUEL" if n == 0 else f"FOOD > AISLE {n % 4}",
            "price_cents": None if n % 3 else 100 + n,
            "cost_cents": 50 if n % 5 == 0 else None,
            "launched_on": None if n % 7 else FIRST_DAY,
            "is_active": n != 1,
            "image_vector": [n / 4, 1.0] if n % 2 else None,
            "text_vector": None,
            "audio_vector": [0.5 * n] if n % 3 else None,
        }
        for n in range(18)
    ]
    customers = [
        {"customer_id": f"c{n}", "age_band": "25-34", "signed_up_on": FIRST_DAY if n % 2 else None} for n in range(12)
    ]
    orders, items = [], []
    for n in range(260):
        customer = draw.choice([*(c["customer_id"] for c in customers), "unlisted", None])
        day = FIRST_DAY + timedelta(days=draw.randrange(71))
        status = "cancelled" if draw.random() < 0.05 else "completed"
        at = f"{day} {draw.randrange(24):02d}:{draw.randrange(60):02d}:00+00"
        orders.append({"order_id": f"o{n}", "customer_id": customer, "ordered_at": at, "status": status})
        for line in range(draw.randint(1, 6)):
            quantity = draw.choice([1, 1, 1, 2, 3, -1, -2])
            price = draw.randrange(0, 400, 7)
            items.append(
                {
                    "order_id": f"o{n}",
                    "line_number": line + 1,
                    "product_id": draw.choice(products)["product_id"],
                    "quantity": quantity,
                    "unit_price_cents": price,
                    "discount_cents": draw.choice([0, 0, 30]),
                }
            )
    promotions = [
        {
            "promotion_id": f"promo{n}",
            "product_id": draw.choice(products)["product_id"],
            "kind": "display",
            "starts_on": (start := FIRST_DAY + timedelta(days=draw.randrange(68))),
            "ends_on": start + timedelta(days=draw.randrange(9)),
        }
        for n in range(14)
    ]
    reviews = [
        {
            "review_id": f"r{n}",
            "product_id": draw.choice(products)["product_id"],
            "rating": draw.randint(1, 5),
            "reviewed_at": f"{FIRST_DAY + timedelta(days=draw.randrange(71))} 12:00:00+00",
            "customer_id": draw.choice([*(c["customer_id"] for c in customers), None]),
        }
        for n in range(120)
    ]
    return {
        "products": products,
        "customers": customers,
        "orders": orders,
        "order_items": items,
        "promotions": promotions,
        "reviews": reviews,
    }


def fingerprint(connection: psycopg2.extensions.connection, as_of: date) -> dict[str, tuple[int, str]]:
    """Return the number of rows of each feature table for a day, and a hash of their content."""
    tables = ["baskets", "customer_products", "product_pairs", "products", "customers", "product_days"]
    found = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(
                f"select count(*), md5(string_agg(t::text, '|' order by t::text)) from features.ftr_{table} as t"
                " where as_of = %s",
                (as_of,),
            )
            ((rows, digest),) = cursor.fetchall()
            found[table] = (rows, digest)
    return found
