"""How far demand strays from its forecast, learned from forecasts of past weeks: variances for count distributions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ml.demand.counts import quantile
from ml.demand.sales import Reals

WINDOWS = (1, 7, 14, 28)
"""Days that are summed; what lies between is interpolated, and longer sums stray like the longest."""
LEAST_CASES = 30
OWN_CASES = 8.0
"""Cases of the class that a product's own errors are weighed against."""
MOST_OWN = 4.0
"""One freak sale makes no product wilder than this."""
LEVELS, FACTORS, MOST_CASES = (0.5, 0.9, 0.97), (0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4), 4000
"""Quantiles that the variances are sharpened by, what they may be multiplied with, and how many cases are looked at."""
CAUTIOUS = (1.0, 1.0)
"""Variance = mean + mean squared, while there is no past to learn from."""


@dataclass(frozen=True)
class Spread:
    """Variance of the units wanted in some days, given their expected number m: a m + b m^2, times the product's own.

    Attributes
    ----------
    terms
        (P, W, 2) a and b of each product's class at each of ``WINDOWS``.
    own
        (P,) how much more a product strays than its class.
    """

    terms: Reals
    own: Reals

    def variance(self, mean: Reals, days: NDArray[np.int64]) -> Reals:
        """Return (P, ...) the variance of sums over ``days``, at least the mean.

        Parameters
        ----------
        mean
            (P, ...) expected units of each sum.
        days
            (P,) days of each product's sums, >= 1.
        """
        place = np.interp(days, WINDOWS, np.arange(len(WINDOWS)))
        low = np.minimum(place.astype(np.int64), len(WINDOWS) - 2)
        weight = (place - low)[:, None]
        rows = np.arange(len(low))
        linear, square = ((1 - weight) * self.terms[rows, low] + weight * self.terms[rows, low + 1]).T
        shape = (-1,) + (1,) * (mean.ndim - 1)
        strays = self.own.reshape(shape) * (linear.reshape(shape) * mean + square.reshape(shape) * mean**2)
        return np.maximum(mean, strays)


def spread_of(means: Sequence[Reals], units: Sequence[Reals], classes: NDArray[np.str_]) -> Spread:
    """Return the spread of each product.

    First by squared errors, then sharpened: a few freak sales make variances that no count distribution of the usual
    sales has, and stock by them would stand for years. So each class's variances are multiplied with the factor by
    which the quantiles of past sums lose least.

    Parameters
    ----------
    means, units
        Of each past morning (P, 28) what was forecast and what came, NaN where unknown.
    classes
        (P,) kind of demand.
    """
    cases = {window: _cases(means, units, window) for window in WINDOWS}
    terms = np.empty((len(classes), len(WINDOWS), 2))
    for place, window in enumerate(WINDOWS):
        everybody = _terms(cases[window], np.ones(len(classes), np.bool_), CAUTIOUS)
        for name in np.unique(classes):
            terms[classes == name, place] = _terms(cases[window], classes == name, everybody)
    own = _own(cases, terms)
    for place, window in enumerate(WINDOWS):
        for name in np.unique(classes):
            is_in = classes == name
            terms[is_in, place] *= _sharpest(cases[window], is_in, terms[:, place], own)
    return Spread(terms, own)


Cases = tuple[NDArray[np.int64], Reals, Reals, Reals]
"""Product, expected units, squared error and units of each sum."""


def _cases(means: Sequence[Reals], units: Sequence[Reals], window: int) -> Cases:
    """Return all sums over ``window`` days that are wholly known, one beside the other."""
    parts: list[Cases] = []
    for mean, came in zip(means, units, strict=True):
        count = mean.shape[1] // window
        shape = len(mean), count, window
        expected = mean[:, : count * window].reshape(shape).sum(axis=2)
        total = came[:, : count * window].reshape(shape).sum(axis=2)
        product, place = np.nonzero(~np.isnan(total))
        own, sold = expected[product, place], total[product, place]
        parts.append((product, own, (own - sold) ** 2, sold))
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0)
    product, own, squared, sold = (np.concatenate(column) for column in zip(*parts, strict=True))
    return product, own, squared, sold


def _terms(cases: Cases, is_in: NDArray[np.bool_], otherwise: tuple[float, float]) -> tuple[float, float]:
    """Return a and b by least squares, both >= 0, each case weighed by its size."""
    product, mean, squared, _ = cases
    chosen = is_in[product] & (mean > 0)
    if chosen.sum() < LEAST_CASES:
        return otherwise
    weight = 1 / (mean[chosen] + mean[chosen] ** 2)
    (linear, square), _ = nnls(
        np.column_stack([mean[chosen], mean[chosen] ** 2]) * weight[:, None], squared[chosen] * weight
    )
    return float(linear), float(square)


def _sharpest(cases: Cases, is_in: NDArray[np.bool_], terms: Reals, own: Reals) -> float:
    """Return the factor of the variance with the least pinball loss at ``LEVELS``, each case by its own size."""
    product, mean, _, came = cases
    chosen = np.flatnonzero(is_in[product] & (mean > 0))
    if len(chosen) < LEAST_CASES:
        return 1.0
    chosen = chosen[:: -(-len(chosen) // MOST_CASES)]
    product, mean, came = product[chosen], mean[chosen], came[chosen]
    strays = own[product] * (terms[product, 0] * mean + terms[product, 1] * mean**2)
    losses = []
    for factor in FACTORS:
        stated = ((level, came - quantile(level, mean, np.maximum(mean, factor * strays))) for level in LEVELS)
        own_losses = [np.maximum(level * short, (level - 1) * short) / np.sqrt(mean + 1) for level, short in stated]
        losses.append(float(np.sum(own_losses)))
    return FACTORS[int(np.argmin(losses))]


def _own(cases: Mapping[int, Cases], terms: Reals) -> Reals:
    """Return (P,) squared errors of weeks over those that the class makes expect, ``OWN_CASES`` of the class added."""
    place = 1
    product, mean, squared, _ = cases[WINDOWS[place]]
    expected = terms[product, place, 0] * mean + terms[product, place, 1] * mean**2
    ratio = np.divide(squared, expected, out=np.ones_like(squared), where=expected > 0)
    sums, counts = (np.bincount(product, weights, len(terms)) for weights in (ratio, None))
    return np.minimum((sums + OWN_CASES) / (counts + OWN_CASES), MOST_OWN)
