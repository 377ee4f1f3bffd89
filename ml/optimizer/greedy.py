"""The usual quick answer: from every first product, add what gains most; keep the best of these bundles."""

import numpy as np
from numba import njit

from ml.optimizer.incumbent import grow
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.rules import LARGEST_SIZE, NEVER, broken, worth


def solve_greedy(problem: BundleProblem) -> Bundle:
    """Return the positions of a feasible bundle, ascending; empty when greedy finds none."""
    found = np.full(LARGEST_SIZE, -1, np.int64)
    greedy(problem.statement, found)
    return tuple(int(item) for item in found if item >= 0)


@njit(cache=True, nogil=True)
def greedy(st, found):  # type: ignore[no-untyped-def]
    """Write the best bundle of all first products to ``found``, ascending, then -1; return its value."""
    n, best, best_size = len(st.linear), NEVER, 0
    items, gain = np.empty(len(found), np.int64), np.empty(n)
    for first in range(n):
        size = grow(st, first, st.linear, items, gain)
        if size == 0 or broken(st, items, size) != 0:
            continue
        value = worth(st, items, size)
        if value > best:
            best, best_size = value, size
            found[:size] = items[:size]
    found[best_size:] = -1
    found[:best_size].sort()
    return best
