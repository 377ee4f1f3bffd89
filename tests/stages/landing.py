"""What the loader's tests share: a tiny shop as files, and what of it landed."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg2

from ml.params import Counts
from ml.sources.contract import TABLES

AS_OF = date(2017, 12, 3)
PRODUCTS = ["p1", "p2", "p3"]
ITEMS = "order_id,line_number,product_id,quantity,unit_price_cents,discount_cents"
Row = tuple[object, ...]
Load = Callable[..., Counts]


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


def fetch(owner: psycopg2.extensions.connection, statement: str) -> list[Row]:
    with owner.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def landed(owner: psycopg2.extensions.connection, table: str = "order_items") -> list[Row]:
    names = ", ".join(TABLES[table].columns)
    return fetch(owner, f"select {names} from raw.{table} order by {', '.join(TABLES[table].key)}")
