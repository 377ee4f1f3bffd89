"""What a named bundle would be for a customer: its value, its rank or what it breaks, and the price of forcing it."""

from dataclasses import dataclass, replace

import numpy as np

from ml.optimizer.exact import Better, count_better, solve_exact
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import EXACT, Search, solve

MOST_COUNTED = 1000
"""Better bundles are counted up to so many."""


@dataclass(frozen=True)
class WhyNot:
    """The answer about one bundle.

    Attributes
    ----------
    objective
        Its value, were it allowed; None for products that no bundle can be made of.
    better
        How many feasible bundles are worth more, up to ``MOST_COUNTED``; None for a bundle that is not feasible.
    best_objective
        Value of the customer's best bundle.
    cost_of_forcing
        How much less the best bundle is worth that holds all of its products; None when there is none.
    binding
        The constraints that it breaks.
    """

    objective: float | None
    better: Better | None
    best_objective: float
    cost_of_forcing: float | None
    binding: tuple[str, ...]

    @property
    def rank(self) -> int | None:
        """Return 1 + how many are worth more, as far as they were counted."""
        return None if self.better is None else self.better.number + 1


def why_not(problem: BundleProblem, items: Bundle, search: Search = EXACT) -> WhyNot:
    """Return what ``items`` would be to the customer.

    Parameters
    ----------
    problem
        Of the customer's first bundle.
    items
        Positions among the candidates, ascending; no more than a bundle may hold.
    """
    objective = problem.value(items)
    best = solve(problem, replace(search, solver="exact")).objective
    pinned = np.zeros(problem.candidates, bool)
    pinned[list(items)] = True
    if problem.is_pinned is not None:
        pinned |= problem.is_pinned
    forced = solve_exact(replace(problem, is_pinned=pinned), search.max_nodes).items
    cost = best - problem.value(forced) if forced else None
    binding = problem.violations(items)
    better = None if binding else count_better(problem, objective, MOST_COUNTED, search.max_nodes)
    return WhyNot(objective, better, best, cost, binding)
