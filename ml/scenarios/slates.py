"""A customer's slate of bundles, and what it would be if more or fewer of the live bundles stayed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.optimizer.change_budget import Replacements, choose_replacements
from ml.optimizer.limits import Limits
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import Search, Solution, certify, solve_slate
from ml.policies.named import Policy
from ml.policies.shelf import Codes, Flags, Reals, Roles, Shelf

MOST_SUBSETS = 4
"""Up to so many live bundles, every subset of them is tried; beyond, those worth most are kept first."""


@dataclass(frozen=True)
class Desk:
    """What all customers of a run have in common.

    Attributes
    ----------
    shelf, policy, limits, roles
        What can be offered, what it is worth, what is allowed, what the form says of products.
    search, bundles
        How bundles are searched for, and how many a customer gets at most.
    """

    shelf: Shelf
    policy: Policy
    limits: Limits
    roles: Roles
    search: Search
    bundles: int


@dataclass(frozen=True)
class Slate:
    """One customer's candidates and bundles.

    Attributes
    ----------
    candidates
        Rows of ``ml.candidates`` of the customer, all on the shelf.
    codes, preference, is_anchor
        (n,) product, probability, and whether the customer bought it before.
    solutions
        Bundles as positions in the candidates, best first; or one abstention.
    is_kept, held_back_by
        Of each solution: whether it was live before; None, "stock" or "change_budget" where one of these keeps the
        customer from a better one.
    """

    candidates: pl.DataFrame
    codes: Codes
    preference: Reals
    is_anchor: Flags
    solutions: list[Solution] = field(default_factory=list)
    is_kept: list[bool] = field(default_factory=list)
    held_back_by: list[str | None] = field(default_factory=list)

    @classmethod
    def of(cls, candidates: pl.DataFrame, shelf: Shelf) -> "Slate":
        """Return the customer without bundles."""
        return cls(
            candidates,
            shelf.codes(candidates["product_id"]),
            candidates["preference"].to_numpy(),
            candidates["sources"].list.contains("bought").to_numpy(),
        )

    @property
    def customer_id(self) -> str:
        """Return whose slate it is."""
        return str(self.candidates["customer_id"][0])

    @property
    def bundles(self) -> list[Bundle]:
        """Return the bundles, without an abstention."""
        return [solution.items for solution in self.solutions if solution.items]

    def problem(self, desk: Desk) -> BundleProblem:
        """Return the problem of the customer's first bundle."""
        return desk.shelf.problem(desk.policy, self.codes, self.preference, desk.limits, desk.roles, self.is_anchor)

    def positions(self, product_ids: Sequence[str]) -> Bundle | None:
        """Return where products stand among the candidates, ascending; None when one does not."""
        wanted = set(product_ids)
        found = self.candidates["product_id"].is_in(list(wanted)).to_numpy().nonzero()[0]
        return tuple(int(place) for place in found) if len(found) == len(wanted) else None

    def with_solutions(self, solutions: list[Solution], live: Sequence[Bundle | None] = ()) -> "Slate":
        """Return the slate with bundles that nothing holds back."""
        is_kept = [bool(solution.items) and solution.items in live for solution in solutions]
        return replace(self, solutions=solutions, is_kept=is_kept, held_back_by=[None] * len(solutions))

    def held_to(self, bundles: Sequence[Bundle], desk: Desk, cause: str, live: Sequence[Bundle | None]) -> "Slate":
        """Return the slate with these bundles, best first, each certified beside those before it.

        One that is not proven best is marked as held back by ``cause``. Without any, the first solution's bound stays
        with an abstention for that cause.
        """
        problem = self.problem(desk)
        if not bundles:
            return self._without_bundles(cause)
        solutions: list[Solution] = []
        for items in sorted(bundles, key=lambda items: (-problem.value(items), items)):
            solutions.append(certify(problem, items, desk.search.max_nodes))
            problem = problem.after(items)
        is_held = [cause if solution.status == "feasible" else None for solution in solutions]
        return replace(self.with_solutions(solutions, live), held_back_by=is_held)

    def _without_bundles(self, cause: str) -> "Slate":
        first = self.solutions[0]
        if not first.items:
            return self
        empty = Solution((), 0.0, first.upper_bound, 100.0, "abstained", 0.0, f"no_{cause}_left")
        return self.with_solutions([empty])


@dataclass(frozen=True)
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
            rest = replace(problem, earlier=kept)
            new = solve_slate(rest, desk.search, desk.bundles - size) if desk.bundles > size else []
            bundles = (*kept, *(solution.items for solution in new if solution.items))
            value = sum(problem.value(items) for items in bundles)
            option = Option(_gone(live, bundles), value, bundles)
            if option.replaced not in found or value > found[option.replaced].value:
                found[option.replaced] = option
    return [found[replaced] for replaced in sorted(found)]


def within_change_budget(choices: Sequence[Sequence[Option]], budget: int) -> tuple[list[Option], Replacements]:
    """Return each customer's option, so that at most ``budget`` live bundles go in all and the value is highest."""
    starts = np.concatenate([[0], np.cumsum([len(own) for own in choices])]).astype(np.int64)
    flat = [option for own in choices for option in own]
    replaced: NDArray[np.int64] = np.array([option.replaced for option in flat], np.int64)
    value: Reals = np.array([option.value for option in flat])
    result = choose_replacements(starts, replaced, value, budget)
    return [flat[place] for place in result.chosen], result


def _overlap(bundles: Sequence[Bundle]) -> int:
    """Return the most products that two of the bundles share."""
    return max((len(set(one) & set(other)) for one, other in combinations(bundles, 2)), default=0)


def _gone(live: Sequence[Bundle | None], bundles: Sequence[Bundle]) -> int:
    return sum(items is None or items not in bundles for items in live)
