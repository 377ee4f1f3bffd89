"""A customer's slate of bundles, and what it would be if more or fewer of the live bundles stayed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.candidates import BOUGHT, SOURCES
from ml.optimizer.change_budget import Replacements, choose_replacements
from ml.optimizer.limits import Limits
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import Search, Solution, abstain, certify, solve_slate
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


@dataclass(frozen=True, slots=True, eq=False)
class Slate:
    """One customer's candidates and bundles; a run keeps all of them, so it holds arrays and no frames.

    Attributes
    ----------
    customer_id, shelf
        Whose slate it is, and what the codes stand for.
    product, preference, source
        (n,) int32 code, probability, and who proposed the candidate: bits of :data:`ml.candidates.SOURCES`.
    spread
        v of :mod:`ml.optimizer.objective`.
    live
        Positions of the bundles the customer had before; None for one that is not all among the candidates.
    solutions
        Bundles as positions in the candidates, best first; or one abstention.
    held_back_by
        Of each solution: None, "stock" or "change_budget" where one of these keeps the customer from a better one.
    lost_to
        The same, of each bundle that the customer would have had besides without regard to stock and live bundles.
    is_assigned
        Whether the bundles come from the assignment of shared stock, not from the run's solver.
    """

    customer_id: str
    shelf: Shelf = field(repr=False)
    product: NDArray[np.int32]
    preference: Reals
    source: NDArray[np.uint8]
    spread: float
    live: tuple[Bundle | None, ...] = ()
    solutions: list[Solution] = field(default_factory=list)
    held_back_by: list[str | None] = field(default_factory=list)
    lost_to: tuple[str, ...] = ()
    is_assigned: bool = False

    @classmethod
    def each(cls, candidates: pl.DataFrame, shelf: Shelf) -> "list[Slate]":
        """Return the customers of rows of ``ml.candidates``, without bundles yet.

        Products that are not on the shelf are left out, and so is a customer without any other. Rows of one customer
        stand together.
        """
        codes = shelf.codes(candidates["product_id"])
        known = candidates.filter(codes >= 0)
        # A copy: the column may lie in memory that it shares with the whole block.
        product, preference = codes[codes >= 0].astype(np.int32), known["preference"].to_numpy().copy()
        source = np.zeros(len(product), np.uint8)
        for bit, name in enumerate(SOURCES):
            source |= known["sources"].list.contains(name).to_numpy().astype(np.uint8) << bit
        spread = known["basket_spread"].to_numpy()
        runs = known.select(pl.col("customer_id").rle()).unnest("customer_id")
        ends = runs["len"].cum_sum().to_list()
        return [
            cls(customer, shelf, product[first:end], preference[first:end], source[first:end], float(spread[first]))
            for customer, first, end in zip(runs["value"].to_list(), [0, *ends], ends, strict=False)
        ]

    @property
    def codes(self) -> Codes:
        """Return (n,) the product code of each candidate."""
        return self.product.astype(np.int64)

    @property
    def is_anchor(self) -> Flags:
        """Return (n,) whether the customer bought the candidate before."""
        return (self.source & BOUGHT) != 0

    @property
    def bundles(self) -> list[Bundle]:
        """Return the bundles, without an abstention."""
        return [solution.items for solution in self.solutions if solution.items]

    @property
    def is_kept(self) -> list[bool]:
        """Return of each solution whether it was live before."""
        return [bool(solution.items) and solution.items in self.live for solution in self.solutions]

    def problem(self, desk: Desk) -> BundleProblem:
        """Return the problem of the customer's first bundle."""
        return desk.shelf.problem(
            desk.policy, self.codes, self.preference, desk.limits, desk.roles, self.is_anchor, self.spread
        )

    def positions(self, product_ids: Sequence[str]) -> Bundle | None:
        """Return where products stand among the candidates, ascending; None when one does not."""
        wanted = {self.shelf.code.get(product, -1) for product in product_ids}
        found = np.flatnonzero(np.isin(self.product, list(wanted)))
        return tuple(int(place) for place in found) if len(found) == len(set(product_ids)) else None

    def product_ids(self, items: Bundle) -> list[str]:
        """Return the identifiers of candidates."""
        return [self.shelf.product_ids[code] for code in self.product[list(items)]]

    def sources(self, place: int) -> list[str]:
        """Return who proposed a candidate."""
        return [name for bit, name in enumerate(SOURCES) if self.source[place] >> bit & 1]

    def with_solutions(self, solutions: list[Solution]) -> "Slate":
        """Return the slate with bundles that nothing holds back."""
        return replace(self, solutions=solutions, held_back_by=[None] * len(solutions), lost_to=(), is_assigned=False)

    def held_to(self, bundles: Sequence[Bundle], desk: Desk, cause: str) -> "Slate":
        """Return the slate with these bundles, best first, each certified beside those before it.

        One that is not proven best is marked as held back by what held it back before, or else by ``cause``. One that
        stands beside the same bundles as before keeps its certificate: ``cause`` did not touch it. Without any bundle,
        the first solution's bound stays with an abstention for that cause.
        """
        wanted = len(self.bundles) + len(self.lost_to)
        missing = max(wanted - len(bundles), 0)
        lost_to = (*self.lost_to, *[cause] * missing)[:missing]
        if not bundles:
            return replace(self._without_bundles(cause), lost_to=lost_to)
        before = dict(zip((solution.items for solution in self.solutions), self.held_back_by, strict=True))
        problem = self.problem(desk)
        solutions, held = [], []
        for items in sorted(bundles, key=lambda items: (-problem.value(items), items)):
            same = self._beside(items, problem.earlier)
            solution = same or certify(problem, items, desk.search.max_nodes)
            blamed = before.get(items) or (None if same else cause)
            solutions.append(solution)
            held.append(None if solution.status == "optimal" else blamed)
            problem = problem.after(items)
        return replace(self, solutions=solutions, held_back_by=held, lost_to=lost_to)

    def _beside(self, items: Bundle, earlier: Sequence[Bundle]) -> Solution | None:
        """Return the solution with these items when just these bundles stand before it."""
        bundles = self.bundles
        if items not in bundles or set(bundles[: bundles.index(items)]) != set(earlier):
            return None
        return self.solutions[bundles.index(items)]

    def _without_bundles(self, cause: str) -> "Slate":
        first = self.solutions[0]
        return self.with_solutions([abstain(f"no_{cause}_left", first.upper_bound)]) if first.items else self


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
