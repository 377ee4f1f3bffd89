"""The best pair or triple over all candidates, by a pruned search in compiled code.

Candidates are ranked by the half sum of their two best pair values: no triple is worth more than the sum of its
three half sums, so the search stops at the first rank that cannot win. Nothing is left out.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.optimizer.problem import BundleProblem, joint_of_three


def solve_exact(problem: BundleProblem) -> tuple[int, ...]:
    """Return the positions of a best feasible bundle, ascending; empty when no bundle is feasible."""
    items = _search(
        problem.pair_values,
        problem.joint,
        problem.preference,
        problem.price_cents,
        problem.category,
        problem.offered(),
        problem.budget,
        problem.limits.max_per_category,
        problem.limits.cost_per_product,
        problem.limits.min_joint_probability,
        problem.limits.min_size,
        problem.limits.max_size,
    )
    return tuple(sorted(int(item) for item in items if item >= 0))


@njit(cache=True, nogil=True)
def _search(  # type: ignore[no-untyped-def]
    values, joint, preference, price, category, offered, budget, quota, cost, least_joint, min_size, max_size
):
    best_items = np.full(3, -1, np.int64)
    best = -np.inf
    open_items = _affordable(offered, price, budget)
    half = _half_sums(values, open_items)
    order = np.argsort(-half, kind="mergesort")
    ranked = open_items[order]
    bound = half[order]
    n = len(ranked)
    dense = np.empty((n, n))  # in rank order, so that the inner loops read memory in a line
    for a in range(n):
        for b in range(n):
            dense[a, b] = values[ranked[a], ranked[b]]

    if min_size == 2:
        for a in range(n):
            for b in range(a + 1, n):
                value = dense[a, b] - 2.0 * cost
                if value > best:
                    i, j = ranked[a], ranked[b]
                    if price[i] + price[j] > budget or (quota < 2 and category[i] == category[j]):
                        continue
                    if joint[i, j] < least_joint:
                        continue
                    best = value
                    best_items[0], best_items[1], best_items[2] = i, j, -1
    if max_size < 3:
        return best_items

    for a in range(n - 2):
        if bound[a] + bound[a + 1] + bound[a + 2] - 3.0 * cost <= best:
            break
        for b in range(a + 1, n - 1):
            reach = bound[a] + bound[b] - 3.0 * cost
            if reach + bound[b + 1] <= best:
                break
            i, j = ranked[a], ranked[b]
            if quota < 2 and category[i] == category[j]:
                continue
            pair = dense[a, b] - 3.0 * cost
            for c in range(b + 1, n):
                if reach + bound[c] <= best:
                    break
                value = pair + dense[a, c] + dense[b, c]
                if value > best and _fits(
                    i, j, ranked[c], joint, preference, price, category, budget, quota, least_joint
                ):
                    best = value
                    best_items[0], best_items[1], best_items[2] = i, j, ranked[c]
    return best_items


@njit(cache=True, nogil=True)
def _affordable(offered, price, budget) -> NDArray[np.int64]:  # type: ignore[no-untyped-def]
    kept = np.empty(len(offered), np.int64)
    count = 0
    for item in range(len(offered)):
        if offered[item] and price[item] <= budget:
            kept[count] = item
            count += 1
    return kept[:count]


@njit(cache=True, nogil=True)
def _half_sums(values, items):  # type: ignore[no-untyped-def]
    half = np.empty(len(items))
    for row in range(len(items)):
        first, second = 0.0, 0.0
        for column in range(len(items)):
            value = values[items[row], items[column]]
            if value > first:
                first, second = value, first
            elif value > second:
                second = value
        half[row] = 0.5 * (first + second)
    return half


@njit(cache=True, nogil=True)
def _fits(i, j, k, joint, preference, price, category, budget, quota, least_joint):  # type: ignore[no-untyped-def]
    if price[i] + price[j] + price[k] > budget:
        return False
    same = (category[i] == category[j]) + (category[i] == category[k]) + (category[j] == category[k])
    if quota == 1 and same > 0:
        return False
    if quota == 2 and same == 3:
        return False
    if least_joint <= 0.0:
        return True
    low, high = min(i, j, k), max(i, j, k)
    middle = i + j + k - low - high
    whole = joint_of_three(
        joint[low, middle], joint[low, high], joint[middle, high], preference[low], preference[middle], preference[high]
    )
    return whole >= least_joint
