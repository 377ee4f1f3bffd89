"""Estimates of many units drawn towards their group and the groups towards the whole, by empirical Bayes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import truncnorm

Reals = NDArray[np.float64]
Codes = NDArray[np.int64]
LEAST_SPREAD = 0.05
"""Spread of true values that is assumed at least: with few units the moments say 0, and nothing is that alike."""


@dataclass(frozen=True)
class Shrunk:
    """What is known of each unit once all are looked at together.

    Attributes
    ----------
    mean, spread
        (units,) mean and standard deviation of the value, its group's uncertainty included.
    own_weight
        (units,) weight of the unit's own estimate, 0 to 1.
    group_weight
        (units,) weight of its group's own units in the mean of the group, 0 to 1.
    """

    mean: Reals
    spread: Reals
    own_weight: Reals
    group_weight: Reals


def shrink(estimate: Reals, variance: Reals, group: Codes) -> Shrunk:
    """Return each unit's value given its own estimate, its group and the whole.

    Two levels of normal means: values of units around their group's mean with one spread for all groups, means of
    groups around that of the whole with another; both spreads by the method of moments of DerSimonian and Laird.

    Parameters
    ----------
    estimate, variance
        (units,) own estimate and its sampling variance; an infinite variance where there is none.
    group
        (units,) group codes, 0 to n - 1.

    Source
    ------
    Morris (1983), Parametric empirical Bayes inference, JASA 78 (381): the intervals hold the uncertainty of the mean.
    DerSimonian and Laird (1986), Meta-analysis in clinical trials, Controlled Clinical Trials 7.
    """
    groups = int(group.max(initial=-1)) + 1
    known = np.isfinite(variance)
    own = np.where(known, estimate, 0.0)
    precision = np.divide(1.0, variance, out=np.zeros_like(variance), where=known)
    within = _moment_spread(own, precision, group, groups)
    weight = np.divide(1.0, variance + within, out=np.zeros_like(variance), where=known)
    total: Reals = np.bincount(group, weight, groups).astype(np.float64)
    of_group = np.divide(np.bincount(group, weight * own, groups), total, out=np.zeros(groups), where=total > 0)
    one = np.zeros(groups, np.int64)
    between = _moment_spread(of_group, total, one, 1)
    wide = np.divide(1.0, 1.0 / np.maximum(total, 1e-300) + between, out=np.zeros(groups), where=total > 0)
    whole, whole_variance = float((wide * of_group).sum() / wide.sum()), float(1.0 / wide.sum())
    share = np.where(total > 0, between / (between + 1.0 / np.maximum(total, 1e-300)), 0.0)
    middle = share * of_group + (1 - share) * whole
    middle_variance = (1 - share) * between + (1 - share) ** 2 * whole_variance
    own_share = np.where(known, within / (within + np.where(known, variance, 1.0)), 0.0)
    mean = own_share * own + (1 - own_share) * middle[group]
    spread = np.sqrt((1 - own_share) * within + (1 - own_share) ** 2 * middle_variance[group])
    return Shrunk(mean, spread, own_share, share[group])


def below_zero(mean: Reals, spread: Reals, confidence: float = 0.95) -> tuple[Reals, Reals, Reals]:
    """Return mean, lower and upper end of normal values that are known not to be above 0."""
    cut = truncnorm(a=-np.inf, b=-mean / spread, loc=mean, scale=spread)
    tail = (1 - confidence) / 2
    middle, low, high = (np.minimum(part, 0.0) for part in (cut.mean(), cut.ppf(tail), cut.ppf(1 - tail)))
    return middle, low, high


def _moment_spread(estimate: Reals, precision: Reals, group: Codes, groups: int) -> float:
    """Return the variance of true values within groups, by DerSimonian and Laird's moment, pooled over groups."""
    total = np.bincount(group, precision, groups)
    mean = np.divide(np.bincount(group, precision * estimate, groups), total, out=np.zeros(groups), where=total > 0)
    squares = np.bincount(group, precision**2, groups)
    counted = np.bincount(group, precision > 0, groups)
    excess = float((precision * (estimate - mean[group]) ** 2).sum() - np.maximum(counted - 1, 0).sum())
    scale = float((total - np.divide(squares, total, out=np.zeros(groups), where=total > 0)).sum())
    return max(excess / scale if scale > 0 else 0.0, LEAST_SPREAD**2)
