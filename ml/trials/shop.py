"""Read a folder for a trial: each record checked as the loader checks it, and what is refused counted by reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import polars.selectors as cs

from ml.association.content import LEVELS
from ml.errors import DataError, NothingToDo
from ml.sources.contract import RawTable
from ml.sources.folder import Folder
from ml.sources.parsing import OFFSET_NEEDED, UTC
from ml.sources.validation import RECORD, sort_records
from ml.trials.tables import TRIAL_TABLES

LAST_DAY = date(2000, 1, 1)
"""Day of each customer's last basket where a folder gives no times."""
MAX_BASKET_PRODUCTS = 500
"""As in the features: a larger basket is giant and says nothing about pairs."""


@dataclass(frozen=True)
class Files:
    """The tables of a folder, typed.

    Attributes
    ----------
    tables
        By name, with the columns of the contract; tables without a file are missing.
    refused
        By table, how many records were set aside for which reason.
    zone
        In which the shop's days begin and end.
    """

    tables: Mapping[str, pl.DataFrame]
    refused: dict[str, dict[str, int]] = field(default_factory=dict)
    zone: str = UTC

    @property
    def is_timed(self) -> bool:
        """Return whether the orders say when they were made."""
        return self.has("orders") and self.tables["orders"]["ordered_at"].null_count() == 0

    def day_of(self, instant: str) -> pl.Expr:
        """Return the shop's day of a column of instants."""
        return pl.col(instant).dt.convert_time_zone(self.zone).dt.date()

    def has(self, *names: str) -> bool:
        """Return whether all these tables are there, with a good record each."""
        return all(name in self.tables and not self.tables[name].is_empty() for name in names)

    def need(self, task: str, *names: str) -> None:
        """Refuse a folder that lacks a table.

        Raises
        ------
        DataError
            When one is missing or has no good record; the message names the task and the table.
        """
        for name in names:
            if not self.has(name):
                there = ", ".join(self.tables) or "none"
                raise DataError(f"{task}: needs table {name} with at least one good record; the folder has: {there}")


def read_files(path: Path, limit_share: float, zone: str = UTC) -> Files:
    """Return the folder's tables.

    Parameters
    ----------
    limit_share
        A table of which more than this share is set aside is refused whole, as by the loader.
    zone
        Of instants without an offset, and of the shop's days; ``required``: instants without one are set aside, and
        days are those of UTC.

    Raises
    ------
    ConfigError
        When there is no such folder.
    DataError
        When no file is named after a table, a file cannot be read, or too much of a table is bad.
    """
    parts: dict[str, list[pl.DataFrame]] = {}
    reasons: dict[str, Counter[str]] = {}
    records: Counter[str] = Counter()
    try:
        for delivery in Folder(path, TRIAL_TABLES).deliveries(date.max, {}):
            outcome = sort_records(TRIAL_TABLES[delivery.table], delivery.records, zone)
            parts.setdefault(delivery.table, []).append(outcome.accepted)
            counted = reasons.setdefault(delivery.table, Counter())
            counted.update(outcome.quarantined["reason"].to_list())
            records[delivery.table] += delivery.records.height
            if delivery.refused is not None:
                counted.update(delivery.refused["reason"].to_list())
                records[delivery.table] += delivery.refused.height
    except NothingToDo as error:
        raise DataError(str(error)) from error
    tables: dict[str, pl.DataFrame] = {}
    for name, frames in parts.items():
        rule = TRIAL_TABLES[name]
        # Facts keep what came first, entities what came last, over all files of the table.
        whole = pl.concat(frames).unique(
            list(rule.key), keep="last" if rule.is_entity else "first", maintain_order=True
        )
        whole = _timed(whole, reasons[name]) if name == "orders" else whole
        tables[name] = _without_orphans(rule, whole, tables, reasons[name]).drop(RECORD)
        bad = reasons[name].total()
        if bad > limit_share * records[name]:
            listed = ", ".join(f"{reason} {count}" for reason, count in reasons[name].most_common())
            raise DataError(f"{name}: {bad} of {records[name]} records are bad ({listed})")
    refused = {name: dict(counted) for name, counted in reasons.items() if counted}
    return Files(tables, refused, UTC if zone == OFFSET_NEEDED else zone)


def _timed(orders: pl.DataFrame, reasons: Counter[str]) -> pl.DataFrame:
    """Return the orders that have a time, where any has: without it nobody knows what came before what."""
    timed = orders.filter(pl.col("ordered_at").is_not_null())
    if timed.is_empty() or timed.height == orders.height:
        return orders
    reasons["missing_ordered_at"] += orders.height - timed.height
    return timed


def _without_orphans(
    rule: RawTable, rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame], reasons: Counter[str]
) -> pl.DataFrame:
    for column, parent in (rule.parents or {}).items():
        if parent not in tables:
            raise DataError(f"{rule.name}: needs table {parent}, which the folder does not have")
        kept = rows.join(tables[parent].select(column), on=column, how="semi", maintain_order="left")
        if kept.height < rows.height:
            reasons[f"orphan_{column.removesuffix('_id')}"] += rows.height - kept.height
        rows = kept
    return rows


def products_of(files: Files) -> pl.DataFrame:
    """Return the catalogue in the form of ``features.ftr_products``, ordered by product; inactive ones included."""
    level = pl.col("category_path").str.split(LEVELS)
    return (
        files.tables["products"]
        .sort("product_id")
        .select(
            "product_id",
            "title",
            "brand",
            "category_path",
            "launched_on",
            cs.ends_with("_vector"),
            department=level.list.get(0, null_on_oob=True),
            category=level.list.get(1, null_on_oob=True),
            is_bundleable=pl.lit(True),
        )
    )


def baskets_of(files: Files) -> pl.DataFrame:
    """Return what was bought in the form of ``features.ftr_baskets``: a customer's day, or an order of nobody known.

    Cancelled orders are left out, and what was given back the same day; a return on a later day takes nothing back, as
    nobody knew of it when the basket was filled. Without any ``ordered_at`` the orders of a customer follow each other
    in the order of the file, a day each, and every customer's last one falls on ``LAST_DAY``; orders of nobody known
    are dated the day before it.

    Raises
    ------
    DataError
        When no completed order is left.
    """
    orders = files.tables["orders"].filter(pl.col("status") == "completed")
    timed = orders.with_columns(basket_on=files.day_of("ordered_at"))
    orders = timed if files.is_timed else _dated_by_place(orders)
    units, price, discount = (
        pl.col(name).fill_null(default)
        for name, default in (("quantity", 1), ("unit_price_cents", 0), ("discount_cents", 0))
    )
    lines = (
        files.tables["order_items"]
        .join(orders, on="order_id")
        .group_by(
            "customer_id",
            "basket_on",
            "product_id",
            basket_id=pl.when(pl.col("customer_id").is_null())
            .then("o:" + pl.col("order_id"))
            .otherwise("c:" + pl.col("customer_id") + ":" + pl.col("basket_on").cast(pl.String)),
        )
        .agg(quantities=units.sum(), paid_cents=(units * price - discount).sum().clip(0))
        .filter(pl.col("quantities") > 0)
    )
    baskets = (
        lines.sort("customer_id", "basket_on", "basket_id", "product_id")
        .group_by("basket_id", "customer_id", "basket_on", maintain_order=True)
        .agg(product_ids="product_id", quantities="quantities", paid_cents="paid_cents")
        .with_columns(is_giant=pl.col("product_ids").list.len() > MAX_BASKET_PRODUCTS)
    )
    if baskets.is_empty():
        raise DataError("orders: no completed order holds a product that was kept")
    return baskets


def _dated_by_place(orders: pl.DataFrame) -> pl.DataFrame:
    newer = pl.int_range(pl.len(), 0, -1).over("customer_id") - 1
    steps = pl.when(pl.col("customer_id").is_null()).then(1).otherwise(newer)
    return orders.with_columns(basket_on=pl.lit(LAST_DAY) - steps * pl.lit(timedelta(days=1)))
