"""Small problems for the optimizer's tests, and the answer by trying everything."""

from itertools import combinations

import numpy as np

from ml.optimizer.objective import dense_pairs, joint_purchase
from ml.optimizer.problem import UNLIMITED, BundleProblem, Limits


def random_problem(rng: np.random.Generator, candidates: int, limits: Limits) -> BundleProblem:
    """Return candidates with skewed preferences, half of the pairs without evidence, a tenth out of stock."""
    preference = rng.beta(0.5, 5, candidates)
    lift = np.triu(rng.gamma(2, 1, (candidates, candidates)) * (rng.random((candidates, candidates)) < 0.5), 1)
    values = dense_pairs(joint_purchase, preference, lift + lift.T)
    return BundleProblem(
        preference=preference,
        pair_values=values,
        joint=values,
        price_cents=rng.integers(50, 1000, candidates),
        category=rng.integers(0, max(2, candidates // 3), candidates).astype(np.int32),
        available_units=np.where(rng.random(candidates) < 0.1, 0, UNLIMITED),
        limits=limits,
    )


def random_limits(rng: np.random.Generator) -> Limits:
    """Return limits that bind now and then."""
    smallest = int(rng.integers(2, 4))
    return Limits(
        min_size=smallest,
        max_size=int(rng.integers(smallest, 4)),
        budget_cents=None if rng.random() < 0.3 else int(rng.integers(100, 2500)),
        max_per_category=int(rng.integers(1, 4)),
        cost_per_product=float(rng.choice([0.0, 0.001, 0.02])),
        min_joint_probability=float(rng.choice([0.0, 0.001, 0.02])),
    )


def by_trying_everything(problem: BundleProblem) -> float:
    """Return the best value of any feasible bundle, minus infinity when there is none."""
    best = -np.inf
    for size in range(problem.limits.min_size, problem.limits.max_size + 1):
        for items in combinations(range(problem.candidates), size):
            if problem.value(items) > best and problem.is_feasible(items):
                best = problem.value(items)
    return float(best)


def three_products(limits: Limits | None = None, **changes: object) -> BundleProblem:
    """Return bread (0), butter (1), jam (2): pairs worth .10, .06, .02; prices 300, 200, 400; all categories differ."""
    values = np.array([[0.0, 0.10, 0.06], [0.10, 0.0, 0.02], [0.06, 0.02, 0.0]])
    facts: dict[str, object] = {
        "preference": np.array([0.5, 0.4, 0.2]),
        "pair_values": values,
        "joint": values,
        "price_cents": np.array([300, 200, 400]),
        "category": np.array([0, 1, 2], np.int32),
        "available_units": np.full(3, UNLIMITED),
        "limits": limits or Limits(),
    }
    return BundleProblem(**{**facts, **changes})  # type: ignore[arg-type]
