"""Simulated annealing over bundles: random walks that are cooled down until only what pays is accepted.

Kirkpatrick, Gelatt and Vecchi (1983), Optimization by simulated annealing, Science 220. A move exchanges one product
for another, adds one or drops one. A walk may pass through infeasible bundles, at a charge for what they break that
grows as the walk cools; only what :func:`ml.optimizer.rules.broken` finds feasible is remembered, so a charge that is
too low costs steps, never a bundle that may not be offered.
"""

import numpy as np
from numba import njit

from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.rules import (
    IS_ALLOWED,
    IS_ANCHOR,
    IS_PINNED,
    IS_WANTED,
    LARGEST_SIZE,
    NEVER,
    broken,
    joint_probability,
    worth,
)
from ml.optimizer.vector import larger

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
MOST_UNLIKELY = 2.0
"""A joint probability below its threshold counts in powers of e, up to this many."""

_WEYL, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_27, _30, _31, _32, _LOW = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32), np.uint64(0xFFFFFFFF)
_LOGS = np.log((np.arange(1024) + 0.5) / 1024)
_PRICE, _MARGIN, _CATEGORY, _ROLE, _EARLIER = range(5)


def solve_annealing(problem: BundleProblem, seed: int = 0, steps: int = STEPS) -> Bundle:
    """Return the positions of the best feasible bundle met in ``steps`` moves, ascending; empty when none was.

    The same seed gives the same bundle, in any thread. Nothing is proven: an empty answer does not mean that no
    bundle is feasible.
    """
    found = np.full(LARGEST_SIZE, -1, np.int64)
    anneal(problem.statement, seed, steps, found)
    return tuple(int(item) for item in found if item >= 0)


@njit(cache=True, nogil=True, inline="always")
def draw(state, count):  # type: ignore[no-untyped-def]
    """Return a random number of 0 to ``count - 1`` from a (1,) uint64 state, which moves on."""
    state[0] += _WEYL
    return _below(_mixed(state[0]), count)


@njit(cache=True, nogil=True, inline="always")
def _mixed(state):  # type: ignore[no-untyped-def]
    """Return the 64 random bits of a state: Steele, Lea and Flood (2014), Fast splittable PRNGs, OOPSLA."""
    first = (state ^ (state >> _30)) * _FIRST
    second = (first ^ (first >> _27)) * _SECOND
    return second ^ (second >> _31)


@njit(cache=True, nogil=True, inline="always")
def _below(bits, count):  # type: ignore[no-untyped-def]
    """Return a number of 0 to ``count - 1`` from the upper 32 bits."""
    return np.int64(((bits >> _32) * np.uint64(count)) >> _32)


@njit(cache=True, nogil=True)
def seeded(seed):  # type: ignore[no-untyped-def]
    """Return the (1,) uint64 state of :func:`draw` for a seed; neighbouring seeds start far apart."""
    return np.full(1, _mixed(np.uint64(seed) + _WEYL), np.uint64)


@njit(cache=True, nogil=True)
def split(st, pins, others):  # type: ignore[no-untyped-def]
    """Tell pinned candidates from the others that are open; return how many of each, -1 pins when nothing can fit."""
    pinned, count = 0, 0
    for i in range(len(st.role)):
        if st.role[i] & IS_PINNED:
            if pinned == st.rules.max_size or not st.is_open[i]:
                return -1, 0
            pins[pinned] = i
            pinned += 1
        elif st.is_open[i]:
            others[count] = i
            count += 1
    return (pinned if pinned + count >= st.rules.min_size else -1), count


@njit(cache=True, nogil=True)
def ledger(st):  # type: ignore[no-untyped-def]
    """Return what :func:`violation` reads, (n, 5) int64 in one piece, and the units of price and margin.

    A unit is one over the mean of the candidates: to be a mean product's price over the budget is a violation of 1.
    """
    n, price, margin = len(st.linear), 0.0, 0.0
    facts = np.empty((n, 5), np.int64)
    for i in range(n):
        facts[i, _PRICE], facts[i, _MARGIN], facts[i, _CATEGORY] = st.price[i], st.margin[i], st.category[i]
        facts[i, _ROLE], facts[i, _EARLIER] = st.role[i], st.earlier[i]
        price += st.price[i]
        margin += abs(st.margin[i]) if st.is_open[i] else 0
    return facts, n / max(price, 1.0), n / max(margin, 1.0)


@njit(cache=True, nogil=True)
def violation(facts, rules, items, size, per_price, per_margin):  # type: ignore[no-untyped-def]
    """Return by how much ``items[:size]`` break the rules, in products; 0 when they keep to all that is measured.

    That is all but pairs that may not meet, the joint probability (:func:`unlikely`), and size, pinned and open
    products, which the callers' moves keep to.
    """
    price, margin, kinds, held, seen, total = 0, 0, 0, 0, 0, 0
    for a in range(size):
        i, alike = items[a], 1
        price += facts[i, _PRICE]
        margin += facts[i, _MARGIN]
        held |= facts[i, _ROLE]
        seen |= facts[i, _EARLIER]
        for b in range(a):
            alike += facts[items[b], _CATEGORY] == facts[i, _CATEGORY]
        kinds += alike == 1
        total += alike > rules.quota
    total += max(0, rules.min_categories - kinds)
    total += rules.needs_anchor and not held & IS_ANCHOR
    total += rules.needs_wanted and not held & IS_WANTED
    bundle = 0
    while seen >> bundle:
        shared = 0
        for a in range(size):
            shared += (facts[items[a], _EARLIER] >> bundle) & 1
        total += max(0, shared - rules.max_overlap)
        bundle += 1
    short = max(0, rules.min_margin - margin) if rules.has_margin_floor else 0
    return total + per_price * (max(0, price - rules.budget) + max(0, rules.min_price - price)) + per_margin * short


@njit(cache=True, nogil=True)
def unlikely(st, items, size):  # type: ignore[no-untyped-def]
    """Return how far the joint probability is below its threshold; 0 when it is not, or there is none."""
    joint, least = joint_probability(st, items, size), st.rules.least_joint
    return 0.0 if joint >= least else min(MOST_UNLIKELY, np.log(least / max(joint, 1e-300)))


@njit(cache=True, nogil=True)
def remember(st, items, size, best, found):  # type: ignore[no-untyped-def]
    """Enter ``items[:size]`` into ``found``, ascending and then -1, if feasible and worth more than ``best``.

    Return the value of what is in ``found`` now.
    """
    ordered = np.sort(items[:size])
    value = worth(st, ordered, size)
    if value <= best or broken(st, ordered, size) != 0:
        return best
    found[:] = -1
    found[:size] = ordered
    return value


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
                state[0] += _WEYL
                bits = _mixed(state[0])
                j, low = others[_below(bits, m)], np.int64(bits & _LOW)
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
