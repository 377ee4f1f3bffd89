"""How many whole bundles a basket holds, where buyers take more than one unit of its products."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

Reals = NDArray[np.float64]

MOST_SETS = 24
STEPS = 61


def mean_sets(units: Reals) -> Reals:
    """Return (n,) the whole bundles in a basket that holds all (n, parts) with these mean units, each >= 1.

    Units beyond the first are Poisson and independent, and a bundle takes one of each part, so there are as many as
    the least of them: E[min] = sum of P(all parts >= j).
    """
    more = np.maximum(units - 1.0, 0.0)[:, None, :]
    needed = np.arange(MOST_SETS)[None, :, None]
    return np.asarray(poisson.sf(needed - 1, more).prod(axis=2).sum(axis=1))


def sets_growth(units_per_basket: Reals, ratio: Reals, most: float) -> Reals:
    """Return the bundles in a basket over those at usual units, where all parts' units grow by ``ratio``.

    Parameters
    ----------
    units_per_basket
        (parts,) >= 1.
    ratio
        Any shape, 1 to ``most``.
    """
    grid = np.linspace(1.0, most, STEPS)
    sets = mean_sets(grid[:, None] * units_per_basket)
    return np.interp(ratio, grid, sets / sets[0])
