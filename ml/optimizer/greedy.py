"""The usual quick answer, for comparison: the best pair, then the best third as long as it pays."""

import numpy as np
from numba import njit

from ml.optimizer.problem import BundleProblem, joint_of_three


def solve_greedy(problem: BundleProblem) -> tuple[int, ...]:
    """Return the positions of a feasible bundle, ascending; empty when greedy finds none."""
    items = _grow(
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
    )
    found = tuple(sorted(int(item) for item in items if item >= 0))
    grown = found if problem.limits.max_size > 2 else tuple(sorted(int(item) for item in items[:2] if item >= 0))
    return grown if grown and problem.is_feasible(grown) else ()


@njit(cache=True, nogil=True)
def _grow(  # type: ignore[no-untyped-def]
    values, joint, preference, price, category, offered, budget, quota, cost, least_joint, min_size
):
    n = len(offered)
    items = np.full(3, -1, np.int64)
    best = -np.inf
    for i in range(n):
        for j in range(i + 1, n):
            if values[i, j] <= best or not offered[i] or not offered[j] or price[i] + price[j] > budget:
                continue
            if (quota >= 2 or category[i] != category[j]) and joint[i, j] >= least_joint:
                best = values[i, j]
                items[0], items[1] = i, j
    if items[0] < 0:
        return items
    i, j = items[0], items[1]
    best = cost if min_size < 3 else -np.inf  # a third that is not asked for must add more than showing it costs
    for k in range(n):
        gain = values[i, k] + values[j, k]
        if gain <= best or not offered[k] or k in (i, j) or price[i] + price[j] + price[k] > budget:
            continue
        same = (category[i] == category[j]) + (category[i] == category[k]) + (category[j] == category[k])
        if (quota == 1 and same > 0) or (quota == 2 and same == 3):
            continue
        low, high = min(i, k), max(i, k)
        low_j, high_j = min(j, k), max(j, k)
        whole = joint_of_three(
            joint[i, j], joint[low, high], joint[low_j, high_j], preference[i], preference[j], preference[k]
        )
        if whole >= least_joint:
            best = gain
            items[2] = k
    return items
