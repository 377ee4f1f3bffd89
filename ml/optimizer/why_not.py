"""Why a named bundle is not offered to a customer: what it is worth, its rank, or what it breaks, and its price."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ml.optimizer.exact import count_better, solve_exact
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import EXACT, Search, solve

Verdict = Literal["offered", "ranked_lower", "infeasible"]

MOST_COUNTED = 1000
"""Better bundles are counted up to so many."""


@dataclass(frozen=True)
class WhyNot:
    """The answer about one bundle.

    Attributes
    ----------
    verdict
        "offered"; "ranked_lower": allowed, but others are worth more; "infeasible": it breaks a constraint.
    rank
        1 + how many feasible bundles are worth more, at most ``MOST_COUNTED + 1``; None for an infeasible one.
    objective
        Its value, were it allowed.
    best_objective
        Value of the customer's best bundle.
    cost_of_forcing
        How much less the best bundle is worth that holds all of its products; None when there is none.
    binding
        The constraints that it breaks.
    """

    verdict: Verdict
    rank: int | None
    objective: float
    best_objective: float
    cost_of_forcing: float | None
    binding: tuple[str, ...]


def why_not(problem: BundleProblem, items: Bundle, is_offered: bool, search: Search = EXACT) -> WhyNot:
    """Return why ``items`` are, or are not, what the customer gets.

    Parameters
    ----------
    problem
        Of the customer's first bundle.
    items
        Positions among the candidates, ascending.
    is_offered
        Whether the bundle is among those published for the customer.
    """
    objective = problem.value(items)
    best = solve(problem, replace(search, solver="exact")).objective
    pinned = np.zeros(problem.candidates, bool)
    pinned[list(items)] = True
    if problem.is_pinned is not None:
        pinned |= problem.is_pinned
    forcing = replace(problem, is_pinned=pinned)
    forced = solve_exact(forcing, search.max_nodes).items
    cost = best - problem.value(forced) if forced else None
    binding = problem.violations(items)
    if binding:
        return WhyNot("infeasible", None, objective, best, cost, binding)
    better = count_better(problem, objective, MOST_COUNTED, search.max_nodes)
    return WhyNot("offered" if is_offered else "ranked_lower", better + 1, objective, best, cost, ())
