"""The best bundle over all candidates, proven: a quick incumbent, then the tree search that beats it or proves it."""

from typing import NamedTuple

import numpy as np
from numba import njit

from ml.optimizer.incumbent import start
from ml.optimizer.node import SAME
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.relaxation import multipliers, optimistic
from ml.optimizer.rules import LARGEST_SIZE, NEVER
from ml.optimizer.tree import search

SEEDS = 8
"""Greedy starts; more cost more than the nodes they save."""
MAX_NODES = 200_000


class Proof(NamedTuple):
    """What a search found and proved.

    Attributes
    ----------
    items
        Positions of the bundle, ascending; empty when none was found.
    bound
        No feasible bundle is worth more; minus infinity when there is none.
    nodes
        Partial bundles that were looked at.
    """

    items: Bundle
    bound: float
    nodes: int


class Better(NamedTuple):
    """How many bundles are worth more than a number.

    Attributes
    ----------
    number
        Those that were found.
    is_exact
        Whether these are all: neither the cap on the count nor the one on the work was reached.
    """

    number: int
    is_exact: bool


def solve_exact(problem: BundleProblem, max_nodes: int = MAX_NODES) -> Proof:
    """Return a best feasible bundle with its bound; a cap on the work leaves the bound looser, never wrong."""
    found = np.full(LARGEST_SIZE, -1, np.int64)
    scratch = np.empty((problem.limits.max_size - 1) * problem.candidates**2)
    _, bound, nodes = best_bundle(problem.statement, SEEDS, NEVER, max_nodes, scratch, found)
    return Proof(tuple(int(item) for item in found if item >= 0), _finite(bound), int(nodes))


def upper_bound(problem: BundleProblem, objective: float = -np.inf, max_nodes: int = MAX_NODES) -> float:
    """Return a number that neither ``objective`` nor the value of any feasible bundle exceeds.

    Found by the tree alone, without the code that made ``objective``, wherever that came from. Minus infinity when
    no bundle is feasible and none was claimed.
    """
    found = np.full(LARGEST_SIZE, -1, np.int64)
    scratch = np.empty((problem.limits.max_size - 1) * problem.candidates**2)
    _, bound, _ = best_bundle(problem.statement, 0, max(objective, NEVER), max_nodes, scratch, found)
    return max(_finite(bound), objective)


def count_better(problem: BundleProblem, objective: float, most: int, max_nodes: int = MAX_NODES) -> Better:
    """Return how many feasible bundles are worth more than ``objective``, counted up to ``most``."""
    found = np.full((most, LARGEST_SIZE), -1, np.int64)
    beaten = objective + SAME * abs(objective)
    scratch = np.empty((problem.limits.max_size - 1) * problem.candidates**2)
    _, nodes = best_bundles(problem.statement, max_nodes, scratch, found, np.full(most, beaten))
    number = int((found[:, 0] >= 0).sum())
    return Better(number, number < most and nodes <= max_nodes)


def _finite(bound: float) -> float:
    return float(bound) if bound > NEVER / 2 else -np.inf


@njit(cache=True, nogil=True)
def best_bundle(st, seeds, best, max_nodes, scratch, found):  # type: ignore[no-untyped-def]
    """Return value, bound and nodes of one statement.

    Parameters
    ----------
    seeds
        Greedy starts of the incumbent; 0 for the tree alone.
    best
        Number to beat; ``NEVER`` for none.
    scratch
        (>= (max_size - 1) n n,) float64 to work in.
    found
        (LARGEST_SIZE,) int64, filled with -1: gets the positions of a bundle worth more than ``best``, ascending.
    """
    order = np.argsort(st.category, kind="mergesort")
    promise, half = np.empty(len(st.linear)), np.empty(len(st.linear))
    optimistic(st, order, promise, half)
    money, reward = multipliers(st, promise)
    worths = np.full(1, best)
    if seeds > 0:
        value = start(st, promise, money, reward, seeds, found)
        if value > best:
            worths[0] = value
        else:
            found[:] = -1
    founds = found.reshape((1, len(found)))
    bound, nodes = search(st, order, promise, half, max_nodes, money, reward, scratch, founds, worths)
    return worths[0], bound, nodes


@njit(cache=True, nogil=True)
def best_bundles(st, max_nodes, scratch, found, worths):  # type: ignore[no-untyped-def]
    """Find the best bundles, as many as ``worths`` is long, that are worth more than it says; return bound and nodes.

    ``found`` is (bundles, LARGEST_SIZE); see :func:`ml.optimizer.tree.search`.
    """
    order = np.argsort(st.category, kind="mergesort")
    promise, half = np.empty(len(st.linear)), np.empty(len(st.linear))
    optimistic(st, order, promise, half)
    money, reward = multipliers(st, promise)
    return search(st, order, promise, half, max_nodes, money, reward, scratch, found, worths)
