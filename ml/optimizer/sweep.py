"""Moves of the stock-coupled assignment: customers take turns, and one may send others elsewhere."""

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
    market, crowd, columns, turns, most_gone, dual, left, held, value, max_holders, max_nodes, work
):
    """Give customers a better bundle of theirs of which products are gone, if holders can move elsewhere at less loss.

    An ejection chain (Glover 1996, Discrete Appl. Math. 65) of at most ``most_gone`` holders: for each product that is
    gone the holder who loses least moves to the best of what is left, or to nothing. Where the losses exceed the gain,
    everybody goes back.

    Parameters
    ----------
    turns
        (U, T) columns that each customer tries, in this order.
    most_gone
        A bundle of which more products are gone is not tried.
    left, held, value
        As in :func:`sweep`; updated.
    max_holders
        At most so many holders of a product are asked.

    Returns
    -------
    int
        How many bundles were got so.
    """
    customers, size = held.shape
    lists = (
        np.full(len(left), -1, np.int64),
        np.full(customers * size, -1, np.int64),
        np.full(customers * size, -1, np.int64),
    )
    for u in range(customers):
        _link(u, held, lists)
    count, fresh = 0, np.empty(size, np.int32)
    movers, old_held, old_value = np.empty(size + 1, np.int64), np.empty((size + 1, size), np.int32), np.empty(size + 1)
    for u in range(customers):
        for turn in turns[u]:
            wanted, wanted_value = columns.product[u, turn], columns.value[u, turn]
            if wanted[0] < 0:
                continue
            now = priced(held[u], value[u], dual)
            gain = priced(wanted, wanted_value, dual) - now
            if gain <= LEAST_GAIN * (abs(now) + 1e-6) or _gone(wanted, held[u], left) > most_gone:
                continue
            movers[0], old_held[0], old_value[0] = u, held[u], value[u]
            _move(u, wanted, wanted_value, held, value, left, lists)
            moved = 1
            for product in wanted:
                if product < 0 or left[product] >= 0:
                    continue  # there, or freed by a holder who moved for another product
                holder, holder_value, gain = _who_loses_least(
                    market,
                    crowd,
                    columns,
                    u,
                    product,
                    gain,
                    dual,
                    left,
                    held,
                    value,
                    max_holders,
                    max_nodes,
                    work,
                    lists,
                    fresh,
                )
                if holder < 0:
                    break
                movers[moved], old_held[moved], old_value[moved] = holder, held[holder], value[holder]
                _move(holder, fresh, holder_value, held, value, left, lists)
                moved += 1
            if _gone(wanted, wanted, left) == 0:
                count += 1
                continue
            for number in range(moved - 1, -1, -1):
                _move(movers[number], old_held[number], old_value[number], held, value, left, lists)
    return count


@njit(cache=True, nogil=True)
def _gone(wanted, held, left):  # type: ignore[no-untyped-def]
    """Return how many products of a bundle are gone for a customer who gives back what is held."""
    gone = 0
    for product in wanted:
        if product >= 0 and left[product] + (held == product).any() < 1:
            gone += 1
    return gone


@njit(cache=True, nogil=True)
def _who_loses_least(  # type: ignore[no-untyped-def]
    market, crowd, columns, u, product, gain, dual, left, held, value, max_holders, max_nodes, work, lists, fresh
):
    """Find the holder of a product, other than u, who loses least by moving, and less than ``gain``.

    Returns
    -------
    tuple
        the holder, -1 for none; what the new bundle, written to ``fresh``, is worth; and what remains of the gain.
    """
    head, after, _ = lists
    best_gain, best_holder, best_value = 0.0, -1, 0.0
    entry, asked = head[product], 0
    while entry >= 0 and asked < max_holders:
        holder = entry // held.shape[1]
        entry = after[entry]
        if holder == u:
            continue
        asked += 1
        old = priced(held[holder], value[holder], dual)
        _hand(held[holder], left, 1)
        if gain - old > best_gain:  # with nothing at all, the holder loses what it has
            best_gain, best_holder, best_value = gain - old, holder, 0.0
            fresh[:] = -1
        floor = old - gain + best_gain + LEAST_GAIN * (abs(old) + 1e-6)
        kept, _ = best_of(market, crowd, holder, columns, dual, left, 1, floor, max_nodes, work)
        if kept > 0 and work.found[0, 0] >= 0:
            best_gain, best_holder = gain - old + work.worths[0], holder
            write_bundle(crowd, holder, work.kept, work.found[0], fresh)
            best_value = work.worths[0] - priced(fresh, 0.0, dual)
        _hand(held[holder], left, -1)
    return best_holder, best_value, best_gain


@njit(cache=True, nogil=True)
def _move(u, bundle, worth, held, value, left, lists):  # type: ignore[no-untyped-def]
    """Let a customer give back what is held and take a bundle, whether it is there or not."""
    _unlink(u, held, lists)
    _hand(held[u], left, 1)
    held[u], value[u] = bundle, worth
    _hand(held[u], left, -1)
    _link(u, held, lists)


@njit(cache=True, nogil=True)
def _link(u, held, lists):  # type: ignore[no-untyped-def]
    """Enter a customer in the lists of who holds what: the first entry of each product, and each one's neighbours."""
    (head, after, before), size = lists, held.shape[1]
    for a in range(size):
        product, entry = held[u, a], u * size + a
        if product >= 0:
            after[entry], before[entry] = head[product], -1
            if head[product] >= 0:
                before[head[product]] = entry
            head[product] = entry


@njit(cache=True, nogil=True)
def _unlink(u, held, lists):  # type: ignore[no-untyped-def]
    (head, after, before), size = lists, held.shape[1]
    for a in range(size):
        product, entry = held[u, a], u * size + a
        if product >= 0:
            if before[entry] >= 0:
                after[before[entry]] = after[entry]
            else:
                head[product] = after[entry]
            if after[entry] >= 0:
                before[after[entry]] = before[entry]
