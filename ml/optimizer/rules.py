"""What is allowed and what it is worth, compiled: the one definition that every solver and bound reads.

A :class:`Statement` is a problem as arrays. ``broken`` and ``worth`` say whether a bundle is feasible and what its
value is; nothing else in this room decides either.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

LARGEST_SIZE = 8
NO_BUDGET = np.iinfo(np.int64).max // 16
UNKNOWN_MARGIN = np.iinfo(np.int64).min // 16
"""Sums of eight of these still fit."""

NEVER = -1e30
"""Value of a pair that may not meet: far below any sum of values, yet finite, so that sums of it stay ordered."""
IS_ALLOWED = -1e29
"""A pair above it may meet."""

IS_ANCHOR, IS_WANTED, IS_PINNED, IS_NEW, IS_RULED = 1, 2, 4, 8, 16

CONSTRAINTS = (
    "size",
    "budget",
    "min_price",
    "margin",
    "category",
    "categories",
    "anchor",
    "must_include",
    "must_include_rule",
    "discovery",
    "pinned",
    "excluded",
    "stock",
    "substitute",
    "joint_probability",
    "overlap",
)
"""Names of the constraints; bit b of :func:`broken` stands for the b-th."""
(
    SIZE,
    BUDGET,
    MIN_PRICE,
    MARGIN,
    CATEGORY,
    CATEGORIES,
    ANCHOR,
    MUST_INCLUDE,
    MUST_INCLUDE_RULE,
    DISCOVERY,
    PINNED,
    EXCLUDED,
    STOCK,
    SUBSTITUTE,
    JOINT,
    OVERLAP,
) = (1 << bit for bit in range(len(CONSTRAINTS)))


class Rules(NamedTuple):
    """The limits as numbers; see :class:`ml.optimizer.limits.Limits`.

    ``needs`` adds up the roles of which a bundle holds at least one product each.
    """

    min_size: int
    max_size: int
    min_price: int
    budget: int
    min_margin: int
    has_margin_floor: bool
    quota: int
    min_categories: int
    needs: int
    complements_only: bool
    least_joint: float
    max_overlap: int


class Statement(NamedTuple):
    """A problem of n candidates as arrays; see :class:`ml.optimizer.problem.BundleProblem`.

    Attributes
    ----------
    pair
        (n, n) float64, symmetric: value of the pair; ``NEVER`` where two may not meet, and on the diagonal.
    joint
        (n, n) float64: probability that one basket holds both.
    linear
        (n,) float64: value of the product alone less the cost of showing it.
    is_open
        (n,) in stock and not excluded.
    role
        (n,) uint8: ``IS_ANCHOR``, ``IS_WANTED``, ``IS_PINNED``, ``IS_NEW`` (the customer never bought it) and
        ``IS_RULED`` (the merchandiser wants one of these) added up.
    earlier
        (n,) int64: bit b is set where earlier bundle b holds the candidate.
    """

    pair: NDArray[np.float64]
    joint: NDArray[np.float64]
    linear: NDArray[np.float64]
    preference: NDArray[np.float64]
    price: NDArray[np.int64]
    margin: NDArray[np.int64]
    category: NDArray[np.int32]
    is_open: NDArray[np.bool_]
    role: NDArray[np.uint8]
    earlier: NDArray[np.int64]
    rules: Rules


@njit(cache=True, nogil=True)
def worth(st, items, size):  # type: ignore[no-untyped-def]
    """Return the value of ``items[:size]``: sum of the pair values and of the products' own."""
    total = 0.0
    for a in range(size):
        total += st.linear[items[a]]
        for b in range(a):
            total += st.pair[items[a], items[b]]
    return total


@njit(cache=True, nogil=True)
def broken(st, items, size):  # type: ignore[no-untyped-def]
    """Return which constraints ``items[:size]`` break, as bits; 0 for a feasible bundle.

    Items that are not open, or pairs that may not meet, give ``EXCLUDED`` and ``SUBSTITUTE``; who wants to know which
    rule closed them asks :meth:`ml.optimizer.problem.BundleProblem.violations`.
    """
    rules = st.rules
    flags = 0
    if size < rules.min_size or size > rules.max_size:
        flags |= SIZE
    price, margin, categories = 0, 0, 0
    held, pins = 0, 0
    for a in range(size):
        i = items[a]
        price += st.price[i]
        margin += st.margin[i]
        held |= st.role[i]
        pins += (st.role[i] & IS_PINNED) != 0
        if not st.is_open[i]:
            flags |= EXCLUDED
        alike = 1
        for b in range(a):
            j = items[b]
            if i == j:
                flags |= SIZE
            elif st.pair[i, j] < IS_ALLOWED:
                flags |= SUBSTITUTE
            if st.category[i] == st.category[j]:
                alike += 1
        if alike == 1:
            categories += 1
        if alike > rules.quota:
            flags |= CATEGORY
    if price > rules.budget:
        flags |= BUDGET
    if price < rules.min_price:
        flags |= MIN_PRICE
    if rules.has_margin_floor and margin < rules.min_margin:
        flags |= MARGIN
    if categories < rules.min_categories:
        flags |= CATEGORIES
    lacks = rules.needs & ~held
    if lacks & IS_ANCHOR:
        flags |= ANCHOR
    if lacks & IS_WANTED:
        flags |= MUST_INCLUDE
    if lacks & IS_RULED:
        flags |= MUST_INCLUDE_RULE
    if lacks & IS_NEW:
        flags |= DISCOVERY
    wanted_pins = 0
    for i in range(len(st.role)):
        wanted_pins += (st.role[i] & IS_PINNED) != 0
    if pins != wanted_pins:
        flags |= PINNED
    if rules.least_joint > 0.0 and joint_probability(st, items, size) < rules.least_joint:
        flags |= JOINT
    if overlaps(st, items, size):
        flags |= OVERLAP
    return flags


@njit(cache=True, nogil=True)
def overlaps(st, items, size):  # type: ignore[no-untyped-def]
    """Return whether ``items[:size]`` share more products with an earlier bundle than is allowed."""
    seen = 0
    for a in range(size):
        seen |= st.earlier[items[a]]
    bundle = 0
    while seen >> bundle:
        shared = 0
        for a in range(size):
            shared += (st.earlier[items[a]] >> bundle) & 1
        if shared > st.rules.max_overlap:
            return True
        bundle += 1
    return False


@njit(cache=True, nogil=True)
def joint_probability(st, items, size):  # type: ignore[no-untyped-def]
    """Return the estimated probability that one basket holds ``items[:size]``.

    The product of the pairs' probabilities over the product of the singles', each to the power size - 2, at most the
    least of the pairs: the superposition estimate of Kirkwood (1935), Statistical mechanics of fluid mixtures,
    J. Chem. Phys. 3. It is exact where the products are independent and leaves out what more than two have in common.
    """
    if size == 1:
        return st.preference[items[0]]
    least, log_ratio = 1.0, 0.0
    for a in range(size):
        i = items[a]
        for b in range(a):
            pair = st.joint[i, items[b]]
            least = min(least, pair)
            if pair > 0.0:
                log_ratio += np.log(pair)
        if size > 2 and st.preference[i] > 0.0:
            log_ratio -= (size - 2) * np.log(st.preference[i])
    if size == 2 or least <= 0.0:
        return max(least, 0.0)
    return min(least, np.exp(log_ratio))
