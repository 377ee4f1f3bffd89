"""Ranking and calibration metrics, by hand so that every definition can be read.

``scored`` is a frame of candidates with ``customer_id``, ``product_id``, ``preference``, ``is_bought``; ``targets``
says how many products each customer's basket held, candidates or not, so what was never proposed counts as missed.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ranked(scored: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return each customer's ``most`` best rows with their ``place`` (1 = best).

    Ties are broken by product id, so that a ranking is a function of the scores alone.
    """
    return (
        scored.sort("customer_id", pl.col("preference"), "product_id", descending=[False, True, False])
        .with_columns(place=pl.col("product_id").cum_count().over("customer_id"))
        .filter(pl.col("place") <= most)
    )


def ranked_hits(scored: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return the places of hits among each customer's ``most`` best: ``customer_id``, ``place``."""
    return ranked(scored, most).filter("is_bought").select("customer_id", "place")


def by_customer(scored: pl.DataFrame, targets: pl.DataFrame, ks: Sequence[int] = (10, 20)) -> pl.DataFrame:
    """Return each customer's ranking metrics.

    Parameters
    ----------
    targets
        ``customer_id``, ``products``: products in the target basket; with 0 there is nothing to find, so the customer
        is left out.

    Returns
    -------
    ``customer_id``, and for each k: ``recall_k`` = hits / products; ``ndcg_k`` = sum over hits of 1 / log2(place + 1)
    over the same sum for a perfect list of min(k, products) hits; ``phr_k`` = 1 when there is any hit (its
    mean is the personalized hit ratio). Ordered by customer.

    Source
    ------
    Jarvelin and Kekalainen (2002), Cumulated gain-based evaluation of IR techniques, ACM TOIS 20(4).
    """
    hits = ranked_hits(scored, max(ks)).with_columns(gain=1 / (pl.col("place") + 1).log(2))
    table = targets.select("customer_id", "products").filter(pl.col("products") > 0).sort("customer_id")
    perfect = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, max(ks) + 2)))])
    for k in ks:
        counted = (
            hits.filter(pl.col("place") <= k).group_by("customer_id").agg(hits=pl.len(), gain=pl.col("gain").sum())
        )
        joined = table.join(counted, on="customer_id", how="left", maintain_order="left").fill_null(0)
        best = perfect[np.minimum(joined["products"].to_numpy(), k)]
        table = table.with_columns(
            (joined["hits"] / joined["products"]).alias(f"recall_{k}"),
            pl.Series(f"ndcg_{k}", joined["gain"].to_numpy() / best),
            (joined["hits"] > 0).cast(pl.Float64).alias(f"phr_{k}"),
        )
    return table.drop("products")


def repeat_and_explore(
    scored: pl.DataFrame, targets: pl.DataFrame, ks: Sequence[int] = (10,)
) -> dict[str, pl.DataFrame]:
    """Return :func:`by_customer` of what the customer had bought before ("repeat") and of the rest ("explore").

    Each is a ranking of its own kind of candidates, over the customers whose basket held that kind. A first
    purchase that was never proposed is in no candidate row, and counts as missed.

    Parameters
    ----------
    scored
        As for :func:`by_customer`, with ``sources``; candidates with source "bought" are the repeats.
    """
    is_repeat = pl.col("sources").list.contains("bought")
    repeats = scored.filter(is_repeat).group_by("customer_id").agg(repeats=pl.col("is_bought").sum())
    counted = targets.join(repeats, on="customer_id", how="left").with_columns(pl.col("repeats").fill_null(0))
    kinds = {"repeat": (is_repeat, pl.col("repeats")), "explore": (~is_repeat, pl.col("products") - pl.col("repeats"))}
    tables = {}
    for name, (chosen, products) in kinds.items():
        held = counted.select("customer_id", products=products).filter(pl.col("products") > 0)
        tables[name] = by_customer(scored.filter(chosen).join(held, on="customer_id", how="semi"), held, ks)
    return tables


def brier(probability: Floats, outcome: Floats) -> float:
    """Return the mean squared difference of probabilities and outcomes (0 or 1), both (n,)."""
    return float(np.mean((probability - outcome) ** 2))


def base_rate_brier(outcome: Floats) -> float:
    """Return the Brier score of always saying the mean outcome."""
    rate = float(np.mean(outcome))
    return rate * (1 - rate)


def reliability(probability: Floats, outcome: Floats, bins: int = 20) -> pl.DataFrame:
    """Return predicted against observed share, in bins of equal count.

    Rows with equal probability may fall into neighbouring bins; their order is that of the input.

    Returns
    -------
    ``rows``, ``predicted``, ``observed``, ``low``, ``high``: the latter two a 95 % Wilson interval of the observed.
    """
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if part.size]
    table = pl.DataFrame(
        {
            "rows": [part.size for part in parts],
            "predicted": [float(probability[part].mean()) for part in parts],
            "observed": [float(outcome[part].mean()) for part in parts],
        }
    )
    z2, n, p = 1.959964**2, pl.col("rows"), pl.col("observed")
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = (z2 * (p * (1 - p) / n + z2 / (4 * n * n))).sqrt() / (1 + z2 / n)
    return table.with_columns(low=centre - half, high=centre + half)


def expected_calibration_error(probability: Floats, outcome: Floats, bins: int = 20) -> float:
    """Return the mean over equal-count bins of |predicted - observed|, weighted by rows.

    Source
    ------
    Naeini, Cooper and Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning, AAAI.
    """
    table = reliability(probability, outcome, bins)
    return float(((table["predicted"] - table["observed"]).abs() * table["rows"]).sum() / max(1, len(probability)))
