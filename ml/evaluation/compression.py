"""Whether a smaller variant of a model may stand for it: what it loses, with its interval, and the reason in words."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.evaluation.bootstrap import Interval

Floats = NDArray[np.float64]

MOST_LOSS = 0.005
"""Share of NDCG@10 that a smaller variant may lose, at the upper end of the loss's interval."""


@dataclass(frozen=True)
class Verdict:
    """Whether a variant may be used, and why.

    Attributes
    ----------
    loss
        Share of the full model's mean NDCG@10 that is lost, below 0 where it gains, with its 95 % interval.
    """

    may_be_used: bool
    reason: str
    loss: Interval


def judge_compression(full: Floats, small: Floats, seed: int = 0) -> Verdict:
    """Judge a variant against the full model on the same customers.

    A full model without any hit has nothing to lose and nothing to be judged by: it is kept.

    Parameters
    ----------
    full, small
        (customers,) NDCG@10 of the model and of the variant.

    Raises
    ------
    ValueError
        When the customers differ in number.
    """
    if full.shape != small.shape:
        raise ValueError(f"{full.shape} and {small.shape} customers: judge both on the same")
    if not full.sum() > 0:
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        return Verdict(False, "the full model is kept: it has no hit to judge by", nothing)
    loss = _relative_loss(full, small, seed)
    may_be_used = loss.high <= MOST_LOSS
    words = f"loses {loss.value:.2%} of NDCG@10, at worst {loss.high:.2%}, allowed {MOST_LOSS:.1%}"
    return Verdict(may_be_used, f"{'used' if may_be_used else 'the full model is kept'}: {words}", loss)


def top_overlap(full: pl.DataFrame, small: pl.DataFrame, k: int = 10) -> Floats:
    """Return the share of each customer's k best products that are among the variant's k best, (customers,) by id.

    Parameters
    ----------
    full, small
        The same candidates with ``customer_id``, ``product_id``, ``preference``; ties go to the smaller product id.
    """
    best = [
        frame.sort("customer_id", "preference", "product_id", descending=[False, True, False])
        .group_by("customer_id", maintain_order=True)
        .head(k)
        .select("customer_id", "product_id")
        for frame in (full, small)
    ]
    kept = best[0].join(best[1].with_columns(is_kept=True), on=["customer_id", "product_id"], how="left")
    shares = kept.group_by("customer_id").agg(share=pl.col("is_kept").fill_null(False).mean()).sort("customer_id")
    return shares["share"].to_numpy()


def _relative_loss(full: Floats, small: Floats, seed: int, draws: int = 1000) -> Interval:
    """Return 1 - mean(small) / mean(full) with its percentile interval over customers drawn in pairs."""
    rng = np.random.default_rng(seed)
    losses = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(0, full.size, full.size)
        losses[draw] = 1 - small[chosen].sum() / max(full[chosen].sum(), 1e-12)
    low, high = np.quantile(losses, [0.025, 0.975])
    return Interval(float(1 - small.sum() / full.sum()), float(low), float(high))
