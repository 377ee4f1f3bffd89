"""Whether a smaller variant of a model may stand for it: what it loses, with its interval, and the reason in words."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.evaluation.bootstrap import Interval

Floats = NDArray[np.float64]

MOST_LOSS, MOST_LOSS_AT_WORST, LEAST_OVERLAP = 0.005, 0.01, 0.95
"""Shares of NDCG@10: the loss, and the upper end of its interval; and the mean share of the ten best that are kept."""


@dataclass(frozen=True)
class Verdict:
    """Whether a variant may be used, and why.

    Attributes
    ----------
    loss
        Share of the full model's mean NDCG@10 that is lost, below 0 where it gains, with its 95 % interval.
    overlap
        Mean share of a customer's ten best products that the variant keeps among its ten.
    """

    may_be_used: bool
    reason: str
    loss: Interval
    overlap: float


def judge_compression(full: Floats, small: Floats, overlap: Floats, seed: int = 0) -> Verdict:
    """Judge a variant against the full model on the same customers.

    Parameters
    ----------
    full, small, overlap
        (customers,) NDCG@10 of the model and of the variant, and what :func:`top_overlap` gives.

    Raises
    ------
    ValueError
        When the customers differ in number, or the full model has no hit at all, so that a share has no meaning.
    """
    if not full.shape == small.shape == overlap.shape:
        raise ValueError(f"{full.shape}, {small.shape} and {overlap.shape} customers: judge all on the same")
    if not full.sum() > 0:
        raise ValueError("the full model has no hit: there is no share of it to lose")
    loss, kept = _relative_loss(full, small, seed), float(overlap.mean())
    checks = [
        (loss.value <= MOST_LOSS, f"loses {loss.value:.2%} of NDCG@10, allowed {MOST_LOSS:.1%}"),
        (loss.high <= MOST_LOSS_AT_WORST, f"at worst {loss.high:.2%}, allowed {MOST_LOSS_AT_WORST:.1%}"),
        (kept >= LEAST_OVERLAP, f"keeps {kept:.1%} of the ten best, needed {LEAST_OVERLAP:.0%}"),
    ]
    may_be_used = all(good for good, _ in checks)
    words = "; ".join(("" if good else "FAILED: ") + text for good, text in checks)
    return Verdict(may_be_used, f"{'used' if may_be_used else 'the full model is kept'}: {words}", loss, kept)


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
