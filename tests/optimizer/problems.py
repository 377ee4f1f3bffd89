"""Small problems for the optimizer's tests, and the answer by trying everything with rules written down once more."""

from itertools import combinations

import numpy as np

from ml.optimizer.limits import Limits
from ml.optimizer.objective import Objective, dense_pairs
from ml.optimizer.problem import UNLIMITED, Bundle, BundleProblem
from ml.optimizer.rules import UNKNOWN_MARGIN


def random_problem(rng: np.random.Generator, candidates: int, limits: Limits, roles: bool = False) -> BundleProblem:
    """Return candidates with skewed preferences, half of the pairs without evidence, a tenth out of stock.

    With ``roles`` some are anchors, wanted, pinned, excluded, substitutes, of unknown margin or in earlier bundles, and
    products have values of their own.
    """
    n = candidates
    preference = rng.beta(0.5, 5, n)
    lift = np.triu(rng.gamma(2, 1, (n, n)) * (rng.random((n, n)) < 0.5), 1)
    joint = dense_pairs(Objective.EXPECTED_JOINT_PURCHASE, preference, lift + lift.T)
    extra: dict[str, object] = {}
    if roles:
        substitute = np.triu(rng.random((n, n)) < 0.1, 1)
        extra = {
            "margin_cents": np.where(rng.random(n) < 0.1, UNKNOWN_MARGIN, rng.integers(-50, 300, n)),
            "product_values": rng.normal(0, 0.03, n) if rng.random() < 0.5 else None,
            "is_anchor": rng.random(n) < 0.4,
            "is_wanted": rng.random(n) < 0.4,
            "is_ruled": rng.random(n) < 0.4,
            "is_new": rng.random(n) < 0.4,
            "is_pinned": rng.random(n) < 0.15 if rng.random() < 0.3 else None,
            "is_excluded": rng.random(n) < 0.1,
            "is_substitute": substitute | substitute.T,
            "earlier": tuple(
                tuple(int(item) for item in rng.choice(n, min(n, 3), replace=False))
                for _ in range(int(rng.integers(0, 3)))
            ),
        }
    return BundleProblem(
        preference=preference,
        pair_values=joint if rng.random() < 0.7 else np.round(8 * joint, 1),  # rounded: many ties
        joint=joint,
        price_cents=rng.integers(50, 1000, n),
        category=rng.integers(0, max(2, n // 2), n).astype(np.int32),
        available_units=np.where(rng.random(n) < 0.1, 0, UNLIMITED),
        limits=limits,
        **extra,  # type: ignore[arg-type]
    )


def random_limits(rng: np.random.Generator, largest: int = 3, roles: bool = False) -> Limits:
    """Return limits that bind now and then; with ``roles`` those on roles, margins and categories as well."""
    smallest = int(rng.integers(2, largest + 1)) if rng.random() < 0.3 else 2
    size = int(rng.integers(smallest, largest + 1))
    more: dict[str, object] = {}
    if roles:
        more = {
            "min_price_cents": int(rng.choice([0, 0, 90])),
            "min_margin_cents": int(rng.integers(0, 300)) if rng.random() < 0.3 else None,
            "min_categories": int(rng.integers(1, min(size, 3) + 1)),
            "needs_anchor": rng.random() < 0.3,
            "needs_wanted": rng.random() < 0.2,
            "needs_ruled": rng.random() < 0.2,
            "needs_new": rng.random() < 0.2,
            "complements_only": rng.random() < 0.5,
            "max_overlap": int(rng.integers(0, smallest)),
        }
    return Limits(
        min_size=smallest,
        max_size=size,
        budget_cents=None if rng.random() < 0.4 else int(rng.integers(100, 900 * size)),
        max_per_category=int(rng.integers(1, 4)),
        cost_per_product=float(rng.choice([0.0, 0.001, 0.02])),
        min_joint_probability=float(rng.choice([0.0, 0.0, 0.001])),
        **more,  # type: ignore[arg-type]
    )


def breaks(problem: BundleProblem, items: Bundle) -> set[str]:
    """Return the constraints that a bundle of different products breaks, in plain words of Python."""
    limits, chosen = problem.limits, list(items)
    none = np.zeros(problem.candidates, bool)
    price = sum(int(problem.price_cents[i]) for i in chosen)
    kinds = [int(problem.category[i]) for i in chosen]
    margins = [UNKNOWN_MARGIN if problem.margin_cents is None else int(problem.margin_cents[i]) for i in chosen]
    pinned = none if problem.is_pinned is None else problem.is_pinned
    anchor = none if problem.is_anchor is None else problem.is_anchor
    wanted = none if problem.is_wanted is None else problem.is_wanted
    ruled = none if problem.is_ruled is None else problem.is_ruled
    new = none if problem.is_new is None else problem.is_new
    excluded = none if problem.is_excluded is None else problem.is_excluded
    pairs = list(combinations(chosen, 2))
    alike = problem.is_substitute
    found = {
        "size": not limits.min_size <= len(chosen) <= limits.max_size,
        "budget": limits.budget_cents is not None and price > limits.budget_cents,
        "min_price": price < limits.min_price_cents,
        "margin": limits.min_margin_cents is not None
        and (UNKNOWN_MARGIN in margins or sum(margins) < limits.min_margin_cents),
        "category": max(kinds.count(kind) for kind in kinds) > limits.max_per_category,
        "categories": len(set(kinds)) < limits.min_categories,
        "anchor": limits.needs_anchor and not any(anchor[i] for i in chosen),
        "must_include": limits.needs_wanted and not any(wanted[i] for i in chosen),
        "must_include_rule": limits.needs_ruled and not any(ruled[i] for i in chosen),
        "discovery": limits.needs_new and not any(new[i] for i in chosen),
        "pinned": any(pinned[i] and i not in chosen for i in range(problem.candidates)),
        "excluded": any(excluded[i] for i in chosen),
        "stock": any(problem.available_units[i] == 0 for i in chosen),
        "substitute": limits.complements_only and alike is not None and any(alike[i, j] for i, j in pairs),
        "joint_probability": problem.joint_probability(items) < limits.min_joint_probability,
        "overlap": any(len(set(chosen) & set(bundle)) > limits.max_overlap for bundle in problem.earlier),
    }
    return {name for name, is_broken in found.items() if is_broken}


def feasible_bundles(problem: BundleProblem) -> list[tuple[float, Bundle]]:
    """Return value and products of every feasible bundle, best first."""
    found = [
        (problem.value(items), items)
        for size in range(problem.limits.min_size, problem.limits.max_size + 1)
        for items in combinations(range(problem.candidates), size)
        if not breaks(problem, items)
    ]
    return sorted(found, key=lambda entry: -entry[0])


def by_trying_everything(problem: BundleProblem) -> float:
    """Return the best value of any feasible bundle, minus infinity when there is none."""
    found = feasible_bundles(problem)
    return found[0][0] if found else -np.inf


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
