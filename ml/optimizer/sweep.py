"""Moves of the stock-coupled assignment: customers take turns, and one may send another elsewhere."""

import numpy as np
from numba import njit

from ml.optimizer.pricing import LEAST_GAIN, best_of, priced, write_bundle


@njit(cache=True, nogil=True)
def _hand(product, left, units):  # type: ignore[no-untyped-def]
    """Give a bundle's units back (1) or take them (-1)."""
    for a in range(len(product)):
        if product[a] >= 0:
            left[product[a]] += units


@njit(cache=True, nogil=True)
def sweep(market, crowd, order, columns, dual, left, held, value, max_nodes, work):  # type: ignore[no-untyped-def]
    """Let each customer, in order, give back the bundle in hand and take the best at prices from what is left.

    Parameters
    ----------
    columns
        Halves and multipliers, see :class:`ml.optimizer.pricing.Columns`.
    left
        (I,) units left; updated.
    held, value
        (U, K) products of the bundle in hand, -1 for none, and what it is worth without prices; updated.
    """
    for u in order:
        now = 0.0
        if held[u, 0] >= 0:
            now = priced(held[u], value[u], dual)
            _hand(held[u], left, 1)
            if now < 0.0:
                held[u] = -1
                now, value[u] = 0.0, 0.0
        floor = now + LEAST_GAIN * (abs(now) + 1e-6)
        kept, _ = best_of(market, crowd, u, columns, dual, left, 1, floor, max_nodes, work)
        if kept > 0 and work.found[0, 0] >= 0:
            write_bundle(crowd, u, work.kept, work.found[0], held[u])
            value[u] = work.worths[0] - priced(held[u], 0.0, dual)
        _hand(held[u], left, -1)


@njit(cache=True, nogil=True)
def eject(  # type: ignore[no-untyped-def]
    market, crowd, order, wanted, wanted_value, columns, dual, left, held, value, max_holders, max_nodes, work
):
    """Give customers a wanted bundle of which one product is gone, if a holder of it can move elsewhere at less loss.

    Parameters
    ----------
    wanted, wanted_value
        (U, K) products of the bundle each would take at these prices were there stock, -1 for none; its value.
    max_holders
        At most so many holders of the product are asked.

    Returns
    -------
    int
        How many customers got what they wanted.
    """
    customers, size = held.shape
    head = np.full(len(left), -1, np.int64)
    after, before = np.full(customers * size, -1, np.int64), np.full(customers * size, -1, np.int64)
    for u in range(customers):
        _link(u, held, head, after, before)
    moved, best_held = 0, np.empty(size, np.int32)
    for u in order:
        if wanted[u, 0] < 0:
            continue
        now = priced(held[u], value[u], dual) if held[u, 0] >= 0 else 0.0
        gain = priced(wanted[u], wanted_value[u], dual) - now
        if gain <= LEAST_GAIN * (abs(now) + 1e-6):
            continue
        _hand(held[u], left, 1)
        gone, blocking = 0, -1
        for a in range(size):
            if wanted[u, a] >= 0 and left[wanted[u, a]] < 1:
                gone += 1
                blocking = wanted[u, a]
        if gone != 1:
            _hand(held[u], left, -1)
            continue
        _hand(wanted[u], left, -1)  # the blocking product stands at -1 until its holder has left
        best_gain, best_holder, best_value = 0.0, -1, 0.0
        entry, asked = head[blocking], 0
        while entry >= 0 and asked < max_holders:
            holder = entry // size
            entry = after[entry]
            if holder == u:
                continue
            asked += 1
            old = priced(held[holder], value[holder], dual)
            _hand(held[holder], left, 1)
            if gain - old > best_gain:  # with nothing at all, the holder loses what it has
                best_gain, best_holder, best_value = gain - old, holder, 0.0
                best_held[:] = -1
            floor = old - gain + best_gain + LEAST_GAIN * (abs(old) + 1e-6)
            kept, _ = best_of(market, crowd, holder, columns, dual, left, 1, floor, max_nodes, work)
            if kept > 0 and work.found[0, 0] >= 0:
                best_gain, best_holder = gain - old + work.worths[0], holder
                write_bundle(crowd, holder, work.kept, work.found[0], best_held)
                best_value = work.worths[0] - priced(best_held, 0.0, dual)
            _hand(held[holder], left, -1)
        if best_holder < 0:
            _hand(wanted[u], left, 1)
            _hand(held[u], left, -1)
            continue
        moved += 1
        _unlink(u, held, head, after, before)
        _unlink(best_holder, held, head, after, before)
        _hand(held[best_holder], left, 1)
        for a in range(size):
            held[best_holder, a] = best_held[a]
            held[u, a] = wanted[u, a]
        value[best_holder], value[u] = best_value, wanted_value[u]
        _hand(held[best_holder], left, -1)
        _link(best_holder, held, head, after, before)
        _link(u, held, head, after, before)
    return moved


@njit(cache=True, nogil=True)
def _link(u, held, head, after, before):  # type: ignore[no-untyped-def]
    """Enter a customer in the lists of who holds what."""
    size = held.shape[1]
    for a in range(size):
        product, entry = held[u, a], u * size + a
        if product >= 0:
            after[entry], before[entry] = head[product], -1
            if head[product] >= 0:
                before[head[product]] = entry
            head[product] = entry


@njit(cache=True, nogil=True)
def _unlink(u, held, head, after, before):  # type: ignore[no-untyped-def]
    size = held.shape[1]
    for a in range(size):
        product, entry = held[u, a], u * size + a
        if product >= 0:
            if before[entry] >= 0:
                after[before[entry]] = after[entry]
            else:
                head[product] = after[entry]
            if after[entry] >= 0:
                before[after[entry]] = before[entry]
