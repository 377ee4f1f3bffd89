"""Intervals by resampling customers: rows of one customer are not independent, customers are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Return whether 0 lies outside."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(values: Floats, draws: int = 1000, seed: int = 0) -> Interval:
    """Return the mean over customers with its bootstrap interval.

    Parameters
    ----------
    values
        (customers,) one number each.

    Source
    ------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13 (percentile intervals).
    """
    if not values.size:
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    step = max(1, 8_000_000 // values.size)  # index blocks of at most 64 MB
    for start in range(0, draws, step):
        chosen = rng.integers(0, values.size, (min(step, draws - start), values.size))
        means[start : start + step] = values[chosen].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def paired_bootstrap(ours: Floats, theirs: Floats, draws: int = 1000, seed: int = 0) -> Interval:
    """Return the mean difference of two methods over the same customers, in the same order.

    Raises
    ------
    ValueError
        When the arrays differ in length.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"ours has shape {ours.shape}, theirs {theirs.shape}: pair the same customers")
    return bootstrap_mean(ours - theirs, draws, seed)


def clustered_bootstrap(values: Floats, clusters: NDArray[np.integer], draws: int = 1000, seed: int = 0) -> Interval:
    """Return the mean over rows with its interval where whole clusters are drawn, each with all its rows.

    Parameters
    ----------
    values, clusters
        (rows,) one number each, and the cluster of each, 0 to n - 1.

    Source
    ------
    Davison and Hinkley (1997), Bootstrap methods and their application, chapter 3.8 (the mean as a ratio).
    """
    if not values.size:
        return Interval(float("nan"), float("nan"), float("nan"))
    totals, sizes = np.bincount(clusters, values), np.bincount(clusters)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    step = max(1, 8_000_000 // totals.size)
    for start in range(0, draws, step):
        chosen = rng.integers(0, totals.size, (min(step, draws - start), totals.size))
        means[start : start + step] = totals[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def calibration_bootstrap(
    probability: Floats,
    outcome: Floats,
    clusters: NDArray[np.integer],
    draws: int = 1000,
    seed: int = 0,
    bins: int = 20,
) -> Interval:
    """Return the expected calibration error with its interval where whole clusters are drawn, each with all its rows.

    The bins of equal count are those of all rows. Each draw adds its own chance to the distances, so the interval lies
    high: its upper end is a safe bound, its lower end none.

    Parameters
    ----------
    probability, outcome, clusters
        (rows,) what was said, what came (0 or 1), and the cluster of each row, 0 to n - 1.

    Source
    ------
    Kumar, Liang and Ma (2019), Verified uncertainty calibration, NeurIPS 32 (why resampling overstates the error).
    """
    order = np.argsort(probability, kind="stable")
    bin_of = np.empty(order.size, np.int64)
    for number, part in enumerate(np.array_split(order, bins)):
        bin_of[part] = number
    size = int(clusters.max(initial=-1)) + 1
    gaps = np.bincount(clusters * bins + bin_of, probability - outcome, size * bins).reshape(size, bins)
    rows = np.bincount(clusters, minlength=size)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(size, np.full(size, 1 / size), draws)
    errors = np.abs(drawn @ gaps).sum(axis=1) / (drawn @ rows)
    low, high = np.quantile(errors, [0.025, 0.975])
    return Interval(float(np.abs(gaps.sum(axis=0)).sum() / rows.sum()), float(low), float(high))
