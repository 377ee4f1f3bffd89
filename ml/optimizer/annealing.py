"""Simulated annealing over bundles: random walks that are cooled down until only what pays is accepted.

Kirkpatrick, Gelatt and Vecchi (1983), Optimization by simulated annealing, Science 220. A move exchanges one product
for another, adds one or drops one. A walk may pass through infeasible bundles, at a charge for what they break that
grows as the walk cools; only what :func:`ml.optimizer.rules.broken` finds feasible is remembered, so a charge that is
too low costs steps, never a bundle that may not be offered.
"""

import numpy as np
from numba import njit

from ml.optimizer.draws import below, draw, next_bits, seeded
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.rules import IS_ALLOWED, LARGEST_SIZE, NEVER
from ml.optimizer.vector import larger
from ml.optimizer.violations import ledger, remember, split, unlikely, violation

STEPS = 20_000
WALK, SHORTEST_WALK = 12, 400
"""Steps of a walk: so many a candidate, at least so many; many short walks find more than a long one."""
LEVELS = 8
"""Temperatures of a walk; the last is zero."""
HOT, COLD = 0.2, 0.04
"""First and last temperature above zero, as shares of what the best pair is worth beyond the mean one."""
LEAST_SPREAD = 0.05
"""Where all pairs are alike, this share of the best one's worth stands in for that, to walk among constraints."""
CHEAP, DEAR = 1.0, 5.0
"""First and last charge for a violation of 1, in values of the best pair."""
DROPS = 8
"""Of 64 moves that could exchange a product, so many drop it where the size is free."""

_LOW = np.uint64(0xFFFFFFFF)
_LOGS = np.log((np.arange(1024) + 0.5) / 1024)


def solve_annealing(problem: BundleProblem, seed: int = 0, steps: int = STEPS) -> Bundle:
    """Return the positions of the best feasible bundle met in ``steps`` moves, ascending; empty when none was.

    The same seed gives the same bundle, in any thread. Nothing is proven: an empty answer does not mean that no
    bundle is feasible.
    """
    found = np.full(LARGEST_SIZE, -1, np.int64)
    anneal(problem.statement, seed, steps, found)
    return tuple(int(item) for item in found if item >= 0)


@njit(cache=True, nogil=True)
def _scales(st, others, count):  # type: ignore[no-untyped-def]
    """Return what the best pair is worth with a product's own value, and how much that is beyond the mean pair."""
    largest, total, pairs = 0.0, 0.0, 1
    for a in range(count):
        i, top = others[a], 0.0
        for b in range(a):
            value = st.pair[i, others[b]]
            if value > IS_ALLOWED:
                top = max(top, value)
                total += value
                pairs += 1
        largest = max(largest, top + abs(st.linear[i]))
    if largest == 0.0:
        return 1.0, LEAST_SPREAD
    return largest, max(largest - total / pairs, LEAST_SPREAD * largest)


@njit(cache=True, nogil=True, inline="always")
def _meet(pair, item, charge, sign, gain):  # type: ignore[no-untyped-def]
    """Add to each product's gain (n,) what it is worth with ``item``; a pair that may not meet costs ``charge``."""
    for i in range(len(gain)):
        gain[i] += sign * larger(pair[item, i], -charge)


@njit(cache=True, nogil=True)
def anneal(st, seed, steps, found):  # type: ignore[no-untyped-def]
    """Return the value of the best feasible bundle met, ``NEVER`` when none was.

    Parameters
    ----------
    st
        A :class:`ml.optimizer.rules.Statement`.
    steps
        Moves to try, over all walks; each costs the same whatever the number of candidates, unless it is made.
    found
        (LARGEST_SIZE,) int64: gets the positions of that bundle, ascending, then -1.
    """
    rules, pair, n = st.rules, st.pair, len(st.linear)
    found[:] = -1
    items, trial, others = np.empty(len(found), np.int64), np.empty(len(found), np.int64), np.empty(n, np.int64)
    pinned, m = split(st, items, others)
    if pinned < 0:
        return NEVER
    if pinned == rules.max_size or m == 0:
        return remember(st, items, pinned, NEVER, found)
    largest, spread = _scales(st, others, m)
    facts, per_price, per_margin = ledger(st)
    state, has_threshold, best = seeded(seed), rules.least_joint > 0.0, NEVER
    cooling, growth = (COLD / HOT) ** (1.0 / (LEVELS - 2)), (DEAR / CHEAP) ** (1.0 / (LEVELS - 2))
    slots, drops = rules.max_size - pinned, DROPS if rules.min_size < rules.max_size else 0
    gain, is_in = np.empty(n), np.zeros(n, np.bool_)
    taken, moves = 0, max(1, min(steps, max(WALK * n, SHORTEST_WALK)) // LEVELS)
    while taken < steps:
        is_in[:] = False
        size = pinned + min(m, slots)
        for a in range(pinned, size):
            x = a - pinned
            y = x + draw(state, m - x)
            others[x], others[y] = others[y], others[x]
            items[a] = others[x]
            is_in[items[a]] = True
        best = remember(st, items, size, best, found)
        charge, heat = CHEAP * largest, HOT * spread
        for level in range(LEVELS):
            gain[:] = st.linear
            for a in range(size):
                _meet(pair, items[a], charge, 1.0, gain)
            value = 0.0
            for a in range(size):  # a product's gain holds the charge for meeting itself
                value += 0.5 * (st.linear[items[a]] + gain[items[a]] + charge)
            debt = charge * violation(facts, rules, items, size, per_price, per_margin)
            if has_threshold:
                debt += charge * unlikely(st, items, size)
            for _ in range(min(moves, steps - taken)):
                taken += 1
                bits = next_bits(state)
                j, low = others[below(bits, m)], np.int64(bits & _LOW)
                if is_in[j]:
                    continue
                a, needed = pinned + ((low & 0xFFFF) * slots >> 16), heat * _LOGS[(low >> 16) & 0x3FF]
                if a >= size:
                    a, after, change = size, size + 1, gain[j]
                elif size > rules.min_size and low >> 26 < drops:
                    j, after, change = -1, size - 1, -gain[items[a]] - charge
                else:
                    after, change = size, gain[j] - larger(pair[j, items[a]], -charge) - gain[items[a]] - charge
                if change + debt < needed:  # not even without any violation
                    continue
                for b in range(size):
                    trial[b] = items[b]
                trial[a] = j if j >= 0 else items[size - 1]
                owed = charge * violation(facts, rules, trial, after, per_price, per_margin)
                if has_threshold:
                    owed += charge * unlikely(st, trial, after)
                if change + debt - owed < needed:
                    continue
                if a < size:
                    is_in[items[a]] = False
                    _meet(pair, items[a], charge, -1.0, gain)
                if j >= 0:
                    is_in[j] = True
                    _meet(pair, j, charge, 1.0, gain)
                value, debt, size = value + change, owed, after
                for b in range(size):
                    items[b] = trial[b]
                if debt <= 0.0 and value > best:
                    best = remember(st, items, size, best, found)
            charge *= growth
            heat = heat * cooling if level < LEVELS - 2 else 0.0
    return best
