"""Optimistic values: what a candidate could be worth in the best bundle one may dream of.

For a set R of r candidates with gains g (own value plus pairs with what is already chosen) and pair values w >= 0,

    value(R) = sum_j g_j + sum_{i<j} w_ij.

If c is one of R, every other j of R adds at most ``g_j + w_cj + half of its r - 2 largest pairs``; the best r - 1 of
these bound every set that holds c. Categories are capped on the way: no more of one category are counted than may be
chosen. This file knows no solver and no incumbent. Loops run over columns of a row-major matrix, so that the compiler
makes vector instructions of them; a sorted list of the largest values is kept by exchanging minimum and maximum.
"""

from numba import njit

from ml.optimizer.rules import NEVER
from ml.optimizer.vector import larger, smaller

# Rows are named by matrix and number: a view of a row costs more than what is done with a short one.


@njit(cache=True, nogil=True)
def _fill(tops, rank, value, m):  # type: ignore[no-untyped-def]
    for c in range(m):
        tops[rank, c] = value


@njit(cache=True, nogil=True)
def _one(tops, rank, rows, y, add, m):  # type: ignore[no-untyped-def]
    for c in range(m):
        tops[rank, c] = larger(tops[rank, c], rows[y, c] + add)


@njit(cache=True, nogil=True)
def _two(tops, rank, rows, y, add, m):  # type: ignore[no-untyped-def]
    for c in range(m):
        value, high = rows[y, c] + add, tops[rank, c]
        tops[rank, c] = larger(value, high)
        tops[rank + 1, c] = larger(smaller(value, high), tops[rank + 1, c])


@njit(cache=True, nogil=True)
def _two_and_rest(tops, rank, rows, y, add, rest, m):  # type: ignore[no-untyped-def]
    for c in range(m):
        value, high, next_high = rows[y, c] + add, tops[rank, c], tops[rank + 1, c]
        tops[rank, c] = larger(value, high)
        low = smaller(value, high)
        tops[rank + 1, c] = larger(low, next_high)
        rest[0, c] = smaller(low, next_high)


@njit(cache=True, nogil=True)
def _push(tops, ranks, rows, y, add, rest, m):  # type: ignore[no-untyped-def]
    """Insert ``rows[y, :m] + add`` into the descending ``tops[:ranks, :m]``, column by column; rest is (1, >= m)."""
    if ranks == 1:
        _one(tops, 0, rows, y, add, m)
    elif ranks == 2:
        _two(tops, 0, rows, y, add, m)
    else:
        _two_and_rest(tops, 0, rows, y, add, rest, m)
        rank = 2
        while ranks - rank > 2:
            _two_and_rest(tops, rank, rest, 0, 0.0, rest, m)
            rank += 2
        if ranks - rank == 2:
            _two(tops, rank, rest, 0, 0.0, m)
        else:
            _one(tops, rank, rest, 0, 0.0, m)


@njit(cache=True, nogil=True)
def _best_of_some(own, quota, pair, line, extra, start, end, rest, m):  # type: ignore[no-untyped-def]
    """Fill ``own[:quota, :m]`` with the largest of the rows ``line[start:end]``; more rows than the quota."""
    first, second = line[start], line[start + 1]
    add, more = extra[start], extra[start + 1]
    if quota == 1:
        for c in range(m):
            own[0, c] = larger(pair[first, c] + add, pair[second, c] + more)
        for place in range(start + 2, end):
            _one(own, 0, pair, line[place], extra[place], m)
        return
    for c in range(m):
        value, other = pair[first, c] + add, pair[second, c] + more
        own[0, c] = larger(value, other)
        own[1, c] = smaller(value, other)
    for rank in range(2, quota):
        _fill(own, rank, NEVER, m)
    for place in range(start + 2, end):
        _push(own, quota, pair, line[place], extra[place], rest, m)


@njit(cache=True, nogil=True)
def column_tops(pair, line, extra, count, m, code, left, ranks, optional, work):  # type: ignore[no-untyped-def]
    """Fill ``work[:ranks, :m]`` with the largest ``pair[line[x], c] + extra[x]`` over x, for each column c.

    Parameters
    ----------
    pair
        (>= m, >= m).
    line, extra, code
        (>= count,) row numbers, what is added to each, and its category as ascending codes: rows of one category
        stand together.
    left
        By code: how many of the category may still be chosen.
    ranks, optional
        How many values are kept; ``optional`` of them need not be chosen, so as many zeros compete.
    work
        (>= 2 ranks + 1, >= m); beyond the result it is used up.
    """
    own, rest = work[ranks : 2 * ranks], work[2 * ranks :]
    for rank in range(ranks):
        _fill(work, rank, 0.0 if rank < optional else NEVER, m)
    start = 0
    while start < count:
        end = start + 1
        while end < count and code[end] == code[start]:
            end += 1
        quota = min(left[code[start]], ranks)
        if end - start <= quota:
            for place in range(start, end):
                _push(work, ranks, pair, line[place], extra[place], rest, m)
        elif quota > 0:
            _best_of_some(own, quota, pair, line, extra, start, end, rest, m)
            for rank in range(quota):
                _push(work, ranks, own, rank, 0.0, rest, m)
        start = end


@njit(cache=True, nogil=True)
def halves(pair, line, count, m, code, left, picks, half, half_less, work):  # type: ignore[no-untyped-def]
    """Fill half of the ``picks - 2`` largest pair values of each column, and half of the ``picks - 3`` largest.

    ``half`` and ``half_less`` are (>= m,); ``work`` (>= 2 picks, >= m). The rest as in :func:`column_tops`.
    """
    ranks = picks - 2
    zeros = work[2 * picks - 1]
    for x in range(count):
        zeros[x] = 0.0
    column_tops(pair, line, zeros, count, m, code, left, ranks, ranks, work)
    for c in range(m):
        total = 0.0
        for rank in range(ranks - 1):
            total += work[rank, c]
        half_less[c] = 0.5 * total
        half[c] = 0.5 * (total + work[ranks - 1, c])


@njit(cache=True, nogil=True)
def reach(pair, line, gain, half, count, m, code, left, picks, needed, bound, work):  # type: ignore[no-untyped-def]
    """Fill ``bound[:count]``: no set of ``needed`` to ``picks`` candidates that holds x adds more than ``bound[x]``.

    Parameters
    ----------
    line
        (>= count,) ascending row and column of each candidate in ``pair``.
    gain, half
        (>= count,) of each candidate: what it adds to what is chosen; half of at least its ``picks - 2`` largest pairs.
    picks, needed
        Most and fewest candidates that are still to be chosen; picks >= 2.
    work
        (>= 2 picks, >= m) to work in.
    """
    others, extra = picks - 1, work[2 * picks - 1]
    for x in range(count):
        extra[x] = gain[x] + half[x]
    column_tops(pair, line, extra, count, m, code, left, others, picks - max(needed, 1), work)
    for x in range(count):
        total, c = gain[x], line[x]
        for rank in range(others):
            total += work[rank, c]
        bound[x] = total


@njit(cache=True, nogil=True)
def best_sum(values, m, category, left, picks, optional, tops, own):  # type: ignore[no-untyped-def]
    """Return the sum of the ``picks`` largest of ``values[:m]`` within the quotas, and of the ``picks - 1`` largest.

    The last ``optional`` of them count at least 0. ``tops`` and ``own`` are (>= picks,) to work in.
    """
    for rank in range(picks):
        tops[rank] = 0.0 if rank < optional else NEVER
    start = 0
    while start < m:
        code = category[start]
        quota = min(left[code], picks)
        for rank in range(quota):
            own[rank] = NEVER
        end = start
        while end < m and category[end] == code:
            if quota > 0:
                _keep(own, quota, values[end])
            end += 1
        for rank in range(quota):
            if own[rank] > NEVER:
                _keep(tops, picks, own[rank])
        start = end
    total = 0.0
    for rank in range(picks - 1):
        total += tops[rank]
    return total + tops[picks - 1], total


@njit(cache=True, nogil=True)
def _keep(tops, ranks, value):  # type: ignore[no-untyped-def]
    """Insert a value into a short descending list; the smallest falls out."""
    if value <= tops[ranks - 1]:
        return
    rank = ranks - 1
    while rank > 0 and tops[rank - 1] < value:
        tops[rank] = tops[rank - 1]
        rank -= 1
    tops[rank] = value
