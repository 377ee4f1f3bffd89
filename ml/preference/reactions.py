"""How customers took the bundles that a product stood in: of everybody, and of the customer alone.

Every number is taken from reactions dated strictly before the cut. A shop that delivers none has no such features, and
before its first one they are NaN, not zero.
"""

from datetime import date, timedelta

import polars as pl

REACTION_FEATURES = (
    "product_bundle_impressions", "product_bundle_click_rate",
    "bundle_impressions", "bundle_clicks", "bundle_days_since_click",
)  # fmt: skip
"""Impressions of bundles with the product in ``WINDOW_DAYS``, and clicks over impressions with ``PRIOR_IMPRESSIONS`` of
the rate of all products added; then of the customer alone. An addition to the cart is a click."""
WINDOW_DAYS = 91
"""A season: what was shown a year ago was another bundle."""
PRIOR_IMPRESSIONS = 20
"""At a rate of one click in ten as much as two clicks."""


def with_reactions(candidates: pl.DataFrame, reactions: pl.DataFrame) -> pl.DataFrame:
    """Return the candidates with ``REACTION_FEATURES`` as columns, in the order they came.

    Parameters
    ----------
    candidates
        ``customer_id``, ``cut``, ``product_id``.
    reactions
        ``features.ftr_bundle_reactions``: ``customer_id``, ``product_id``, ``reacted_on``, ``day_impressions``,
        ``day_clicks``.
    """
    by_day = reactions.select(
        "customer_id", "product_id", on="reacted_on", impressions="day_impressions", clicks="day_clicks"
    ).explode("on", "impressions", "clicks")
    rows = candidates.drop(REACTION_FEATURES, strict=False).with_row_index("row")
    parts = [_at(rows.filter(pl.col("cut") == cut), by_day, cut) for cut in rows["cut"].unique().sort()]
    if not parts:
        return rows.drop("row").with_columns(pl.lit(None, pl.Float32).alias(name) for name in REACTION_FEATURES)
    return pl.concat(parts).sort("row").drop("row")


def _at(rows: pl.DataFrame, by_day: pl.DataFrame, cut: date) -> pl.DataFrame:
    """Return the rows of one cut with what was known on its morning."""
    before = by_day.filter(pl.col("on") < cut)
    seen = before.filter(pl.col("on") >= cut - timedelta(days=WINDOW_DAYS))
    clicked, shown = seen.select(pl.col("clicks").sum(), pl.col("impressions").sum()).row(0)
    overall = clicked / max(1, shown)
    product = seen.group_by("product_id").agg(
        product_bundle_impressions=pl.col("impressions").sum(), product_clicks=pl.col("clicks").sum()
    )
    own = seen.group_by("customer_id", "product_id").agg(
        bundle_impressions=pl.col("impressions").sum(),
        bundle_clicks=pl.col("clicks").sum(),
        clicked_on=pl.col("on").filter(pl.col("clicks") > 0).max(),
    )
    counts = ("product_bundle_impressions", "product_clicks", "bundle_impressions", "bundle_clicks")
    joined = (
        rows.join(product, on="product_id", how="left", maintain_order="left")
        .join(own, on=["customer_id", "product_id"], how="left", maintain_order="left")
        .with_columns(pl.col(counts).fill_null(0))
    )
    impressions = pl.col("product_bundle_impressions") + PRIOR_IMPRESSIONS
    known = joined.with_columns(
        product_bundle_click_rate=(pl.col("product_clicks") + PRIOR_IMPRESSIONS * overall) / impressions,
        bundle_days_since_click=(pl.lit(cut) - pl.col("clicked_on")).dt.total_days(),
    )
    is_known = pl.lit(not before.is_empty())
    features = [pl.when(is_known).then(pl.col(name)).cast(pl.Float32).alias(name) for name in REACTION_FEATURES]
    return known.select(*rows.columns, *features)
