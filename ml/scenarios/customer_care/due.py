"""Which products a customer buys with a rhythm, and is about to need again."""

from datetime import date, timedelta

import polars as pl

LEAST_BASKETS = 3
"""Two gaps: fewer are no rhythm."""
DUE_DAYS = 14
"""Looked ahead."""
DECAY_DAYS = 60.0
"""Age at which a purchase counts 1/e in the order of what is due: on earlier months of Complete Journey better than
counting all alike in two windows of three, and level in the third."""
DUE: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "product_id": pl.String,
    "due_rank": pl.Int32,
    "due_on": pl.Date,
    "baskets": pl.Int32,
    "mean_gap_days": pl.Float64,
    "last_on": pl.Date,
}


def due_products(purchases: pl.DataFrame, baskets: pl.DataFrame, as_of: date, most: int) -> pl.DataFrame:
    """Return the products that each customer is expected to buy again within two weeks.

    Due is what was last bought about one mean gap ago, up to two weeks ahead; what is a whole gap overdue was likely
    given up and is due no more. Among what is due, what was bought most lately comes first.

    Parameters
    ----------
    purchases
        Rows of ``features.ftr_customer_products`` of the products that may be spoken of.
    baskets
        Rows of ``features.ftr_baskets`` that say how lately.

    Returns
    -------
    Frame of ``DUE``, at most ``most`` a customer.
    """
    regular = purchases.filter(pl.col("baskets") >= LEAST_BASKETS, pl.col("mean_gap_days") > 0)
    gap = pl.duration(days=pl.col("mean_gap_days").round(0).clip(lower_bound=1).cast(pl.Int64))
    is_near = pl.col("due_on") <= as_of + timedelta(days=DUE_DAYS)
    is_given_up = pl.col("due_on") + gap < as_of + timedelta(days=1)
    due = regular.with_columns(due_on=pl.col("last_on") + gap).filter(is_near, ~is_given_up)
    lately = decayed_counts(baskets.join(due.select("customer_id").unique(), on="customer_id", how="semi"), as_of)
    order = ["customer_id", "lately", "baskets", "product_id"]
    ranked = due.join(lately, on=["customer_id", "product_id"]).sort(order, descending=[False, True, True, False])
    place = (pl.int_range(pl.len()).over("customer_id") + 1).cast(pl.Int32)
    return ranked.with_columns(due_rank=place).filter(pl.col("due_rank") <= most).select(list(DUE))


def decayed_counts(baskets: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return ``customer_id``, ``product_id``, ``lately``: baskets with it, each counted less the older it is."""
    age = (pl.lit(as_of) - pl.col("basket_on")).dt.total_days()
    lines = baskets.select("customer_id", lately=(-age / DECAY_DAYS).exp(), product_id="product_ids")
    return lines.explode("product_id").group_by("customer_id", "product_id").agg(pl.col("lately").sum())
