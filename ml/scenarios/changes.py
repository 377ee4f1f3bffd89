"""Slates under a change budget: what each would be if more or fewer of the live bundles stayed, and who may change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ml.optimizer.change_budget import Replacements, choose_replacements
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import Solution, solve_slate
from ml.policies.shelf import Reals
from ml.scenarios.discovery import keeps_share, mixed
from ml.scenarios.slates import Desk, Slate

MOST_SUBSETS = 4
"""Up to so many live bundles, every subset of them is tried; beyond, those worth most are kept first."""


@dataclass(frozen=True, slots=True)
class Option:
    """A slate that a customer could have.

    Attributes
    ----------
    replaced
        How many of the live bundles it does without.
    value
        Sum of the objectives.
    bundles
        Positions among the candidates.
    """

    replaced: int
    value: float
    bundles: tuple[Bundle, ...]


def options(
    problem: BundleProblem, best: Sequence[Solution], live: Sequence[Bundle | None], desk: Desk
) -> list[Option]:
    """Return the best slate for each number of live bundles that go, fewest first.

    Parameters
    ----------
    best
        The slate without regard to what is live.
    live
        Positions of each live bundle, None where a product is no candidate any more. Those that break a constraint
        today, or are not worth showing, cannot stay; nor can two that share more than is allowed now.
    """
    chosen = tuple(solution.items for solution in best if solution.items)
    found = {_gone(live, chosen): Option(_gone(live, chosen), sum(one.objective for one in best), chosen)}
    able = [items for items in live if items is not None and problem.is_feasible(items) and problem.value(items) > 0]
    able = sorted(dict.fromkeys(able), key=lambda items: (-problem.value(items), items))[: desk.bundles]
    for size in range(1, len(able) + 1):
        subsets = combinations(able, size) if len(able) <= MOST_SUBSETS else [tuple(able[:size])]
        for kept in subsets:
            if _overlap(kept) > desk.limits.max_overlap:
                continue
            new = _beside(replace(problem, earlier=kept), desk, desk.bundles - size)
            if new is None:
                continue
            bundles = (*kept, *new)
            value = sum(problem.value(items) for items in bundles)
            option = Option(_gone(live, bundles), value, bundles)
            if option.replaced not in found or value > found[option.replaced].value:
                found[option.replaced] = option
    return [found[replaced] for replaced in sorted(found)]


def _beside(problem: BundleProblem, desk: Desk, bundles: int) -> list[Bundle] | None:
    """Return up to so many bundles beside those that stay; None where these leave the share of discovery no room."""
    new = solve_slate(problem, desk.search, bundles) if bundles else []
    free = [solution.items for solution in new if solution.items]
    if keeps_share(problem, [*problem.earlier, *free], desk.discovery_share):
        return free
    return mixed(problem, desk.search, bundles, desk.discovery_share)


def within_change_budget(choices: Sequence[Sequence[Option]], budget: int) -> tuple[list[Option], Replacements]:
    """Return each customer's option, so that at most ``budget`` live bundles go in all and the value is highest."""
    starts = np.concatenate([[0], np.cumsum([len(own) for own in choices])]).astype(np.int64)
    flat = [option for own in choices for option in own]
    replaced: NDArray[np.int64] = np.array([option.replaced for option in flat], np.int64)
    value: Reals = np.array([option.value for option in flat])
    result = choose_replacements(starts, replaced, value, budget)
    return [flat[place] for place in result.chosen], result


def within_change_share(
    slates: Sequence[Slate], choices: Sequence[Sequence[Option]], desk: Desk, standing: int, share: float
) -> tuple[list[Slate], dict[str, int]]:
    """Return the slates of a run that may replace a share of the live bundles, and the counts of live bundles.

    Parameters
    ----------
    choices
        Each customer's :func:`options`.
    standing
        Live bundles of all customers. Those of customers without a slate in this run go whatever is chosen, and so come
        out of the budget first.
    """
    vanished = standing - sum(len(slate.live) for slate in slates)
    chosen, result = within_change_budget(choices, max(int(share * standing) - vanished, 0))
    held = [
        slate if set(option.bundles) == set(slate.bundles) else slate.held_to(option.bundles, desk, "change_budget")
        for slate, option in zip(slates, chosen, strict=True)
    ]
    return held, {"live_bundles": standing, "forced_replacements": vanished + result.forced}


def _overlap(bundles: Sequence[Bundle]) -> int:
    """Return the most products that two of the bundles share."""
    return max((len(set(one) & set(other)) for one, other in combinations(bundles, 2)), default=0)


def _gone(live: Sequence[Bundle | None], bundles: Sequence[Bundle]) -> int:
    return sum(items is None or items not in bundles for items in live)
