"""Whether the demand for one product follows the price of another, week by week."""

import numpy as np
import polars as pl

from ml.association.baskets import Codes, Reals

LEAST_WEEKS = 12
"""With fewer weeks a correlation of weekly changes says next to nothing."""
LARGEST_MOVE = 1.0
"""Log price away from the usual, either way: beyond it the price of a week is a slip, not an offer."""
PAIRS_AT_ONCE = 50_000


def cross_effects(baskets: pl.DataFrame, product_ids: tuple[str, ...], first: Codes, second: Codes) -> Reals:
    """Return how the demand for each product of a pair follows the price of the other, both ways together.

    The partial correlation of the week-to-week changes of log demand for one and of log price paid for the other, given
    the change of its own price, as offers of like products often fall together; Fisher's z of it, summed over both
    directions. Above 0: more is sold of one while the other is dear, as of substitutes. Among unrelated products its
    mean is 0 and its spread 1 to 1.25, since changes from week to week hang together: who tests it compares with those.

    Parameters
    ----------
    baskets
        ``basket_on``, ``product_ids``, ``quantities``, ``paid_cents`` as in ``features.ftr_baskets``.
    product_ids
        Identifier of each product code, ascending.
    first, second
        (pairs,) product codes.

    Returns
    -------
    (pairs,) z; 0 where weeks are too few, or a price never moved.

    Source
    ------
    Fisher (1924), The distribution of the partial correlation coefficient, Metron 3.
    """
    demand, price = _weekly(baskets, product_ids)
    changes = demand.shape[1] - 1
    if changes + 1 < LEAST_WEEKS:
        return np.zeros(len(first))
    demand, price = _standard(np.diff(demand, axis=1)), _standard(np.diff(price, axis=1))
    own = (demand * price).mean(axis=1)
    found = np.empty(len(first))
    for start in range(0, len(first), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        one, other = first[some], second[some]
        prices = (price[one] * price[other]).mean(axis=1)
        there = _partial((demand[one] * price[other]).mean(axis=1), own[one], prices)
        back = _partial((demand[other] * price[one]).mean(axis=1), own[other], prices)
        found[some] = (np.arctanh(there) + np.arctanh(back)) / np.sqrt(2)
    return found * np.sqrt(changes - 4)


def _weekly(baskets: pl.DataFrame, product_ids: tuple[str, ...]) -> tuple[Reals, Reals]:
    """Return (products, weeks) log demand against the shop's, and log price against the product's usual one."""
    codes = pl.DataFrame({"product_ids": product_ids}, schema={"product_ids": pl.String}).with_row_index("product")
    lines = baskets.select("basket_on", "product_ids", "quantities", "paid_cents")
    lines = lines.explode("product_ids", "quantities", "paid_cents").join(codes, on="product_ids")
    if lines.is_empty():
        return np.zeros((len(product_ids), 0)), np.zeros((len(product_ids), 0))
    age = (pl.col("basket_on").max() - pl.col("basket_on")).dt.total_days()
    lines = lines.with_columns(week=age // 7, age=age)
    weeks = (int(lines["age"].to_numpy().max()) + 1) // 7
    cells = (
        lines.filter(pl.col("week") < weeks)  # the oldest is no whole one
        .group_by("product", "week")
        .agg(sold=pl.len(), price=pl.col("paid_cents").sum() / pl.col("quantities").sum())
    )
    at = (cells["product"].to_numpy(), weeks - 1 - cells["week"].to_numpy())
    sold, price = np.zeros((len(product_ids), weeks)), np.full((len(product_ids), weeks), np.nan)
    sold[at], price[at] = cells["sold"].to_numpy(), np.log(np.maximum(cells["price"].to_numpy(), 0.01))
    demand = np.log(sold + 0.5) - np.log(sold.mean(axis=0) + 0.5)
    usual = np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else 0.0 for row in price])
    return demand, np.nan_to_num(price - usual[:, None]).clip(-LARGEST_MOVE, LARGEST_MOVE)


def _standard(rows: Reals) -> Reals:
    rows = rows - rows.mean(axis=1, keepdims=True)
    spread = rows.std(axis=1, keepdims=True)
    return np.divide(rows, spread, out=np.zeros_like(rows), where=spread > 1e-9)


def _partial(asked: Reals, own: Reals, prices: Reals) -> Reals:
    """Return the correlation of demand with the other's price, given the own price; within -0.99 and 0.99."""
    left = np.sqrt(np.maximum((1 - own**2) * (1 - prices**2), 1e-6))
    return np.asarray(((asked - own * prices) / left).clip(-0.99, 0.99))
