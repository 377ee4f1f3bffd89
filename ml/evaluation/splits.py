"""Splits by time: which baskets are predicted, and from which morning.

A *request* is a customer and a cut; its target is the customer's first basket on or after the cut. Training uses
the same kind of request as the test and as today's run, only earlier, so the clocks mean the same in all three.
"""

from datetime import date, timedelta

import polars as pl


def requests_between(
    baskets: pl.DataFrame,
    cut: date,
    through: date,
    min_baskets: int,
    min_products: int = 1,
    max_baskets: int | None = None,
) -> pl.DataFrame:
    """Return the first basket of each customer from ``cut`` to ``through``, both days included.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets``.
    cut
        First day that is predicted; the past are the days before it.
    through
        Last day whose baskets may be targets.
    min_baskets
        Baskets a customer must have before ``cut``.
    min_products
        Baskets with fewer products neither count nor become targets.
    max_baskets
        Baskets a customer may have before ``cut``: with 0 as ``min_baskets`` the new customers. None: any number.

    Returns
    -------
    ``customer_id``, ``cut``, ``basket_on``, ``product_ids``; ordered by customer.
    """
    known = baskets.filter(pl.col("customer_id").is_not_null(), pl.col("product_ids").list.len() >= min_products)
    past = known.filter(pl.col("basket_on") < cut).group_by("customer_id").len("earlier")
    is_asked = pl.col("earlier") >= min_baskets
    if max_baskets is not None:
        is_asked &= pl.col("earlier") <= max_baskets
    return (
        known.filter(pl.col("basket_on").is_between(cut, through))
        .sort("customer_id", "basket_on", "basket_id")
        .group_by("customer_id", maintain_order=True)
        .first()
        .join(past, on="customer_id", how="left")
        .filter(is_asked.fill_null(min_baskets == 0))
        .select("customer_id", "basket_on", "product_ids", cut=pl.lit(cut))
        .sort("customer_id")
    )


def customers_at(baskets: pl.DataFrame, cut: date, min_baskets: int) -> pl.DataFrame:
    """Return every customer with at least ``min_baskets`` baskets before ``cut``, whether or not they come again.

    A probability of buying within days is one of all customers: asking only those who came would make it too high.

    Returns
    -------
    ``customer_id``, ``cut``; ordered by customer.
    """
    past = baskets.filter(pl.col("customer_id").is_not_null(), pl.col("basket_on") < cut)
    known = past.group_by("customer_id").len("earlier").filter(pl.col("earlier") >= min_baskets)
    return known.select("customer_id", cut=pl.lit(cut)).sort("customer_id")


def all_bought(baskets: pl.DataFrame, requests: pl.DataFrame, days: int) -> pl.DataFrame:
    """Return the requests with all different products the customer bought in the ``days`` from the cut on.

    Parameters
    ----------
    requests
        Rows of :func:`customers_at`; ``product_ids`` is empty where the customer bought nothing.
    """
    later = (pl.col("basket_on") - pl.col("cut")).dt.total_days()
    bought = (
        requests.join(baskets.select("customer_id", "basket_on", "product_ids"), on="customer_id")
        .filter(later.is_between(0, days - 1))
        .explode("product_ids")
        .group_by("customer_id", "cut")
        .agg(pl.col("product_ids").unique().sort())
    )
    return requests.join(bought, on=["customer_id", "cut"], how="left", maintain_order="left").with_columns(
        pl.col("product_ids").fill_null([])
    )


def last_baskets(baskets: pl.DataFrame, cut: date | None) -> pl.DataFrame:
    """Return each customer's last basket as a request.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets``.
    cut
        Only baskets of this day or later are asked for, all as of this day, whether or not the customer bought before.
        None: as of its own day, of customers who bought before it.

    Returns
    -------
    ``customer_id``, ``cut``, ``basket_id``, ``product_ids``; ordered by customer.
    """
    known = baskets.filter(pl.col("customer_id").is_not_null()).sort("customer_id", "basket_on", "basket_id")
    first = known.group_by("customer_id").agg(first_on=pl.col("basket_on").min())
    last = known.group_by("customer_id", maintain_order=True).last().join(first, on="customer_id")
    is_asked = pl.col("basket_on") > pl.col("first_on") if cut is None else pl.col("basket_on") >= cut
    day = pl.col("basket_on") if cut is None else pl.lit(cut)
    return last.filter(is_asked).select("customer_id", "basket_id", "product_ids", cut=day).sort("customer_id")


def rolling_origins(last: date, periods: int, days: int) -> list[date]:
    """Return the last training day of each period, oldest first: ``days`` apart, the newest being ``last``.

    Each period is trained on what lies before and judged on the ``days`` after its origin, so no two are judged on the
    same baskets.

    Source
    ------
    Tashman (2000), Out-of-sample tests of forecasting accuracy: an analysis and review, International Journal of
    Forecasting 16(4).
    """
    return [last - timedelta(days=days * back) for back in reversed(range(periods))]


def training_cuts(through: date, targets: int, spacing_days: int) -> list[date]:
    """Return the cuts of training requests, newest first: ``spacing_days`` before the day after ``through``, and so on.

    The newest holds the validation requests (early stopping, calibration).
    """
    return [through + timedelta(days=1) - timedelta(days=spacing_days * (back + 1)) for back in range(targets)]
