"""How much better a bundle could be if any product of the catalogue might enter it, not only the candidates."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.errors import DataError
from ml.optimizer.exact import upper_bound
from ml.optimizer.limits import Limits
from ml.optimizer.problem import BundleProblem
from ml.optimizer.rules import NO_BUDGET

Reals = NDArray[np.float64]

LARGEST_DENSE = 1500
"""Products that may remain for the exact bound: its matrices take 8 bytes a pair and depth, 126 MB at size 8."""
MAX_NODES = 20_000


@dataclass(frozen=True)
class Catalogue:
    """The products of a shop and the pairs that have evidence.

    Attributes
    ----------
    price_cents, category, available_units
        (products,), as in :class:`ml.optimizer.problem.BundleProblem`.
    first, second
        (pairs,) positions of the two products; a pair that is not listed is worth 0.
    is_substitute
        (pairs,) whether the two are substitutes for each other.
    """

    price_cents: NDArray[np.int64]
    category: NDArray[np.int32]
    available_units: NDArray[np.int64]
    first: NDArray[np.integer]
    second: NDArray[np.integer]
    is_substitute: NDArray[np.bool_]

    @property
    def products(self) -> int:
        """Return how many products there are."""
        return len(self.price_cents)

    def bound(
        self,
        preference: Reals,
        pair_values: Reals,
        joint: Reals,
        limits: Limits,
        objective: float,
        product_values: Reals | None = None,
    ) -> float:
        """Return a number that neither ``objective`` nor any feasible bundle of the catalogue exceeds.

        A product stays in question while half of its best pairs, with the largest such halves of all others, could beat
        ``objective``; what is left is bounded by the tree search, or by these halves where it is too much.

        Parameters
        ----------
        preference
            (products,) probability that the next basket holds the product.
        pair_values, joint
            (pairs,) objective and joint probability of each listed pair.
        limits
            As for the candidates; of these, size, budget, quota, substitutes, cost and least joint probability are
            kept to here. The others are relaxed, which leaves the bound valid and looser.
        objective
            Value of the bundle in hand; 0 for an abstention.
        product_values
            (products,) value of a product beyond its pairs; 0 when None.

        Raises
        ------
        DataError
            When shapes differ.
        """
        if preference.shape != (self.products,) or not pair_values.shape == joint.shape == self.first.shape:
            raise DataError(f"catalogue of {self.products} products and {len(self.first)} pairs: shapes differ")
        budget = NO_BUDGET if limits.budget_cents is None else limits.budget_cents
        is_open = (self.available_units != 0) & (self.price_cents <= budget)
        ranks = limits.max_size - 1
        allowed = np.where(self.is_substitute & limits.complements_only, 0.0, pair_values)
        half = 0.5 * _best_pairs(self.first, self.second, allowed, is_open, ranks).sum(axis=1)
        own = np.zeros(self.products) if product_values is None else product_values
        reach = np.where(is_open, half + own - limits.cost_per_product, -np.inf)
        largest = np.sort(reach)[::-1][: limits.max_size]
        kept = np.flatnonzero(reach + _at_best(largest[:ranks], limits.min_size - 1) > objective)
        if len(kept) < limits.min_size:
            return objective
        if len(kept) > LARGEST_DENSE:
            return max(objective, _at_best(largest, limits.min_size))
        among = self._among(kept, preference, pair_values, joint, limits, product_values)
        return upper_bound(among, objective, MAX_NODES)

    def _among(
        self,
        kept: NDArray[np.int64],
        preference: Reals,
        pair_values: Reals,
        joint: Reals,
        limits: Limits,
        product_values: Reals | None,
    ) -> BundleProblem:
        position = np.full(self.products, -1, np.int64)
        position[kept] = np.arange(len(kept))
        rows, columns = position[self.first], position[self.second]
        inside = (rows >= 0) & (columns >= 0)
        rows, columns = rows[inside], columns[inside]
        values, chances = np.zeros((len(kept), len(kept))), np.zeros((len(kept), len(kept)))
        alike = np.zeros((len(kept), len(kept)), bool)
        alike[rows, columns] = alike[columns, rows] = self.is_substitute[inside]
        values[rows, columns] = values[columns, rows] = pair_values[inside]
        chances[rows, columns] = chances[columns, rows] = joint[inside]
        return BundleProblem(
            preference[kept],
            values,
            chances,
            self.price_cents[kept],
            self.category[kept],
            self.available_units[kept],
            replace(
                limits,
                min_margin_cents=None,
                min_price_cents=0,
                min_categories=1,
                needs_anchor=False,
                needs_wanted=False,
                needs_ruled=False,
                needs_new=False,
            ),
            product_values=None if product_values is None else product_values[kept],
            is_substitute=alike,
        )


def _at_best(descending: Reals, needed: int) -> float:
    """Return the sum of numbers of which those after the first ``needed`` may be left out."""
    return float(descending[:needed].sum() + np.maximum(descending[needed:], 0.0).sum())


@njit(cache=True, nogil=True)
def _best_pairs(first, second, values, is_open, ranks):  # type: ignore[no-untyped-def]
    """Return (products, ranks): the largest values of each product's pairs with open products, descending."""
    best = np.zeros((len(is_open), ranks))
    for pair in range(len(values)):
        if is_open[first[pair]] and is_open[second[pair]]:
            for product in (first[pair], second[pair]):
                rank, value = ranks - 1, values[pair]
                if value <= best[product, rank]:
                    continue
                while rank > 0 and best[product, rank - 1] < value:
                    best[product, rank] = best[product, rank - 1]
                    rank -= 1
                best[product, rank] = value
    return best
