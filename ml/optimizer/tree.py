"""Depth-first branch and bound over bundles: finds what is worth more than given numbers, or proves that nothing is.

A node is a partial bundle with the candidates that may still join it. Candidates whose optimistic value
(:mod:`ml.optimizer.bounds`) cannot beat the numbers in hand are dropped until nothing changes; of the rest, the most
promising is taken, explored, and then left out for its later siblings. Limits on price and margin enter the bound
through multipliers (:func:`ml.optimizer.relaxation.multipliers`), which are right for any multiplier of the right sign
and tight for good ones. Where a bundle still lacks an anchor or a must-include product, only those are branched on. The
numbers to beat may come from anywhere; whether they belong to real bundles is not this file's concern.
"""

import numpy as np
from numba import njit

from ml.optimizer.bounds import best_sum
from ml.optimizer.node import arrange, lacking, scan, take, target_of, tighten
from ml.optimizer.relaxation import constant
from ml.optimizer.rules import IS_ALLOWED, IS_PINNED, NEVER, NO_BUDGET, overlaps

ROUNDING = 1e-14
"""Relative to the largest term, what the rounding of a bound may cost."""


@njit(cache=True, nogil=True)
def search(st, order, promise, half_of, max_nodes, money, reward, scratch, found, worths):  # type: ignore[no-untyped-def]
    """Look for the best feasible bundles, as many as ``worths`` is long, that are worth more than it says.

    Parameters
    ----------
    st
        A :class:`ml.optimizer.rules.Statement`.
    order
        (m,) positions of the candidates in order of category, so that quotas cap the bounds.
    promise, half_of
        (n,) of :func:`ml.optimizer.relaxation.optimistic`.
    max_nodes
        After so many nodes the search stops, and what is open keeps its bound.
    money, reward
        Multipliers of price (any sign) and margin (>= 0).
    scratch
        (>= (max_size - 1) n n,) float64 to work in: a caller with many problems reuses it, since fresh memory costs
        more than the search.
    found, worths
        (bundles, LARGEST_SIZE) int64 and (bundles,): on entry the numbers to beat, descending, ``NEVER`` for none; on
        return the best bundles, each ascending and then -1, and their values.

    Returns
    -------
    tuple
        a bound that no feasible bundle exceeds that is not among the found, and the number of nodes.
    """
    rules, n, largest = st.rules, len(st.linear), st.rules.max_size
    linear, price, category, role = st.linear, st.price, st.category, st.role
    min_size, budget, quota = rules.min_size, rules.budget, rules.quota
    items = np.empty(largest, np.int64)
    pinned, has_earlier = 0, False
    for i in range(n):
        has_earlier |= st.earlier[i] != 0
        if role[i] & IS_PINNED:
            if pinned == largest:
                return NEVER, 0
            items[pinned] = i
            pinned += 1
    value, spent, held, kinds = constant(rules, money, reward), 0, 0, 0
    for a in range(pinned):
        i, alike = items[a], 1
        if not st.is_open[i]:
            return NEVER, 0
        spent += price[i]
        held |= role[i]
        value += linear[i] - money * price[i] + reward * st.margin[i]
        for b in range(a):
            if st.pair[i, items[b]] < IS_ALLOWED:
                return NEVER, 0
            value += st.pair[i, items[b]]
            alike += category[i] == category[items[b]]
        if alike > quota:
            return NEVER, 0
        kinds += alike == 1
    if spent > budget or overlaps(st, items, pinned):
        return NEVER, 0
    if pinned >= min_size:
        take(st, items, pinned, found, worths)
    picks, needed = largest - pinned, max(min_size - pinned, 0)
    if picks == 0:
        return worths[-1], 0
    largest_term = abs(value)
    for i in range(n):
        largest_term = max(largest_term, abs(promise[i]) + abs(money * price[i]) + abs(reward * st.margin[i]))
    slack = ROUNDING * largest_term
    target = target_of(worths[-1], slack)

    origin, cost, kind = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    gain0, half0, half_less0, code0 = np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int64)
    left = np.zeros(n, np.int64)
    m, codes, cheapest = 0, 0, NO_BUDGET
    for i in order:
        if not st.is_open[i] or role[i] & IS_PINNED or spent + price[i] > budget:
            continue
        joined, alike = reward * st.margin[i] - money * price[i], 0
        for a in range(pinned):
            joined += st.pair[i, items[a]]
            alike += category[i] == category[items[a]]
        if alike >= quota or joined < IS_ALLOWED:
            continue
        if m == 0 or category[origin[m - 1]] != category[i]:
            left[codes] = quota - alike
            codes += 1
        origin[m], cost[m], code0[m], kind[m] = i, price[i], codes - 1, role[i]
        gain0[m], half0[m] = linear[i] + joined, promise[i] + joined
        cheapest = min(cheapest, price[i])
        m += 1
    tops = np.empty((2, picks))
    _, others = best_sum(half0, m, code0, left, picks, picks - needed, tops[0], tops[1])
    kept = 0
    for a in range(m):
        if value + half0[a] + others > target:
            origin[kept], cost[kept], code0[kept], kind[kept] = origin[a], cost[a], code0[a], kind[a]
            gain0[kept], half0[kept] = gain0[a], half_of[origin[a]]
            kept += 1
    m = kept
    if picks == 1:
        for a in range(m):
            if value + gain0[a] > target:
                items[pinned] = origin[a]
                take(st, items, pinned + 1, found, worths)
        return worths[-1], 1
    if picks == 2:
        lacks = lacking(rules, held)
        for a in range(m):
            if pinned + 1 >= min_size and value + gain0[a] > target:
                items[pinned] = origin[a]
                take(st, items, pinned + 1, found, worths)
        scan(
            st, items, pinned, value, spent, held, lacks, st.pair, m, origin, np.arange(m), gain0, origin, cost, slack,
            found, worths
        )  # fmt: skip
        return worths[-1], 1
    line0, member0, bound0 = origin[:m].copy(), np.arange(m), np.empty(m)
    pair = scratch[: m * m].reshape((m, m))
    work = np.empty((2 * picks, n))
    m = tighten(
        st.pair, n, pair, line0, gain0, member0, code0, m, left, picks, needed, target - value, half0, half_less0,
        bound0, work
    )  # fmt: skip

    # One row a depth; the last two products are scanned as pairs, and nothing is stacked for them.
    depths, used = picks - 1, len(pair) ** 2
    pairs = scratch[used : used + (depths - 2) * m * m].reshape((depths - 2, m, m))
    gain, half, half_less, bound = (
        np.empty((depths, m)),
        np.empty((depths, m)),
        np.empty((depths, m)),
        np.empty((depths, m)),
    )
    member, code = np.empty((depths, m), np.int64), np.empty((depths, m), np.int64)
    line, place = np.empty((depths, m), np.int64), np.empty((depths, m), np.int64)
    count, at, branches = np.zeros(depths, np.int64), np.zeros(depths, np.int64), np.zeros(depths, np.int64)
    values, spents = np.empty(depths), np.empty(depths, np.int64)
    helds, kindss = np.empty(depths, np.int64), np.empty(depths, np.int64)
    for a in range(m):
        gain[0, a], half[0, a], half_less[0, a], bound[0, a] = gain0[a], half0[a], half_less0[a], bound0[a]
        member[0, a], code[0, a] = member0[a], code0[a]
    count[0], values[0], spents[0], helds[0], kindss[0] = m, value, spent, held, kinds
    branches[0] = arrange(bound[0], m, member[0], kind, lacking(rules, held), line[0], place[0])
    depth, nodes, open_bound = 0, 1, NEVER

    while depth >= 0:
        w = pair if depth == 0 else pairs[depth - 1]
        t = at[depth]
        a = line[depth, t] if t < branches[depth] else 0
        if t >= branches[depth] or values[depth] + bound[depth, a] <= target:
            depth -= 1
            if depth >= 0:
                left[code[depth, line[depth, at[depth] - 1]]] += 1
            continue
        nodes += 1
        if nodes > max_nodes:
            for above in range(depth + 1):
                if at[above] < branches[above]:
                    open_bound = max(open_bound, values[above] + bound[above, line[above, at[above]]])
            break
        at[depth] = t + 1
        i = member[depth, a]
        size, picks = pinned + depth + 1, largest - pinned - depth - 1
        items[size - 1] = origin[i]
        value, spent, held = values[depth] + gain[depth, a], spents[depth] + cost[i], helds[depth] | kind[i]
        lacks = lacking(rules, held)
        if size >= min_size and value > target:
            take(st, items, size, found, worths)
            target = target_of(worths[-1], slack)
        kinds = kindss[depth] + 1
        for b in range(size - 1):
            if category[items[b]] == category[origin[i]]:
                kinds = kindss[depth]
        if kinds + picks < rules.min_categories or (has_earlier and overlaps(st, items, size)):
            continue
        needed = max(min_size - size, 0)
        room = budget - spent - max(needed - 1, 0) * cheapest
        below, m = depth + 1, count[depth]
        left[code[depth, a]] -= 1
        children, has_lacking = 0, lacks == 0
        for b in range(m):
            x = member[depth, b]
            if place[depth, b] <= t or w[a, b] < IS_ALLOWED or left[code[depth, b]] < 1 or cost[x] > room:
                continue
            member[below, children], code[below, children], line[below, children] = x, code[depth, b], b
            gain[below, children] = gain[depth, b] + w[a, b]
            half[below, children] = gain[below, children] + half[depth, b]
            has_lacking |= (kind[x] & lacks) != 0
            children += 1
        kept = 0
        if children >= max(needed, 1) and has_lacking:
            whole, others = best_sum(half[below], children, code[below], left, picks, picks - needed, tops[0], tops[1])
            floor = target - value
            if whole > floor:
                for b in range(children):
                    if half[below, b] + others > floor:
                        member[below, kept], code[below, kept] = member[below, b], code[below, b]
                        gain[below, kept], line[below, kept] = gain[below, b], line[below, b]
                        half[below, kept] = half_less[depth, line[below, b]]
                        kept += 1
        if kept > 0 and picks == 2:
            for b in range(kept):
                if size + 1 >= min_size and value + gain[below, b] > target:
                    items[size] = origin[member[below, b]]
                    take(st, items, size + 1, found, worths)
            scan(
                st, items, size, value, spent, held, lacks, w, kept, line[below], member[below], gain[below], origin,
                cost, slack, found, worths
            )  # fmt: skip
            target = target_of(worths[-1], slack)
        elif kept > 0:
            kept = tighten(
                w, m, pairs[depth], line[below], gain[below], member[below], code[below], kept, left, picks, needed,
                floor, half[below], half_less[below], bound[below], work
            )  # fmt: skip
            if kept > 0:
                depth = below
                count[depth], values[depth], spents[depth], helds[depth], kindss[depth] = (
                    kept,
                    value,
                    spent,
                    held,
                    kinds,
                )
                at[depth] = 0
                branches[depth] = arrange(bound[depth], kept, member[depth], kind, lacks, line[depth], place[depth])
                continue
        left[code[depth, a]] += 1
    return max(worths[-1], open_bound + slack) if open_bound > NEVER else worths[-1], nodes
