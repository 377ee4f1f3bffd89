"""By how much a bundle breaks the rules, for searches that may pass through what is not feasible.

Whether a bundle may be offered is decided by :func:`ml.optimizer.rules.broken` alone, which :func:`remember` asks.
"""

import numpy as np
from numba import njit

from ml.optimizer.rules import IS_PINNED, broken, joint_probability, worth

MOST_UNLIKELY = 2.0
"""A joint probability below its threshold counts in powers of e, up to this many."""

_PRICE, _MARGIN, _CATEGORY, _ROLE, _EARLIER = range(5)


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
    lacks = rules.needs & ~held
    while lacks:
        total += 1
        lacks &= lacks - 1
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
