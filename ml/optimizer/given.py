"""What bundles that somebody else put together are worth to a customer."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.rules import LARGEST_SIZE, NEVER, broken, worth


def given_values(problem: BundleProblem, bundles: Sequence[Bundle]) -> NDArray[np.float64]:
    """Return (bundles,) the value of each, minus infinity for one that breaks a constraint.

    Parameters
    ----------
    bundles
        Positions among the candidates; at most ``LARGEST_SIZE`` each.
    """
    items = np.full((len(bundles), LARGEST_SIZE), -1, np.int64)
    for row, bundle in enumerate(bundles):
        items[row, : len(bundle)] = sorted(bundle)
    values: NDArray[np.float64] = _values(problem.statement, items)
    return np.where(values > NEVER / 2, values, -np.inf)


@njit(cache=True, nogil=True)
def _values(st, items):  # type: ignore[no-untyped-def]
    values = np.full(len(items), NEVER)
    for row in range(len(items)):
        size = 0
        while size < items.shape[1] and items[row, size] >= 0:
            size += 1
        if size > 0 and broken(st, items[row], size) == 0:
            values[row] = worth(st, items[row], size)
    return values
