"""Nights of a shop whose export repeats itself and comes late: what is sold a day is the same to the cent."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import polars as pl
import psycopg2
import pytest

from ml.params import Context, RunParams
from ml.settings import Settings, SourceSettings
from ml.stages.load_raw import run
from tests.stages.landing import fetch

FIRST, NIGHTS, ORDERS = date(2017, 11, 1), 24, 2400
LATE_LIMIT = 7
DAILY = """
    select o.ordered_at::date, count(distinct o.order_id), sum(i.quantity), sum(i.quantity * i.unit_price_cents)
    from raw.orders as o inner join raw.order_items as i on o.order_id = i.order_id group by 1 order by 1
"""


def shop() -> pl.DataFrame:
    """Return orders of one line, with the night that delivers them and the night that delivers them again.

    Of a hundred one is sent twice and five come an hour to six days late; of a thousand one comes after eight days.
    """
    draw, rows = Random(5), []
    for number in range(ORDERS):
        day = number * 14 // ORDERS
        at = datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), UTC) + timedelta(
            seconds=draw.randrange(86_400)
        )
        is_too_late, is_late = number % 1000 == 500, number % 20 == 7
        night = day + (8 + draw.randrange(2) if is_too_late else 0)
        if is_late:
            night = (at + timedelta(hours=draw.randint(1, 6 * 24)) - datetime.combine(FIRST, at.min.time(), UTC)).days
        again = night + draw.randrange(3) if number % 100 == 3 else None
        rows.append((f"o{number}", f"c{number % 97}", at, draw.randint(1, 5), draw.randint(1, 99_999), night, again))
    columns = ["order_id", "customer_id", "ordered_at", "quantity", "unit_price_cents", "night", "again"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(too_late=pl.int_range(pl.len()) % 1000 == 500)


def deliver(settings: Settings, folder: Path, night: int, orders: pl.DataFrame) -> None:
    """Load what a night exports, under the names of the night, in no order."""
    for old in folder.rglob("*.csv"):
        old.unlink()
    mixed = orders.sample(fraction=1.0, shuffle=True, seed=night)
    tables = {
        "products": pl.DataFrame({"product_id": ["tea"]}),
        "orders": mixed.select("order_id", "customer_id", "ordered_at"),
        "order_items": mixed.select(
            "order_id", "quantity", "unit_price_cents", line_number=pl.lit(1), product_id=pl.lit("tea")
        ),
    }
    for name, table in tables.items():
        (folder / name).mkdir(exist_ok=True)
        if not table.is_empty():
            table.write_csv(folder / name / f"{night}.csv", datetime_format="%Y-%m-%dT%H:%M:%SZ")
    source = SourceSettings(folder=folder, late_limit_days=LATE_LIMIT, quarantine_limit_share=0.5)
    context = Context(FIRST + timedelta(days=night), "test", RunParams(source="folder"))
    run(settings.model_copy(update={"source": source}), context)


@pytest.mark.usefixtures("empty")
def test_duplicates_and_late_records_change_no_sum_and_what_is_too_late_is_set_aside(
    settings: Settings, owner: psycopg2.extensions.connection, tmp_path: Path
) -> None:
    orders = shop()
    assert (orders["too_late"].sum(), orders["again"].count()) == (2, 24) and orders["night"].max() < NIGHTS  # type: ignore[operator]
    for night in range(NIGHTS):
        exported = (orders.filter(pl.col(name) == night) for name in ("night", "again"))
        deliver(settings, tmp_path, night, pl.concat(exported))
    sold = fetch(owner, DAILY)
    set_aside = fetch(owner, "select table_name, reason, count(*) from ops.quarantine group by 1, 2 order by 1")
    assert set_aside == [("order_items", "orphan_order", 2), ("orders", "too_late", 2)]
    repeated = fetch(owner, "select sum(rows_duplicate) from ops.load_manifest where table_name = 'orders'")
    assert repeated == [(24,)]

    reference = orders.filter(~pl.col("too_late")).group_by(pl.col("ordered_at").dt.date()).agg(
        pl.len(), pl.col("quantity").sum(), cents=(pl.col("quantity") * pl.col("unit_price_cents")).sum()
    )  # fmt: skip
    assert [tuple(map(int, row[1:])) for row in sold] == [row[1:] for row in reference.sort("ordered_at").rows()]  # type: ignore[call-overload]
    assert [row[0] for row in sold] == reference["ordered_at"].sort().to_list()
