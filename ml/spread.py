"""How the sizes of a customer's baskets make products meet in them."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

SPREAD_BASKETS = 5.0
"""Baskets of the usual spread that are added to a customer's own."""


def basket_spreads(lines: pl.DataFrame, customers: pl.Series) -> NDArray[np.float64]:
    """Return (customers,) how much more often than independently two products share a basket of the customer.

    v = E[s (s - 1)] / E[s]^2 over the customer's basket sizes s: large baskets hold many products at once. It is the
    factor by which :func:`ml.association.counting.expected_pairs` exceeds the product of two frequencies. Few baskets
    say little of it, so that of all customers counts as ``SPREAD_BASKETS`` more of them.

    Parameters
    ----------
    lines
        ``customer_id``, ``basket``: one row a product of an ordinary basket.
    """
    sizes = lines.drop_nulls("customer_id").group_by("customer_id", "basket").len()
    # In order, so that the mean over all adds up alike each time.
    own = (
        sizes.group_by("customer_id")
        .agg(
            baskets=pl.len().cast(pl.Float64),
            spread=(pl.col("len").cast(pl.Float64) * (pl.col("len") - 1.0)).mean() / pl.col("len").mean() ** 2,
        )
        .sort("customer_id")
    )
    if own.is_empty():
        return np.ones(len(customers))
    usual = float(np.average(own["spread"].to_numpy(), weights=own["baskets"].to_numpy()))
    found = pl.DataFrame({"customer_id": customers}).join(own, on="customer_id", how="left", maintain_order="left")
    baskets, spread = (found[name].fill_null(0.0).to_numpy() for name in ("baskets", "spread"))
    return np.asarray((baskets * spread + SPREAD_BASKETS * usual) / (baskets + SPREAD_BASKETS))
