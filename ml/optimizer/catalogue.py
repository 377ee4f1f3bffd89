"""How much better a bundle could be if any product of the catalogue might enter it, not only the candidates."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.errors import DataError
from ml.optimizer.bound import upper_bound
from ml.optimizer.problem import NO_BUDGET, BundleProblem, Limits

Reals = NDArray[np.float64]

LARGEST_DENSE = 2500
"""Products that may remain for the exact bound: its matrices take 16 bytes a pair, 100 MB at this size."""


@dataclass(frozen=True)
class Catalogue:
    """The products of a shop and the pairs that have evidence.

    Attributes
    ----------
    price_cents, category, available_units
        (products,), as in :class:`ml.optimizer.problem.BundleProblem`.
    first, second
        (pairs,) positions of the two products; a pair that is not listed is worth 0.
    """

    price_cents: NDArray[np.int64]
    category: NDArray[np.int32]
    available_units: NDArray[np.int64]
    first: NDArray[np.integer]
    second: NDArray[np.integer]

    @property
    def products(self) -> int:
        """Return how many products there are."""
        return len(self.price_cents)

    def bound(self, preference: Reals, pair_values: Reals, joint: Reals, limits: Limits, objective: float) -> float:
        """Return a number that neither ``objective`` nor any feasible bundle of the catalogue exceeds.

        A product stays in question while the half sum of its two best pairs, with the two largest half sums of all,
        could beat ``objective``; what is left is bounded exactly.

        Parameters
        ----------
        preference
            (products,) probability that the next basket holds the product.
        pair_values, joint
            (pairs,) objective and joint probability of each listed pair.
        limits
            As for the candidates.
        objective
            Value of the bundle in hand; 0 for an abstention.

        Raises
        ------
        DataError
            When shapes differ.
        """
        if preference.shape != (self.products,) or not pair_values.shape == joint.shape == self.first.shape:
            raise DataError(f"catalogue of {self.products} products and {len(self.first)} pairs: shapes differ")
        budget = NO_BUDGET if limits.budget_cents is None else limits.budget_cents
        is_open = (self.available_units != 0) & (self.price_cents <= budget)
        best, second_best = _two_best(self.first, self.second, pair_values, is_open)
        half = np.where(is_open, 0.5 * (best + second_best), -np.inf)
        largest = np.sort(half)[::-1][:3]
        if len(largest) < 3 or limits.max_size < 3:
            reach = best - 2 * limits.cost_per_product
        else:
            triple = half + largest[0] + largest[1] - 3 * limits.cost_per_product
            reach = np.maximum(triple, best - 2 * limits.cost_per_product)
        kept = np.flatnonzero(is_open & (reach > objective))
        if len(kept) > LARGEST_DENSE:
            triple_bound = float(largest.sum()) - 3 * limits.cost_per_product if limits.max_size > 2 else -np.inf
            return max(objective, float(best.max()) - 2 * limits.cost_per_product, triple_bound)
        if len(kept) < 2:
            return objective
        return max(objective, upper_bound(self._among(kept, preference, pair_values, joint, limits)))

    def _among(
        self, kept: NDArray[np.int64], preference: Reals, pair_values: Reals, joint: Reals, limits: Limits
    ) -> BundleProblem:
        position = np.full(self.products, -1, np.int64)
        position[kept] = np.arange(len(kept))
        rows, columns = position[self.first], position[self.second]
        inside = (rows >= 0) & (columns >= 0)
        rows, columns = rows[inside], columns[inside]
        values, chances = np.zeros((len(kept), len(kept))), np.zeros((len(kept), len(kept)))
        values[rows, columns] = values[columns, rows] = pair_values[inside]
        chances[rows, columns] = chances[columns, rows] = joint[inside]
        return BundleProblem(
            preference[kept],
            values,
            chances,
            self.price_cents[kept],
            self.category[kept],
            self.available_units[kept],
            limits,
        )


@njit(cache=True, nogil=True)
def _two_best(first, second, values, is_open):  # type: ignore[no-untyped-def]
    best, runner_up = np.zeros(len(is_open)), np.zeros(len(is_open))
    for pair in range(len(values)):
        if is_open[first[pair]] and is_open[second[pair]]:
            for product in (first[pair], second[pair]):
                if values[pair] > best[product]:
                    best[product], runner_up[product] = values[pair], best[product]
                elif values[pair] > runner_up[product]:
                    runner_up[product] = values[pair]
    return best, runner_up
