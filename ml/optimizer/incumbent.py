"""A good bundle quickly: greedy from many first products, then exchanges of one product while they pay."""

import numpy as np
from numba import njit

from ml.optimizer.rules import IS_ALLOWED, IS_PINNED, NEVER, broken, worth


@njit(cache=True, nogil=True)
def grow(st, first, guide, items, gain):  # type: ignore[no-untyped-def]
    """Grow a bundle from ``first`` (or from the pinned products alone when -1); return its size, 0 when stuck.

    Parameters
    ----------
    guide
        (n,) added to a product's gain when choosing, not when valuing: steers towards what the budget allows.
    items, gain
        (LARGEST_SIZE,) filled with the bundle; (n,) to work in.
    """
    rules, n, size = st.rules, len(st.linear), 0
    for i in range(n):
        gain[i] = guide[i] if st.is_open[i] else NEVER
    for i in range(n):
        if (st.role[i] & IS_PINNED) != 0 and i != first:
            if size == rules.max_size or gain[i] < IS_ALLOWED:
                return 0
            size = _add(st, i, size, items, gain)
    if first >= 0:
        if size == rules.max_size or gain[first] < IS_ALLOWED:
            return 0
        size = _add(st, first, size, items, gain)
    while size < rules.max_size:
        price, lacks = 0, rules.needs
        for a in range(size):
            price += st.price[items[a]]
            lacks &= ~st.role[items[a]]
        room, left = rules.budget - price, rules.max_size - size
        best, best_gain = -1, IS_ALLOWED
        for i in range(n):
            if gain[i] > best_gain and st.price[i] <= room:
                if lacks and left == 1 and (lacks & ~st.role[i]):
                    continue
                alike = 0
                for a in range(size):
                    alike += st.category[items[a]] == st.category[i]
                if alike < rules.quota:
                    best, best_gain = i, gain[i]
        if best < 0:
            break
        if size >= rules.min_size and not lacks and best_gain <= 0.0 and broken(st, items, size) == 0:
            break
        size = _add(st, best, size, items, gain)
    return size


@njit(cache=True, nogil=True)
def _add(st, item, size, items, gain):  # type: ignore[no-untyped-def]
    items[size] = item
    row = st.pair[item]
    for i in range(len(gain)):
        gain[i] += row[i]
    gain[item] = NEVER
    return size + 1


@njit(cache=True, nogil=True)
def improve(st, items, size, value, gain):  # type: ignore[no-untyped-def]
    """Exchange one product for another, add one or drop one, best first, while that pays; return size and value."""
    rules, n = st.rules, len(st.linear)
    clashes, trial = np.empty(n, np.int64), np.empty(len(items), np.int64)
    while True:
        for i in range(n):
            gain[i] = st.linear[i]
            clashes[i] = 0 if st.is_open[i] else 2
        for a in range(size):
            row = st.pair[items[a]]
            for i in range(n):
                if row[i] > IS_ALLOWED:
                    gain[i] += row[i]
                else:
                    clashes[i] += 1
        best_gain, out, into = 1e-12 * abs(value), -1, -1
        for a in range(size + (size < rules.max_size)):  # a == size: nothing goes out
            is_exchange = a < size
            row = st.pair[items[a]] if is_exchange else st.pair[items[0]]
            loss = gain[items[a]] if is_exchange else 0.0
            if is_exchange:
                if (st.role[items[a]] & IS_PINNED) != 0:
                    continue
                if size > rules.min_size and -loss > best_gain:
                    trial[:size] = items[:size]
                    trial[a] = items[size - 1]
                    if broken(st, trial, size - 1) == 0:
                        best_gain, out, into = -loss, a, -1
            for j in range(n):
                is_clash = is_exchange and row[j] < IS_ALLOWED
                change = gain[j] - loss
                if is_exchange and not is_clash:
                    change -= row[j]
                if change > best_gain and clashes[j] == is_clash:
                    trial[:size] = items[:size]
                    trial[a] = j
                    if broken(st, trial, max(size, a + 1)) == 0:
                        best_gain, out, into = change, a, j
        if out < 0:
            return size, value
        if into >= 0:
            items[out] = into
            size = max(size, out + 1)
        else:
            items[out] = items[size - 1]
            size -= 1
        value = worth(st, items, size)


@njit(cache=True, nogil=True)
def start(st, promise, money, reward, seeds, found):  # type: ignore[no-untyped-def]
    """Return the value of the best bundle of several greedy starts after exchanges, ``NEVER`` when all are stuck.

    Parameters
    ----------
    promise
        (n,) of :func:`ml.optimizer.relaxation.optimistic`: the most promising products are tried first.
    money, reward
        Multipliers of price and margin, which steer the choice; see :func:`ml.optimizer.relaxation.multipliers`.
    seeds
        How many first products are tried; all of them where none of these leads to a feasible bundle.
    found
        (LARGEST_SIZE,) int64: positions of the bundle, ascending, then -1.
    """
    n = len(st.linear)
    gain, guide, order = np.empty(n), np.empty(n), np.empty(n)
    items, kept = np.empty(len(found), np.int64), np.empty(len(found), np.int64)
    for i in range(n):
        steer = -money * st.price[i] + reward * st.margin[i]
        guide[i] = st.linear[i] + steer
        order[i] = promise[i] + steer if st.is_open[i] else NEVER
    best, best_size, tried = NEVER, 0, 0
    while tried < n and (tried < seeds or best_size == 0):
        first = np.argmax(order)
        if order[first] < IS_ALLOWED:
            break
        order[first] = NEVER
        tried += 1
        size = grow(st, first, guide, items, gain)
        if size == 0 or broken(st, items, size) != 0:
            continue
        value = worth(st, items, size)
        if value > best:
            best, best_size = value, size
            kept[:size] = items[:size]
    if best_size > 0:
        best_size, best = improve(st, kept, best_size, best, gain)
    found[:] = -1
    found[:best_size] = np.sort(kept[:best_size])
    return best
