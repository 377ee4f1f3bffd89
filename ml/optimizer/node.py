"""What is done at one node of the tree: tighten, put in line, scan the last two products, take what is better."""

import numpy as np
from numba import njit

from ml.optimizer.bounds import halves, reach
from ml.optimizer.rules import IS_ALLOWED, broken, worth

SAME = 1e-12
"""Relative: two sums of the same numbers in different order differ by less."""


@njit(cache=True, nogil=True)
def target_of(best, slack):  # type: ignore[no-untyped-def]
    """Return what a bound must exceed to be looked at: more than ``best``, and more than rounding."""
    return best + SAME * abs(best) - slack if best > IS_ALLOWED else IS_ALLOWED


@njit(cache=True, nogil=True)
def lacking(rules, held):  # type: ignore[no-untyped-def]
    """Return the first role that a bundle still must get, 0 for none."""
    lacks = rules.needs & ~held
    return lacks & -lacks


@njit(cache=True, nogil=True)
def take(st, items, size, found, worths):  # type: ignore[no-untyped-def]
    """Enter a bundle among the best found, if it is feasible and worth more than the last of them."""
    ordered = np.sort(items[:size])
    value = worth(st, ordered, size)
    rank = len(worths) - 1
    if value <= worths[rank] or broken(st, ordered, size) != 0:
        return
    while rank > 0 and worths[rank - 1] < value:
        worths[rank] = worths[rank - 1]
        found[rank] = found[rank - 1]
        rank -= 1
    worths[rank] = value
    found[rank] = -1
    found[rank, :size] = ordered


@njit(cache=True, nogil=True)
def scan(  # type: ignore[no-untyped-def]
    st, items, size, value, spent, held, lacks, w, m, line, member, gain, origin, cost, slack, found, worths
):
    """Try all pairs of candidates as the last two of a bundle."""
    floor = target_of(worths[-1], slack) - value
    budget, min_price, role = st.rules.budget - spent, st.rules.min_price - spent, st.role
    for a in range(m):
        row, i = w[line[a]], member[a]
        for b in range(a + 1, m):
            if gain[a] + gain[b] + row[line[b]] <= floor:
                continue
            j = member[b]
            total = cost[i] + cost[j]
            if total > budget or total < min_price:
                continue
            if lacks and not (role[origin[i]] | role[origin[j]]) & lacks:
                continue
            items[size], items[size + 1] = origin[i], origin[j]
            take(st, items, size + 2, found, worths)
            floor = target_of(worths[-1], slack) - value


@njit(cache=True, nogil=True)
def tighten(  # type: ignore[no-untyped-def]
    source, width, pair, line, gain, member, code, count, left, picks, needed, floor, half, half_less, bound, work
):
    """Drop candidates whose optimistic value does not exceed ``floor`` until few fall; return how many are left.

    The first look is at rows ``line`` of ``source`` with the ``half`` that is given, which may be too high; what
    survives is copied to ``pair``, and looked at with halves of its own.
    """
    is_first = True
    while count >= max(needed, 1):
        if is_first:
            reach(source, line, gain, half, count, width, code, left, picks, needed, bound, work)
        else:
            halves(pair, line, count, count, code, left, picks, half, half_less, work)
            reach(pair, line, gain, half, count, count, code, left, picks, needed, bound, work)
        kept = 0
        for x in range(count):
            if bound[x] > floor:
                gain[kept], member[kept], code[kept], line[kept] = gain[x], member[x], code[x], line[x]
                half[kept], half_less[kept], bound[kept] = half[x], half_less[x], bound[x]
                kept += 1
        if is_first:
            _copy(source, line, pair, kept)
        elif kept < count:
            _copy(pair, line, pair, kept)
        for x in range(kept):
            line[x] = x
        if not is_first and kept > 0.8 * count:
            return kept if kept >= needed else 0
        is_first, count = False, kept
    return 0


@njit(cache=True, nogil=True)
def _copy(source, line, pair, count):  # type: ignore[no-untyped-def]
    """Copy rows and columns ``line[:count]``, ascending; source and target may be the same."""
    for x in range(count):
        row = line[x]
        for y in range(count):
            pair[x, y] = source[row, line[y]]


@njit(cache=True, nogil=True)
def arrange(bound, m, member, kind, lacks, line, place):  # type: ignore[no-untyped-def]
    """Put candidates in line, those of the lacking role first, then the most promising; return how many to branch on.

    Without a lacking role that is all of them. ``place`` is the inverse of ``line``.
    """
    branches = m
    if lacks:
        branches = 0
        for a in range(m):
            branches += (kind[member[a]] & lacks) != 0
    for a in range(m):
        is_first = lacks == 0 or (kind[member[a]] & lacks) != 0
        t = a
        while t > 0:
            other = line[t - 1]
            is_other_first = lacks == 0 or (kind[member[other]] & lacks) != 0
            if is_other_first > is_first or (is_other_first == is_first and bound[other] >= bound[a]):
                break
            line[t] = other
            t -= 1
        line[t] = a
    for t in range(m):
        place[line[t]] = t
    return branches
