"""Units wanted within some days as a count with a given mean and variance: its quantiles, and what stock will sell."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import nbinom, poisson

Reals = NDArray[np.float64]
LEAST = 1e-9


def quantile(level: float, mean: ArrayLike, variance: ArrayLike) -> Reals:
    """Return the least number of units that demand stays at or below with probability ``level``.

    Negative binomial with that mean and variance; Poisson where the variance is not above the mean. Never below 0.

    Parameters
    ----------
    level
        0 < level < 1.
    mean, variance
        Any one shape, units and units squared, >= 0.

    Returns
    -------
    Whole numbers of that shape.

    Source
    ------
    Syntetos and Boylan (2006), On the stock control performance of intermittent demand estimators, Int. J. Prod. Econ.
    103(1): negative binomial demand over the lead time.
    """
    mean, variance = np.broadcast_arrays(np.asarray(mean, np.float64), np.asarray(variance, np.float64))
    units = np.where(mean > LEAST, poisson.ppf(level, np.maximum(mean, LEAST)), 0.0)
    wide = variance > mean * (1 + 1e-6) + LEAST
    wide &= mean > LEAST
    if wide.any():
        size, chance = _shape(mean[wide], variance[wide])
        units[wide] = nbinom.ppf(level, size, chance)
    return np.maximum(units, 0.0)


def expected_sold(units: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> Reals:
    """Return E[min(demand, units)]: what so many units sell of a demand with that mean and variance.

    k f(k; n, p) = n (1 - p) / p f(k - 1; n + 1, p), so the sum of the demand below ``units`` is the mean times a
    distribution function.
    """
    units, mean, variance = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (units, mean, variance)))
    safe = np.maximum(mean, LEAST)
    size, chance = _shape(safe, np.maximum(variance, safe * (1 + 1e-6) + LEAST))
    sold = safe * nbinom.cdf(units - 2, size + 1, chance) + units * nbinom.sf(units - 1, size, chance)
    return np.where(mean > LEAST, np.minimum(sold, np.minimum(units, mean)), 0.0)


def _shape(mean: Reals, variance: Reals) -> tuple[Reals, Reals]:
    return mean**2 / (variance - mean), mean / variance
