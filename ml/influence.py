"""How far one customer's baskets count in what is learned of everybody.

A household's day is one basket, but a script, a reseller or a shared loyalty card can still leave more baskets than any
household. What such a customer bought stays their own history; in what all customers teach together (pairs, popularity,
population features) only some of their baskets count, and they are no example to train on. Baskets of nobody known
cannot be bounded so: they never enter a lift, which rests on known customers alone.

Source
------
The fence is Tukey (1977), Exploratory Data Analysis, on logarithms, since baskets of a customer are skewed. Beyond it
the influence falls again, as in a redescending estimator: Hampel et al. (1986), Robust Statistics, chapter 2.6.
"""

from datetime import date

import numpy as np
import polars as pl

FENCE = 1.5
"""Interquartile ranges, of log baskets, above the upper quartile: Tukey's inner fence."""
FLOOR_BASKETS = 100
"""No customer of fewer baskets is bounded, however small the others: a small shop's best customer stays whole."""


def influence(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return the customers whose baskets do not all count.

    Of n baskets beyond the fence F, F x F / n count (at least one): all at the fence, fewer the further out.

    Parameters
    ----------
    baskets
        One row a basket, with ``customer_id``, null where unknown.

    Returns
    -------
    ``customer_id``, ``baskets``, ``counted_baskets``, ``weight`` (the share that counts), by weight ascending; no row
    in an ordinary shop.
    """
    held = baskets.drop_nulls("customer_id").group_by("customer_id").agg(baskets=pl.len().cast(pl.Int64))
    fence = _fence(held["baskets"])
    return (
        held.filter(pl.col("baskets") > fence)
        .with_columns(counted_baskets=(fence**2 / pl.col("baskets")).round().cast(pl.Int64).clip(1))
        .with_columns(weight=pl.col("counted_baskets") / pl.col("baskets"))
        .sort("weight", "customer_id")
    )


def counted(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return the baskets that count in what is learned of everybody, order and columns kept.

    Of a bounded customer they are spread evenly over the order given, so that counts and expectations are taken from
    the same whole baskets and a lift keeps its meaning.
    """
    bounded = influence(baskets)
    if bounded.is_empty():
        return baskets
    kept, place = pl.col("counted_baskets"), pl.int_range(pl.len()).over("customer_id")
    step = (place + 1) * kept // pl.col("baskets") > place * kept // pl.col("baskets")
    return (
        baskets.with_row_index("row")
        .join(bounded.drop("weight"), on="customer_id", how="left", maintain_order="left")
        .filter(kept.is_null() | step)
        .select(baskets.columns)
    )


def ordinary(baskets: pl.DataFrame, through: date | None = None) -> pl.DataFrame:
    """Return the baskets to take examples from: no giant one, and none of a customer whose influence is bounded.

    Parameters
    ----------
    through
        Last day whose baskets say who is bounded. None: all.
    """
    known = baskets if through is None else baskets.filter(pl.col("basket_on") <= through)
    usual = baskets.filter(~pl.col("is_giant"))
    return usual.join(influence(known), on="customer_id", how="anti", maintain_order="left")


def summary(baskets: pl.DataFrame) -> dict[str, float]:
    """Return what is logged: bounded customers, the smallest weight, and the share of lines that do not count."""
    bounded = influence(baskets)
    lines = int(baskets["product_ids"].list.len().sum())
    lost = lines - int(counted(baskets)["product_ids"].list.len().sum())
    return {
        "bounded_customers": float(bounded.height),
        "smallest_customer_weight": float(bounded["weight"].to_numpy().min(initial=1.0)),
        "uncounted_line_share": lost / max(lines, 1),
    }


def _fence(counts: pl.Series) -> float:
    if counts.is_empty():
        return float(FLOOR_BASKETS)
    low, high = np.quantile(np.log(counts.to_numpy()), [0.25, 0.75])
    return max(float(FLOOR_BASKETS), float(np.exp(high + FENCE * (high - low))))
