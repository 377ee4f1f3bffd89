"""What the market told about products by a day: demand for their category, and a competitor's price."""

import polars as pl

CATEGORY_DEMAND, COMPETITOR_PRICE = "category_demand", "competitor_price"
SIGNAL_FEATURES = ("category_demand_index", "competitor_price_ratio")
OLD_DAYS = 35
"""A signal that is older says nothing any more."""


def signal_features(signals: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Return the newest signals about each product on each day; nothing dated later is used.

    A shop without signals, or without one about the product in the last ``OLD_DAYS``, gets nulls: no signal is no
    number.

    Parameters
    ----------
    signals
        ``kind``, ``category``, ``product_id``, ``signal_on``, ``signal_value``, as ``features.ftr_market_signals``.
    asked
        ``product_id``, ``day``, ``category`` (may be null) and ``price_cents`` on the day (may be null), in any order.

    Returns
    -------
    ``asked`` in its order, with ``category_demand_index`` (1 = as usual) and ``competitor_price_ratio`` (the
    competitor's price over ours; above 1 where ours is the lower).
    """
    rows = asked.with_row_index("asked_row").sort("day")
    for kind, about, name in (
        (CATEGORY_DEMAND, "category", "category_demand_index"),
        (COMPETITOR_PRICE, "product_id", "rival_cents"),
    ):
        rows = rows.join_asof(
            _daily(signals, kind, about).rename({"signal_value": name}),
            on="day",
            by=about,
            strategy="backward",
            tolerance=f"{OLD_DAYS}d",
            check_sortedness=False,
        )
    own = pl.when(pl.col("price_cents") > 0).then(pl.col("price_cents"))
    rows = rows.with_columns(competitor_price_ratio=pl.col("rival_cents") / own)
    return rows.sort("asked_row").drop("asked_row", "rival_cents")


def _daily(signals: pl.DataFrame, kind: str, about: str) -> pl.DataFrame:
    """Return ``day``, ``about`` and the mean ``signal_value`` of the day, of one kind, by day."""
    own = signals.filter(pl.col("kind") == kind).drop_nulls(about)
    return own.group_by(about, day="signal_on").agg(pl.col("signal_value").mean()).sort("day", about)
