"""Give the numbers of simulated days their keys and words: records of the raw contract."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from ml.sources.simulated_shop.browsing import REACTIONS, STEPS
from ml.sources.simulated_shop.happenings import STORES, Numbers
from ml.sources.simulated_shop.names import need_name
from ml.sources.simulated_shop.truth import Truth

WORDS = ("would not buy again", "not for me", "it is all right", "good, will buy again", "the best of its kind")
AT = (pl.col("second") * 10).floor().cast(pl.Int64) * 100_000
"""A tenth of a second is fine enough, and rounding down keeps a purchase on its own day."""


def bundle_ids(count: int) -> list[str]:
    """Return the keys of the shop's own bundles."""
    return [f"G{bundle:04d}" for bundle in range(count)]


def write_records(truth: Truth, bundles: int, days: dict[str, list[Numbers]], since: date, through: date) -> dict[str, pl.DataFrame]:  # fmt: skip  # noqa: E501
    """Return by table the records dated after ``since`` and not after ``through``.

    Parameters
    ----------
    bundles
        How many bundles the shop sells itself.
    days
        By table the numbers of each day, as ``happenings`` gives them.
    """
    numbers = {table: _stacked(parts) for table, parts in days.items()}
    low, high = (datetime(d.year, d.month, d.day) + timedelta(days=1) for d in (since, through))
    dated = {
        table: frame.with_columns(at=AT.cast(pl.Datetime("us"))).filter(
            pl.col("at").is_between(low, high, closed="left")
        )
        for table, frame in numbers.items()
        if table != "order_items"
    }
    products, customers = truth.product_ids, truth.customer_ids
    needs = [need_name(need)[1].lower() for need in range(len(truth.need_days))]
    order_id = _key(pl.when("is_return").then(pl.lit("R")).otherwise(pl.lit("O")), "number")
    customer, product = _word("customer", customers), _word("product", products)
    lines = numbers["order_items"].join(dated["orders"], on=["ymd", "number", "is_return"], how="semi")
    return {
        "orders": dated["orders"].select(
            order_id.alias("order_id"),
            customer.alias("customer_id"),
            pl.col("at").alias("ordered_at"),
            _word("store", [f"S{store + 1}" for store in range(STORES)]).alias("store_id"),
            pl.when(pl.col("store") < 0).then(pl.lit("web")).otherwise(pl.lit("store")).alias("channel"),
            pl.when("is_cancelled").then(pl.lit("cancelled")).otherwise(pl.lit("completed")).alias("status"),
        ),
        "order_items": lines.select(
            order_id.alias("order_id"),
            pl.col("line").alias("line_number"),
            product.alias("product_id"),
            pl.col("units").alias("quantity"),
            pl.col("price_cents").alias("unit_price_cents"),
            "discount_cents",
        ),
        "events": dated["events"].select(
            _key(pl.lit("E"), "number").alias("event_id"),
            customer.alias("customer_id"),
            _key(pl.lit("S"), "visit").alias("session_id"),
            _word("kind", STEPS).alias("event_type"),
            product.alias("product_id"),
            _word("need", needs).alias("query_text"),
            pl.col("at").alias("occurred_at"),
        ),
        "reviews": dated["reviews"].select(
            _key(pl.lit("V"), "number").alias("review_id"),
            product.alias("product_id"),
            customer.alias("customer_id"),
            "rating",
            _word("rating", ("", *WORDS)).alias("body"),
            pl.col("at").alias("reviewed_at"),
        ),
        "stock_levels": dated["stock_levels"].select(
            product.alias("product_id"), pl.col("at").alias("counted_at"), pl.col("units").alias("on_hand_units")
        ),
        "bundle_feedback": dated["bundle_feedback"].select(
            _key(pl.lit("F"), "number").alias("feedback_id"),
            _word("bundle", bundle_ids(bundles)).alias("bundle_id"),
            customer.alias("customer_id"),
            _word("kind", REACTIONS).alias("kind"),
            pl.col("at").alias("occurred_at"),
            pl.lit("uniform").alias("policy"),
            pl.lit(1 / bundles).alias("propensity"),
            # Both arms are treated alike: whoever reads them out must find nothing.
            pl.when(pl.col("customer") % 2 == 0).then(pl.lit("control")).otherwise(pl.lit("other")).alias("variant"),
            pl.when(pl.col("order") >= 0).then(_key(pl.lit("O"), "order")).alias("order_id"),
        ),
        "sessions": dated["sessions"].select(
            _key(pl.lit("S"), "number").alias("session_id"),
            customer.alias("customer_id"),
            pl.col("at").alias("started_at"),
            pl.lit("web").alias("channel"),
        ),
    }


def _stacked(parts: list[Numbers]) -> pl.DataFrame:
    return pl.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _key(letter: pl.Expr, number: str) -> pl.Expr:
    return pl.format("{}{}-{}", letter, "ymd", number)


def _word(column: str, words: Sequence[str]) -> pl.Expr:
    """Return the word at the index in ``column``; null for an index below zero."""
    index = pl.when(pl.col(column) >= 0).then(pl.col(column))
    return pl.lit(pl.Series(list(words), dtype=pl.String)).gather(index)
