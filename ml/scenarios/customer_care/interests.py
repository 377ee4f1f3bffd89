"""What a customer turns to now, against their own past: purchases, and views, searches and carts where there are any.

Each line of a basket and each thing looked at is one sign of interest in its category. What four weeks usually bring is
the customer's own rate before them; a *spike* is more than chance would bring at that rate.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.stats import poisson

RECENT_DAYS = 28
LEAST_PAST_DAYS = 28
"""A past shorter than that is no usual."""
LEAST_SIGNS = 3
SPIKE_CHANCE = 0.001
"""Of a customer and category by chance alone: with a hundred thousand of them still a hundred."""
PRIOR_SIGNS = 0.5
"""Added to what is expected, as nothing so far does not mean never."""
EVENTS = ("view", "search", "cart")
INTERESTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer_id": pl.String,
    "category": pl.String,
    "recent": pl.Int64,
    "usual": pl.Float64,
    "is_spike": pl.Boolean,
}


def signs_of(baskets: pl.DataFrame, events: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Return ``customer_id``, ``category``, ``on``, ``is_event``: one row a sign.

    Parameters
    ----------
    baskets, events
        Rows of ``features.ftr_baskets`` and ``features.ftr_events``; an event without a product says nothing here, and
        neither does a purchase among them, which is a basket's.
    products
        ``product_id``, ``category`` of the products that may be spoken of.
    """
    usual = baskets.filter(~pl.col("is_giant")).drop_nulls("customer_id")
    bought = usual.select("customer_id", product_id="product_ids", on="basket_on").explode("product_id")
    looked = events.filter(pl.col("event_type").is_in(EVENTS)).select("customer_id", "product_id", on="occurred_on")
    both = [bought.with_columns(is_event=False), looked.with_columns(is_event=True)]
    kinds = products.select("product_id", "category").drop_nulls("category")
    return pl.concat(both).join(kinds, on="product_id").drop("product_id")


def interests(signs: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return the categories that customers turned to in the last four weeks.

    Returns
    -------
    Frame of ``INTERESTS``: ``usual`` is null where the customer's past is too short. By customer, most signs first.
    """
    first = as_of - timedelta(days=RECENT_DAYS)
    is_recent = pl.col("on") > first
    began = signs.group_by("customer_id", "is_event").agg(since=pl.col("on").min())
    # Events are often kept since later than orders: their past begins with the first one of anybody.
    started = signs.group_by("is_event").agg(kept_since=pl.col("on").min())
    past = (pl.lit(first) - pl.max_horizontal("since", "kept_since")).dt.total_days() + 1
    days = began.join(started, on="is_event").select("customer_id", "is_event", past_days=past)
    counted = signs.group_by("customer_id", "category", "is_event").agg(
        recent=is_recent.sum().cast(pl.Int64), earlier=(~is_recent).sum().cast(pl.Int64)
    )
    usual = RECENT_DAYS * pl.col("earlier") / pl.when(pl.col("past_days") >= LEAST_PAST_DAYS).then("past_days")
    whole = (
        counted.join(days, on=["customer_id", "is_event"])
        .with_columns(usual=usual, is_known=pl.col("past_days") >= LEAST_PAST_DAYS)
        .group_by("customer_id", "category")
        .agg(pl.col("recent").sum(), pl.col("usual").sum(), pl.col("is_known").all())
        .with_columns(usual=pl.when("is_known").then("usual"))
        .filter(pl.col("recent") > 0)
    )
    chance = poisson.sf(whole["recent"].to_numpy() - 1, whole["usual"].fill_null(np.inf).to_numpy() + PRIOR_SIGNS)
    is_spike = pl.Series(np.asarray(chance) < SPIKE_CHANCE) & (whole["recent"] >= LEAST_SIGNS)
    told = whole.with_columns(is_spike=is_spike & whole["usual"].is_not_null()).select(list(INTERESTS))
    return told.sort("customer_id", "recent", "category", descending=[False, True, False])
