"""How often customers are expected to come."""

import polars as pl


def expected_visits(customers: pl.DataFrame, days: int) -> pl.DataFrame:
    """Return ``customer_id`` and ``visits``, the baskets expected of each customer in so many days.

    Days over the customer's usual gap, or over the days since the last basket where these are more: who has not come
    for long comes less often than before. Customers without a gap of their own have the usual one of all.

    Parameters
    ----------
    customers
        Rows of ``features.ftr_customers``.
    """
    usual = customers["mean_gap_days"].median()
    gap = pl.max_horizontal(
        pl.col("mean_gap_days").fill_null(usual if isinstance(usual, float) else float(days)),
        pl.col("days_since_last").fill_null(0).cast(pl.Float64),
        pl.lit(1.0),
    )
    return customers.select("customer_id", visits=days / gap)
