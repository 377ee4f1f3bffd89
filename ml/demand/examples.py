"""Rows of the demand model: a product, a day, and what was known at the origin before it."""

from datetime import date, timedelta

import polars as pl

from ml.demand.panel import monday, weekly_panel
from ml.demand.signals import signal_features

RECENT_DAYS, EARLIER_DAYS = 28, 84
"""Windows before the origin over which units are averaged."""
HORIZON_DAYS = 28
"""Days after an origin that are examples."""


def demand_rows(
    product_days: pl.DataFrame,
    products: pl.DataFrame,
    origin: date,
    days: int = HORIZON_DAYS,
    signals: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the days after ``origin`` of each product that sold in the twelve weeks before it.

    Where ``is_price_known`` is false a discount would have shown only had the product sold: a model with prices that
    learned from such rows, or was judged on them, would look better than it is.

    Parameters
    ----------
    product_days, products
        As for :func:`ml.demand.price_response.elasticities`, days after the origin included.
    signals
        Rows of ``features.ftr_market_signals``; with any, the rows hold what was told by the origin.

    Returns
    -------
    pl.DataFrame
        ``product_id``, ``sold_on``, ``units``, ``is_price_known``, and the features of :mod:`ml.demand.demand_model`.
    """
    through = origin + timedelta(days=days)
    panel = weekly_panel(product_days, products, through, goes_on=True)
    before = panel.filter(pl.col("week_on") <= origin - timedelta(days=6))
    usual = before.group_by("product_id").agg(usual_cents=pl.col("price_cents").median())
    priced = (
        panel.join(usual, on="product_id")
        .with_columns(price_ratio=(pl.col("price_cents") / pl.col("usual_cents")).clip(0.2, 5.0))
        .select("product_id", "week_on", "price_ratio", "shown_share", "is_price_known")
    )
    asked = _calendar(origin, days).join(known_at(product_days, products, origin, signals), how="cross")
    rows = asked.join(priced, on=["product_id", "week_on"])
    sold = product_days.select("product_id", "sold_on", "units")
    rows = rows.join(sold, on=["product_id", "sold_on"], how="left").with_columns(pl.col("units").fill_null(0))
    return rows.sort("product_id", "sold_on")


def rows_at_usual_price(
    product_days: pl.DataFrame, products: pl.DataFrame, origin: date, days: int, signals: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the days after ``origin`` as they would be at the usual price and without a display."""
    asked = _calendar(origin, days).join(known_at(product_days, products, origin, signals), how="cross")
    return asked.with_columns(price_ratio=pl.lit(1.0), shown_share=pl.lit(0.0)).sort("product_id", "sold_on")


def known_at(
    product_days: pl.DataFrame, products: pl.DataFrame, origin: date, signals: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return what the evening of ``origin`` knows of each product that sold in the twelve weeks before."""
    age = (pl.lit(origin) - pl.col("sold_on")).dt.total_days()
    past = product_days.filter(pl.col("sold_on") <= origin).with_columns(age=age)
    first = past.group_by("product_id").agg(
        launch_days=pl.col("age").max() + 1, price_cents=pl.col("price_cents").sort_by("sold_on").last()
    )

    def mean(days: int) -> pl.Expr:
        # A product that is new has fewer days to be averaged over.
        return pl.col("units").filter(pl.col("age") < days).sum() / pl.min_horizontal(
            pl.lit(days), pl.col("age").max() + 1
        )

    own = past.group_by("product_id").agg(recent_units=mean(RECENT_DAYS), earlier_units=mean(EARLIER_DAYS))
    own = own.filter(pl.col("earlier_units") > 0).join(first, on="product_id")
    category = products.select("product_id", pl.coalesce("category", "product_id").alias("category"))
    trend = (
        past.join(category, on="product_id")
        .group_by("category")
        .agg(
            now=pl.col("units").filter(pl.col("age") < RECENT_DAYS).sum(),
            then=pl.col("units").filter(pl.col("age").is_between(RECENT_DAYS, 2 * RECENT_DAYS - 1)).sum(),
        )
        .select("category", category_trend_ratio=((pl.col("now") + 1) / (pl.col("then") + 1)).clip(0.2, 5.0))
    )
    known = own.join(category, on="product_id").join(trend, on="category")
    if signals is not None and signals.height:
        known = signal_features(signals, known.with_columns(day=pl.lit(origin))).drop("day")
    return known.drop("category", "price_cents")


def _calendar(origin: date, days: int) -> pl.DataFrame:
    dates = pl.date_range(origin + timedelta(days=1), origin + timedelta(days=days), eager=True).alias("sold_on")
    return dates.to_frame().with_columns(
        week_on=monday("sold_on"), weekday=pl.col("sold_on").dt.weekday(), week_of_year=pl.col("sold_on").dt.week()
    )
