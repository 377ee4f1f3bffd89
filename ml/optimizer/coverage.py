"""Bundles that a shop lists for everybody: the K of a pool that together hold something good for each customer.

A list is worth, summed over the customers, what its best bundle is worth to each: facility location, which is monotone
and submodular. Greedy choice reaches 1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher 1978, An analysis of
approximations for maximizing submodular set functions, Math. Program. 14). Here it is made lazily (Minoux 1978,
Accelerated greedy algorithms for maximizing submodular set functions), improved by exchanges of one bundle (Whitaker
1983, A fast algorithm for the greedy interchange for large-scale clustering and median location problems, INFOR 21),
and certified by the Lagrangian bound of Cornuejols, Fisher and Nemhauser (1977, Location of bank accounts to optimize
float, Manag. Sci. 23). Choice and certificate are about the bundles of the pool; of others they say nothing.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from ml.errors import DataError

MAX_EXCHANGES = 1000
BOUND_STEPS = 100
"""Steps that tighten the bound; each reads the matrix once or twice."""

_LEAST_IMPROVEMENT = 1e-9
"""Share of the value that an exchange must add: far above rounding, so that exchanges come to an end."""
_PATIENCE = 5
"""Steps without a better bound before the steps are halved."""


@dataclass(frozen=True)
class Coverage:
    """A list of bundles and the proof of how good it is.

    Attributes
    ----------
    chosen
        (<= K,) rows of the matrix, each the one of the list that adds most to those before it. A bundle that adds
        nothing to the others is left out.
    gains
        (<= K,) > 0, descending: what each adds to those before it.
    value
        Sum over the customers of the largest worth on the list; the sum of the gains.
    upper_bound
        No K rows of the matrix have a larger value. Bundles that are no row of it are not spoken of.
    gap_pct
        What may be missing to the best K rows, in per cent of the bound.
    exchanges
        How many bundles were exchanged after the greedy choice.
    """

    chosen: NDArray[np.int64]
    gains: NDArray[np.float64]
    value: float
    upper_bound: float
    gap_pct: float
    exchanges: int


class _Worths(NamedTuple):
    """Bundle b is worth ``worth[e]`` to ``customer[e]`` for e in ``starts[b]:starts[b + 1]``, nothing to others."""

    starts: NDArray[np.int64]
    customer: NDArray[np.int32]
    worth: NDArray[np.float64]


def cover(worths: Any, bundles: int, max_exchanges: int = MAX_EXCHANGES, bound_steps: int = BOUND_STEPS) -> Coverage:
    """Return a list of at most ``bundles`` rows that covers the customers well, with a bound on the best list.

    Equal gains are decided for the lowest row, so the same matrix gives the same list.

    Parameters
    ----------
    worths
        (B, U) sparse matrix or array of scipy, finite, >= 0: what each candidate bundle is worth to each customer.
    bundles
        K, at least 1; may exceed B.
    max_exchanges
        Cap on the exchanges; 0 leaves the greedy choice.
    bound_steps
        Cap on the steps that tighten the bound; 0 leaves the bound that the greedy choice gives by itself.

    Raises
    ------
    DataError
        When ``bundles`` is below 1, a cap is negative, or ``worths`` is no valid matrix of finite numbers >= 0.
    """
    if bundles < 1:
        raise DataError(f"bundles: got {bundles}, must be at least 1")
    if max_exchanges < 0 or bound_steps < 0:
        raise DataError(f"max_exchanges {max_exchanges} and bound_steps {bound_steps} must be >= 0")
    matrix = _checked(worths)
    rows, customers = _rows(matrix), matrix.shape[1]
    chosen, gains, level, bound = _greedy(rows, customers, bundles)
    exchanges = 0
    if len(chosen) == bundles:  # else all bundles together are worth no more
        chosen, exchanges = _exchange(rows, customers, chosen, max_exchanges)
    if exchanges:
        chosen.sort()
        order, gains, _, _ = _greedy(_rows(matrix[chosen]), customers, bundles)
        chosen = chosen[order]
    value = float(gains.sum())
    bound = max(float(_tightened(rows, level, bundles, value, bound, bound_steps)), value)
    gap_pct = 100 * (bound - value) / bound if bound > 0 else 0.0
    return Coverage(chosen, gains, value, bound, gap_pct, int(exchanges))


def _checked(worths: Any) -> Any:
    """Return compressed rows with each customer once in a row; the caller's matrix stays as it is."""
    if getattr(worths, "ndim", 0) != 2:
        raise DataError("worths must be a matrix: candidate bundles by customers")
    matrix = sparse.csr_array(worths, dtype=np.float64)
    try:
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise DataError(f"worths is no valid sparse matrix: {error}") from error
    if not (np.isfinite(matrix.data).all() and matrix.data.min(initial=0.0) >= 0):
        raise DataError("worths must be finite and >= 0")
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def _rows(matrix: Any) -> _Worths:
    return _Worths(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)


@njit(cache=True, nogil=True)
def _gain(rows, level, bundle):  # type: ignore[no-untyped-def]
    """Return what a bundle adds where the customers already have ``level``; always summed in the same order."""
    total = 0.0
    for e in range(rows.starts[bundle], rows.starts[bundle + 1]):
        more = rows.worth[e] - level[rows.customer[e]]
        if more > 0.0:
            total += more
    return total


@njit(cache=True, nogil=True)
def _largest(gain, count):  # type: ignore[no-untyped-def]
    """Return the positions of the largest gains, equal ones from the lowest position on."""
    return np.argsort(-gain, kind="mergesort")[:count]


@njit(cache=True, nogil=True)
def _greedy(rows, customers, bundles):  # type: ignore[no-untyped-def]
    """Choose the largest gain again and again; return the rows, their gains, and a bound with the level it stands at.

    A gain only shrinks as the list grows, in floating point too, so one that was computed earlier is a bound on it: a
    bundle whose gain is up to date and still on top is the largest, and any K such bounds at any list bound the rest.

    Returns
    -------
    chosen, gains
        (<= bundles,) rows and gains > 0.
    level
        (customers,) what the customers have where the bound is least, among the lists of 0 to ``bundles``.
    bound
        Value of that list and the K largest gains at it, as far as they are known.
    """
    candidates = len(rows.starts) - 1
    level = np.zeros(customers)
    gain, computed_at = np.empty(candidates), np.zeros(candidates, np.int64)
    for b in range(candidates):
        gain[b] = _gain(rows, level, b)
    chosen, gains = np.empty(candidates, np.int64), np.empty(candidates)
    size, value = 0, 0.0
    bound, bound_level = gain[_largest(gain, bundles)].sum(), level.copy()
    while size < min(bundles, candidates):
        top = np.argmax(gain)
        if gain[top] <= 0.0:
            break
        if computed_at[top] < size:
            gain[top], computed_at[top] = _gain(rows, level, top), size
            continue
        chosen[size], gains[size] = top, gain[top]
        size, value, gain[top] = size + 1, value + gain[top], 0.0
        for e in range(rows.starts[top], rows.starts[top + 1]):
            level[rows.customer[e]] = max(level[rows.customer[e]], rows.worth[e])
        here = value + gain[_largest(gain, bundles)].sum()
        if here < bound:
            bound = here
            bound_level[:] = level
    return chosen[:size], gains[:size], bound_level, bound


@njit(cache=True, nogil=True)
def _serve(rows, chosen, best, owner, loss):  # type: ignore[no-untyped-def]
    """Fill in what each customer gets from the list, and what the list loses with each of its bundles.

    Parameters
    ----------
    best
        (customers, 2): largest and second largest worth.
    owner
        (customers,) place in ``chosen`` of the largest, -1 for none.
    loss
        (chosen,) value of the list less its value without the bundle.
    """
    best[:] = 0.0
    owner[:] = -1
    loss[:] = 0.0
    for k in range(len(chosen)):
        for e in range(rows.starts[chosen[k]], rows.starts[chosen[k] + 1]):
            u, worth = rows.customer[e], rows.worth[e]
            if worth > best[u, 0]:
                best[u, 1], best[u, 0], owner[u] = best[u, 0], worth, k
            elif worth > best[u, 1]:
                best[u, 1] = worth
    value = 0.0
    for u in range(len(owner)):
        if owner[u] >= 0:
            loss[owner[u]] += best[u, 0] - best[u, 1]
            value += best[u, 0]
    return value


@njit(cache=True, nogil=True)
def _exchange(rows, customers, chosen, max_exchanges):  # type: ignore[no-untyped-def]
    """Take each candidate in turn for the bundle that is best given up for it, while that pays; return list and count.

    Ends when a whole round of the candidates found nothing. A bundle of the list has nothing to gain here either.
    """
    candidates = len(rows.starts) - 1
    chosen = chosen.copy()
    best, owner, loss = np.empty((customers, 2)), np.empty(customers, np.int32), np.empty(len(chosen))
    value = _serve(rows, chosen, best, owner, loss)
    net_loss = np.empty(len(chosen))
    exchanges, idle, b = 0, 0, -1
    while idle < candidates and exchanges < max_exchanges:
        b, idle = (b + 1) % candidates, idle + 1
        gain = 0.0
        net_loss[:] = loss
        for e in range(rows.starts[b], rows.starts[b + 1]):
            u, worth = rows.customer[e], rows.worth[e]
            gain += max(worth - best[u, 0], 0.0)
            if owner[u] >= 0 and worth > best[u, 1]:  # b would make up for part of what its owner leaves behind
                net_loss[owner[u]] -= min(worth, best[u, 0]) - best[u, 1]
        out = np.argmin(net_loss)
        if gain - net_loss[out] <= _LEAST_IMPROVEMENT * value:
            continue
        chosen[out] = b
        value = _serve(rows, chosen, best, owner, loss)
        exchanges, idle = exchanges + 1, 0
    return chosen, exchanges


@njit(cache=True, nogil=True)
def _tightened(rows, level, bundles, value, bound, steps):  # type: ignore[no-untyped-def]
    """Return the least bound met by subgradient steps from ``level``, or ``bound`` where none is less.

    Whatever level each customer is granted for nothing, no list is worth more than these levels and the K largest
    gains above them: the bound of a list is the case where the levels are what it gives. Each step takes from the
    customers that none of these K serves above their level and grants more to those that several do.

    Parameters
    ----------
    value
        Coverage of a list, which no bound can fall below; steers the length of the steps (Polyak 1969).
    """
    candidates = len(rows.starts) - 1
    gain, slope, level = np.empty(candidates), np.empty(len(level)), level.copy()
    scale, patience = 1.0, _PATIENCE
    for _ in range(steps):
        if bound <= value * (1.0 + _LEAST_IMPROVEMENT):
            break
        for b in range(candidates):
            gain[b] = _gain(rows, level, b)
        top = _largest(gain, bundles)
        here = level.sum() + gain[top].sum()
        patience = _PATIENCE if here < bound else patience - 1
        bound = min(bound, here)
        if patience == 0:
            scale, patience = scale / 2, _PATIENCE
        slope[:] = 1.0
        for b in top:
            for e in range(rows.starts[b], rows.starts[b + 1]):
                if rows.worth[e] > level[rows.customer[e]]:
                    slope[rows.customer[e]] -= 1.0
        square = 0.0
        for u in range(len(level)):
            if level[u] > 0.0 or slope[u] < 0.0:
                square += slope[u] ** 2
        if square == 0.0:
            break
        length = scale * (here - value) / square
        for u in range(len(level)):
            level[u] = max(level[u] - length * slope[u], 0.0)
    return bound
