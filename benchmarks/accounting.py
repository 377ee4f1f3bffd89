"""Where every line of the two real data sets went: sold, returned, cancelled, a duplicate, or set aside and why.

Online Retail II and Complete Journey are loaded whole, each by its own source and as they are, into an embedded
Postgres. The lines of a data set are counted by the footer of its Parquet file, without our readers. What is left over
is the row ``unaccounted``; the benchmark fails when it is not 0, or when a table's rows in schema raw are not those its
manifest counts. What the lines of the file come to, by an expression of its own, less what landed and what was set
aside, is ``cents_apart``.

Run as ``python -m benchmarks.accounting [--quick] --json FILE``; ``--quick`` takes Online Retail II alone.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import psycopg2
import pyarrow.parquet

from benchmarks.own_folders import DATA, RETAIL, has_retail
from benchmarks.report import Row, arguments, write_report
from local.postgres import Server
from local.temporary import temporary_server
from ml.params import Context, RunParams
from ml.settings import Role, Settings, WarehouseSettings
from ml.sources.complete_journey import LAST_DAY, CompleteJourney
from ml.sources.contract import TABLES
from ml.stages import load_raw

LANDED = """
select
    case
        when orders.status = 'cancelled' then 'cancelled'
        when lines.quantity < 0 then 'returned'
        when lines.unit_price_cents = 0 then 'free'
        else 'sold'
    end as what,
    count(*) as records
from raw.order_items as lines
left join raw.orders as orders on lines.order_id = orders.order_id
group by 1 order by 1
"""
ASIDE = """
select 'set_aside:' || reason, count(*) from ops.quarantine where table_name = 'order_items' group by 1 order by 2 desc
"""
TABLE = """
select
    coalesce(sum(rows_in), 0), coalesce(sum(rows_accepted), 0), coalesce(sum(rows_duplicate), 0),
    coalesce(sum(rows_quarantined), 0)
from ops.load_manifest where status = 'accepted' and table_name = %s
"""


AMOUNT = "sign({0}) * (abs({0}) * {1} - {2})"
CENTS = f"""
select
    (select sum({AMOUNT.format("quantity", "unit_price_cents", "discount_cents")}) from raw.order_items),
    (
        select coalesce(sum({AMOUNT.format("l.quantity", "l.unit_price_cents", "coalesce(l.discount_cents, 0)")}), 0)
        from ops.quarantine as q
        cross join jsonb_to_record(q.raw_record::jsonb)
            as l (quantity bigint, unit_price_cents bigint, discount_cents bigint)
        where q.table_name = 'order_items'
    )
"""  # noqa: S608 - own names


@dataclass(frozen=True)
class Set:
    """A data set, the file whose rows are its lines, what a line comes to in cents, and the last day in it."""

    name: str
    lines: Path
    cents: pl.Expr
    last: date

    @property
    def records(self) -> int:
        """Return how many lines the file has, by its own footer."""
        return int(pyarrow.parquet.ParquetFile(self.lines).metadata.num_rows)

    @property
    def amount(self) -> int:
        """Return what its lines come to in cents; what was returned counts below zero."""
        return int(pl.scan_parquet(self.lines).select(self.cents.round().cast(pl.Int64).sum()).collect().item())


def main() -> int:
    """Load, count and report; 1 when a line is not accounted for."""
    options = arguments(__doc__)
    sets = list(_sets(options.quick))
    rows = [row for data in sets for row in account(data)]
    write_report("accounting", ", ".join(data.name for data in sets) or "none", rows, options.json)
    return int(any(row.value for row in rows if row.name.endswith("unaccounted")))


def account(data: Set) -> list[Row]:
    """Load a data set into a fresh database and return where its lines went."""
    with tempfile.TemporaryDirectory() as folder, temporary_server(Path(folder)) as server:
        load_raw.run(_settings(server, data), Context(data.last, "benchmark", RunParams(source=data.name)))
        secret = server.passwords["BUNDLES_WAREHOUSE__OWNER_PASSWORD"]
        where = {"host": "127.0.0.1", "port": server.port, "dbname": "shop"}
        connection = psycopg2.connect(user="bundles_owner", password=secret, **where)
        with closing(connection), connection.cursor() as cursor:
            return list(_counted(cursor, data))


def _counted(cursor: psycopg2.extensions.cursor, data: Set) -> Iterator[Row]:
    cursor.execute(LANDED)
    went = cursor.fetchall()
    cursor.execute(TABLE, ("order_items",))
    ((_, _, duplicates, _),) = cursor.fetchall()
    cursor.execute(ASIDE)
    went += [("duplicate", duplicates), *cursor.fetchall()]
    path = f"accounting/{data.name}"
    yield Row(f"{path}/lines", data.records, "lines")
    for what, records in went:
        yield Row(f"{path}/{what}", int(records), "lines", ratio=int(records) / data.records)
    yield Row(f"{path}/unaccounted", data.records - sum(int(records) for _, records in went), "lines")
    cursor.execute(CENTS)
    ((landed_cents, aside_cents),) = cursor.fetchall()
    yield Row(f"{path}/cents", data.amount, "cents")
    yield Row(f"{path}/cents_landed", int(landed_cents), "cents")
    yield Row(f"{path}/cents_set_aside", int(aside_cents), "cents")
    yield Row(f"{path}/cents_apart", data.amount - int(landed_cents) - int(aside_cents), "cents")
    for table, rule in TABLES.items():
        cursor.execute(TABLE, (table,))
        ((came, accepted, _, aside),) = cursor.fetchall()
        if came:
            cursor.execute(f"select count(*) from raw.{table}")  # noqa: S608 - own names
            ((landed,),) = cursor.fetchall()
            yield Row(f"{path}/{table}/records", int(came), "records")
            yield Row(f"{path}/{table}/set_aside", int(aside), "records")
            if not rule.is_entity:
                yield Row(f"{path}/{table}/unaccounted", int(accepted) - landed, "records")


def _sets(is_quick: bool) -> Iterator[Set]:
    if has_retail():
        path = DATA / RETAIL
        last = pl.scan_parquet(path).select(pl.col("InvoiceDate").str.head(10).max()).collect().item()
        # 1.1 * 100 is a little more than 110.
        cents = (pl.col("Price") * 100).round(4) * pl.col("Quantity").abs()
        yield Set("online_retail", path, cents.round() * pl.col("Quantity").sign(), date.fromisoformat(last))
    if not is_quick:
        lines = CompleteJourney().folder / "transactions.parquet"
        cents = (pl.col("sales_value") - pl.col("coupon_disc")) * 100
        yield Set("complete_journey", lines, cents.clip(lower_bound=0), LAST_DAY)


def _settings(server: Server, data: Set) -> Settings:
    roles: tuple[Role, ...] = ("loader",)
    passwords = {f"{role}_password": server.passwords[f"BUNDLES_WAREHOUSE__{role.upper()}_PASSWORD"] for role in roles}
    settings = Settings(warehouse=WarehouseSettings(port=server.port, database="shop", **passwords))  # type: ignore[arg-type]
    source = settings.source.model_copy(update={"online_retail": data.lines})
    return settings.model_copy(update={"source": source})


if __name__ == "__main__":
    sys.exit(main())
