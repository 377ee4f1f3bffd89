"""An upper bound on the value of any bundle, which knows nothing of the solvers.

Every pair (i, j), i < j, is completed in the mind by the best third that could follow, feasible or not: with
``after[i, j] = max over k > j of v_ik`` no triple i < j < k is worth more than v_ij + after[i, j] + after[j, j].
Pairs whose relaxed value could still decide the bound are resolved over all their thirds with the constraints; what
is not resolved keeps its relaxed value. Resolving everything that matters makes the bound the optimum itself; a cap
on the work only makes it looser, never wrong.
"""

import numpy as np
from numba import njit

from ml.optimizer.problem import BundleProblem, joint_of_three

ALL_STEPS = np.iinfo(np.int64).max


def upper_bound(problem: BundleProblem, max_steps: int = ALL_STEPS) -> float:
    """Return a number that no feasible bundle's value exceeds; minus infinity when none is feasible.

    Parameters
    ----------
    problem
        The statement; no solution is asked for.
    max_steps
        How many pairs may be resolved over their thirds; afterwards relaxed values stand.
    """
    return float(
        _bound(
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
            max_steps,
        )
    )


@njit(cache=True, nogil=True)
def _bound(  # type: ignore[no-untyped-def]
    values, joint, preference, price, category, offered, budget, quota, cost, least_joint, min_size, max_size, max_steps
):
    n = len(offered)
    top = -np.inf
    if min_size <= 2:
        for i in range(n):
            for j in range(i + 1, n):
                is_apart = category[i] != category[j] or quota >= 2
                is_cheap = price[i] + price[j] <= budget
                if offered[i] and offered[j] and is_apart and is_cheap and joint[i, j] >= least_joint:
                    top = max(top, values[i, j] - 2.0 * cost)
    if max_size < 3 or n < 3:
        return top

    after = _best_after(values, offered)
    row_reach = np.full(n, -np.inf)
    for i in range(n - 2):
        if offered[i]:
            for j in range(i + 1, n - 1):
                if offered[j]:
                    row_reach[i] = max(row_reach[i], values[i, j] + after[i, j] + after[j, j] - 3.0 * cost)
    steps = 0
    for i in np.argsort(-row_reach, kind="mergesort"):
        if row_reach[i] <= top:
            break
        for j in range(i + 1, n - 1):
            reach = values[i, j] + after[i, j] + after[j, j] - 3.0 * cost
            if reach <= top or not offered[j]:
                continue
            if steps >= max_steps:
                top = reach
                continue
            steps += 1
            if category[i] == category[j] and quota < 2:
                continue
            for k in range(j + 1, n):
                value = values[i, j] + values[i, k] + values[j, k] - 3.0 * cost
                if value <= top or not offered[k] or price[i] + price[j] + price[k] > budget:
                    continue
                alike = max(
                    1 + (category[i] == category[j]) + (category[i] == category[k]),
                    1 + (category[k] == category[j]),
                )
                if alike > quota:
                    continue
                whole = joint_of_three(
                    joint[i, j], joint[i, k], joint[j, k], preference[i], preference[j], preference[k]
                )
                if whole >= least_joint:
                    top = value
    return top


@njit(cache=True, nogil=True)
def _best_after(values, offered):  # type: ignore[no-untyped-def]
    """Return (n, n) with the largest value of row i among offered columns beyond j; minus infinity beyond the last."""
    n = len(offered)
    after = np.full((n, n), -np.inf)
    for i in range(n):
        running = -np.inf
        for j in range(n - 1, i - 1, -1):
            after[i, j] = running
            if offered[j]:
                running = max(running, values[i, j])
    return after
