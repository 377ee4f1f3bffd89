"""Best bundles of many customers at given prices a unit: the kernels of the stock-coupled assignment.

Each customer holds a few bundles found before (columns). Where the best of them at the new prices cannot be beaten,
which half sums of the largest pairs tell at once, nothing is built and nothing searched; otherwise the tree search
gets the candidates that could matter and the number to beat.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.optimizer.market import Pairs, statement_of
from ml.optimizer.relaxation import multipliers, optimistic
from ml.optimizer.rules import IS_ANCHOR, IS_PINNED, LARGEST_SIZE, NEVER
from ml.optimizer.tree import search

LEAST_GAIN = 1e-9
"""Relative to what is in hand: a bundle must be worth so much more to replace it, so that rounding moves nobody."""


class Columns(NamedTuple):
    """What is known of each customer: bundles in hand, and what spares searching for better ones.

    Attributes
    ----------
    pairs
        Those with evidence among the candidates.
    product
        (U, C, K) int32 codes, ascending; -1 after the last, and throughout where there is no bundle.
    value
        (U, C) what each is worth without prices.
    half
        (U, n) half of the largest pair values of each candidate: what it could bring at best.
    money
        (U,) multiplier of the price limits that made the last bound tight: any is valid, a good one spares the search.
    """

    pairs: Pairs
    product: NDArray[np.int32]
    value: NDArray[np.float64]
    half: NDArray[np.float32]
    money: NDArray[np.float64]


class Bench(NamedTuple):
    """Memory to work in, one for each thread.

    Attributes
    ----------
    place
        (n,) int64.
    matrices, scratch
        (2 n n,) and ((K - 1) n n,) float64.
    found, worths
        (bundles, LARGEST_SIZE) and (bundles,): what :func:`best_of` returns, as positions among ``kept``.
    kept, reach
        (n,) int64 and float64.
    """

    place: NDArray[np.int64]
    matrices: NDArray[np.float64]
    scratch: NDArray[np.float64]
    found: NDArray[np.int64]
    worths: NDArray[np.float64]
    kept: NDArray[np.int64]
    reach: NDArray[np.float64]


def bench(candidates: int, max_size: int, bundles: int) -> Bench:
    """Return memory for one thread that looks for so many bundles a customer at a time."""
    return Bench(
        np.empty(candidates, np.int64),
        np.empty(2 * candidates**2),
        np.empty((max_size - 1) * candidates**2),
        np.empty((bundles, LARGEST_SIZE), np.int64),
        np.empty(bundles),
        np.empty(candidates, np.int64),
        np.empty(candidates),
    )


@njit(cache=True, nogil=True)
def fill_halves(market, crowd, first, last, columns, work):  # type: ignore[no-untyped-def]
    """Fill the halves of customers ``first`` to ``last``, rounded up; no price adds to them."""
    free, half = np.zeros(len(market.price)), columns.half
    for u in range(first, last):
        m = 0
        while m < crowd.product.shape[1] and crowd.product[u, m] >= 0:
            work.kept[m] = m
            m += 1
        st = _statement(market, crowd, columns.pairs, u, m, free, work)
        order = np.argsort(st.category, kind="mergesort")
        promise, less = np.empty(m), np.empty(m)
        optimistic(st, order, promise, less)
        for a in range(m):
            half[u, a] = np.float32((promise[a] - st.linear[a]) * (1.0 + 1e-6))


@njit(cache=True, nogil=True)
def _statement(market, crowd, pairs, u, m, dual, work):  # type: ignore[no-untyped-def]
    pair = work.matrices[: m * m].reshape((m, m))
    joint = work.matrices[m * m : 2 * m * m].reshape((m, m))
    return statement_of(market, crowd, pairs, u, work.kept, m, dual, work.place, pair, joint)


@njit(cache=True, nogil=True)
def best_of(market, crowd, u, columns, dual, left, units, floor, max_nodes, work):  # type: ignore[no-untyped-def]
    """Find the best bundles of customer u worth more than ``floor`` at prices ``dual``.

    Parameters
    ----------
    columns
        Their ``half`` and ``money`` are read, and ``money`` is brought up to date.
    left
        (I,) units left; a product with less than ``units`` is out.
    work
        A :class:`Bench`; its ``found`` holds positions among its ``kept``, its ``worths`` values at these prices.

    Returns
    -------
    tuple
        how many candidates are in ``kept``, 0 when nothing was searched; and a bound on everything that was not found.
    """
    kept = _in_question(market, crowd, u, columns, dual, left, units, floor, work)
    if kept < market.rules.min_size:
        return 0, floor
    st = _statement(market, crowd, columns.pairs, u, kept, dual, work)
    for a in range(kept):
        st.is_open[a] = left[crowd.product[u, work.kept[a]]] >= units
    work.worths[:] = floor
    work.found[:] = -1
    order = np.argsort(st.category, kind="mergesort")
    promise, half = np.empty(kept), np.empty(kept)
    optimistic(st, order, promise, half)
    money, reward = multipliers(st, promise)
    columns.money[u] = money
    bound, _ = search(st, order, promise, half, max_nodes, money, reward, work.scratch, work.found, work.worths)
    return kept, bound


@njit(cache=True, nogil=True)
def _in_question(market, crowd, u, columns, dual, left, units, floor, work):  # type: ignore[no-untyped-def]
    """List in ``work.kept`` the candidates that a bundle worth more than ``floor`` could hold; return how many.

    The bound of a bundle is the sum of what each candidate could bring, less the multiplier for money times its price;
    where an anchor is asked for, the best of them is one of the bundle.
    """
    rules, money, product_of, role, price = market.rules, columns.money[u], crowd.product, crowd.role, market.price
    half, own, cost, reach = columns.half, crowd.own, market.cost_per_product, work.reach
    picks, n = rules.max_size, product_of.shape[1]
    best, size, m, anchor = np.full(picks, NEVER), 0, 0, NEVER
    needs_anchor = ((rules.needs | crowd.needs[u]) & IS_ANCHOR) != 0
    for i in range(n):
        product = product_of[u, i]
        if product < 0:
            break
        m += 1
        if left[product] < units and (role[u, i] & IS_PINNED) == 0:
            reach[i] = NEVER
            continue
        value = own[u, i] - cost - dual[product] - money * price[product] + half[u, i]
        reach[i] = value
        if (role[u, i] & IS_ANCHOR) != 0:
            anchor = max(anchor, value)
        if size == picks and value <= best[picks - 1]:
            continue
        rank = min(size, picks - 1)
        while rank > 0 and best[rank - 1] < value:
            best[rank] = best[rank - 1]
            rank -= 1
        best[rank] = value
        size = min(size + 1, picks)
    if size < rules.min_size or (needs_anchor and anchor == NEVER):
        return 0
    limit = money * crowd.budget[u] if money > 0.0 else money * crowd.min_price[u]
    all_but_one, all_but_two = limit, limit
    for rank in range(min(size, picks - 1)):
        all_but_one += best[rank] if rank < rules.min_size - 1 else max(best[rank], 0.0)
        if rank < picks - 2:
            all_but_two += best[rank] if rank < rules.min_size - 2 else max(best[rank], 0.0)
    with_anchor = min(all_but_one, anchor + all_but_two) if needs_anchor else all_but_one
    kept = 0
    for i in range(m):
        is_anchor, is_pinned = (role[u, i] & IS_ANCHOR) != 0, (role[u, i] & IS_PINNED) != 0
        others = all_but_one if is_anchor else with_anchor
        if is_pinned or (reach[i] > NEVER and reach[i] + others > floor):
            work.kept[kept] = i
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def priced(product, value, dual):  # type: ignore[no-untyped-def]
    """Return the value of a bundle (K,) of product codes at prices."""
    for a in range(len(product)):
        if product[a] >= 0:
            value -= dual[product[a]]
    return value


@njit(cache=True, nogil=True)
def write_bundle(crowd, u, kept, found, target):  # type: ignore[no-untyped-def]
    """Write the products of a found bundle to ``target`` (K,), ascending, then -1."""
    size = 0
    for a in range(len(target)):
        target[a] = -1
    while size < len(target) and found[size] >= 0:
        product = crowd.product[u, kept[found[size]]]
        rank = size
        while rank > 0 and target[rank - 1] > product:
            target[rank] = target[rank - 1]
            rank -= 1
        target[rank] = product
        size += 1


@njit(cache=True, nogil=True)
def price_pass(  # type: ignore[no-untyped-def]
    market, crowd, customers, columns, dual, near, max_nodes, work, there, chosen, bound
):
    """Bring each customer's columns up to date with prices: exactly the best bundle, and others nearly as good.

    Parameters
    ----------
    customers
        Which of them.
    near
        Bundles within so much of the best are taken up too, as many as ``work`` has places.
    there
        (I,) int64, 0 for a product that no bundle may hold.
    chosen, bound
        (U,) filled: the best column, -1 for none worth more than nothing; no bundle is worth more than the bound.
    """
    product, value = columns.product, columns.value
    count, fresh = product.shape[1], np.empty(product.shape[2], np.int32)
    worth = np.empty(count)
    for u in customers:
        best, place = 0.0, -1
        for c in range(count):
            worth[c] = NEVER
            if product[u, c, 0] >= 0:
                worth[c] = priced(product[u, c], value[u, c], dual)
                if worth[c] > best:
                    best, place = worth[c], c
        floor = best + LEAST_GAIN * (abs(best) + 1e-6) - near
        kept, open_bound = best_of(market, crowd, u, columns, dual, there, 1, floor, max_nodes, work)
        for rank in range(len(work.worths) if kept > 0 else 0):
            if work.found[rank, 0] < 0:
                break
            write_bundle(crowd, u, work.kept, work.found[rank], fresh)
            is_new, worst = True, 0
            for c in range(count):
                is_same = True
                for a in range(len(fresh)):
                    is_same &= product[u, c, a] == fresh[a]
                is_new &= not is_same
                if worth[c] < worth[worst]:
                    worst = c
            if is_new and worth[worst] < work.worths[rank]:
                for a in range(len(fresh)):
                    product[u, worst, a] = fresh[a]
                worth[worst] = work.worths[rank]
                value[u, worst] = work.worths[rank] - priced(fresh, 0.0, dual)
                if worth[worst] > best:
                    best, place = worth[worst], worst
        chosen[u] = place
        bound[u] = max(best, open_bound, 0.0)


@njit(cache=True, nogil=True)
def demand(product, customers, chosen, units):  # type: ignore[no-untyped-def]
    """Add to ``units`` (I,) how often the chosen columns of some customers hold each product."""
    for u in customers:
        if chosen[u] >= 0:
            for a in range(product.shape[2]):
                if product[u, chosen[u], a] >= 0:
                    units[product[u, chosen[u], a]] += 1.0
