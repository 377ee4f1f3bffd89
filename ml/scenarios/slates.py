"""A customer's slate of bundles: the best without regard to others, and what becomes of it beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.candidates import BOUGHT, SOURCES
from ml.optimizer.limits import Limits
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import Search, Solution, abstain, certify, solve_slate
from ml.policies.basket import Basket
from ml.policies.named import Policy
from ml.policies.roles import Roles
from ml.policies.shelf import Codes, Flags, Reals, Shelf
from ml.scenarios.discovery import is_forced, keeps_share, mixed
from ml.scenarios.rules import NO_RULES, Rules


@dataclass(frozen=True)
class Desk:
    """What all customers of a run have in common.

    Attributes
    ----------
    shelf, policy, limits, roles
        What can be offered, what it is worth, what is allowed, what the form and the rules say of products.
    search, bundles
        How bundles are searched for, and how many a customer gets at most.
    rules
        The merchandiser's rules that the run obeys.
    basket
        What is in every basket already; None for nothing.
    discovery_share
        Share of a customer's bundles that hold something new, see :mod:`ml.scenarios.discovery`.
    """

    shelf: Shelf
    policy: Policy
    limits: Limits
    roles: Roles
    search: Search
    bundles: int
    rules: Rules = NO_RULES
    basket: Basket | None = None
    discovery_share: float = 0.0

    def problem(self, codes: Codes, preference: Reals, is_anchor: Flags, spread: float) -> BundleProblem:
        """Return the problem of a customer's first bundle; see :meth:`ml.policies.shelf.Shelf.problem`."""
        return self.shelf.problem(
            self.policy, codes, preference, self.limits, self.roles, is_anchor, spread, self.basket
        )


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
        Of each solution: None, "stock", "change_budget" or "discovery" where one of these keeps the customer from a
        better one.
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
        return desk.problem(self.codes, self.preference, self.is_anchor, self.spread)

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
        stands beside the same bundles as before keeps its certificate: ``cause`` did not touch it. Where the share of
        discovery leaves a place to bundles with something new, the certificate is about these. Without any bundle, the
        first solution's bound stays with an abstention for that cause.
        """
        wanted = len(self.bundles) + len(self.lost_to)
        missing = max(wanted - len(bundles), 0)
        lost_to = (*self.lost_to, *[cause] * missing)[:missing]
        if not bundles:
            return replace(self._without_bundles(cause), lost_to=lost_to)
        before = dict(zip((solution.items for solution in self.solutions), self.held_back_by, strict=True))
        problem, found, share, total = self.problem(desk), 0, desk.discovery_share, len(bundles)
        solutions, held = [], []
        for items in sorted(bundles, key=lambda items: (-problem.value(items), items)):
            # A place that is bound among fewer bundles may be free among more; never the other way round.
            same = self._beside(items, problem.earlier) if not share or total <= len(self.bundles) else None
            is_bound = is_forced(share, found, len(problem.earlier), total)
            solution = same or certify(problem.needing_new() if is_bound else problem, items, desk.search.max_nodes)
            found += problem.is_discovery(items)
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


def solved(slate: Slate, desk: Desk) -> Slate:
    """Return a customer's slate without regard to stock that others need and to bundles that are live."""
    problem = slate.problem(desk)
    best = slate.with_solutions(solve_slate(problem, desk.search, desk.bundles))
    if keeps_share(problem, best.bundles, desk.discovery_share):
        return best
    chosen = mixed(problem, desk.search, desk.bundles, desk.discovery_share)
    return best.held_to(chosen or [], desk, "discovery")
