"""New products rehearsed: what would be said of some products' pairs had they never been sold, beside what came true.

A fifth of the products is taken out of all baskets, the readings that need no sales of a product are learned from the
rest, and a Poisson regression scales them to the lift within customers of the pairs of those products: counts against
what habits explain. A reading that tells little is drawn towards chance by it, as its weight is small.

Source
------
McCullagh and Nelder (1989), Generalized linear models, chapter 6 (counts with a known expectation as offset).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from ml.association.attributes import node_attributes
from ml.association.baskets import IndexedBaskets, Ints, Reals
from ml.association.counting import customer_products
from ml.association.graph import GraphEmbedding, GraphParams
from ml.association.habits import HabitualCategories

COLD_SHARE = 0.2
MOST_COLD = 200
"""Products whose pairs the scale is fitted on: with 6,000 others each more pairs than two weights need."""
PARTS = {"category": (True, False), "graph": (False, True), "blend": (True, True)}
"""By reading, which of the two parts weigh: the log lift of the categories, and of the graph's embeddings."""


@dataclass(frozen=True)
class Scale:
    """log A = intercept + category x log lift of categories + graph x log lift of embeddings; weights are >= 0."""

    intercept: float
    category: float
    graph: float

    def log_lift(self, parts: Reals) -> Reals:
        """Return the (pairs,) log lift of (pairs, 2) parts."""
        return self.intercept + parts @ np.array([self.category, self.graph])


class Rehearsal:
    """Readings learned without some products of the shop.

    Parameters
    ----------
    baskets
        What was known.
    catalogue
        A row for each of ``baskets.product_ids``, in their order: what
        :func:`ml.association.attributes.node_attributes` reads.
    seed
        Draws the products; also the seed of the graph.
    sentences
        Whether the graph reads titles by the sentence model.

    Attributes
    ----------
    is_cold
        (products,) whether a product was taken out.
    """

    def __init__(self, baskets: IndexedBaskets, catalogue: pl.DataFrame, seed: int, sentences: bool = False) -> None:
        self.is_cold = np.random.default_rng(seed).random(len(baskets.product_ids)) < COLD_SHARE
        rest = without(baskets, self.is_cold)
        self._baskets, self._seed = baskets, seed
        self._habits = HabitualCategories(rest, catalogue["category_path"])
        self._graph = GraphEmbedding(rest, node_attributes(catalogue, sentences)[0], GraphParams(), seed)

    def parts(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs, 2) log lifts of pairs given by code: of the categories and of the graph."""
        return np.stack([self._habits.log_between(first, second), np.log(self._graph.between(first, second))], axis=1)

    def scale(self, reading: str) -> Scale:
        """Return how the parts of a reading stand to the lift that the products taken out really had."""
        cold = np.random.default_rng(self._seed).permutation(np.flatnonzero(self.is_cold))[:MOST_COLD]
        counts, expected = _pairs_of(self._baskets.of_known_customers(), cold)
        first, second = np.nonzero(expected > 0)
        return fitted_scale(
            self.parts(cold[first], second), counts[first, second], expected[first, second], PARTS[reading]
        )


def without(baskets: IndexedBaskets, is_left_out: NDArray[np.bool_]) -> IndexedBaskets:
    """Return the baskets without some products, which stay in the catalogue; those that become empty go too."""
    kept = ~is_left_out[baskets.items]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[baskets.starts]
    left = IndexedBaskets(baskets.product_ids, starts, baskets.items[kept], baskets.customers, baskets.customer_ids)
    return left.where(np.diff(starts) > 0)


def fitted_scale(parts: Reals, counts: Reals, expected: Reals, weigh: tuple[bool, bool]) -> Scale:
    """Return the likeliest scale, were each count Poisson around ``expected`` times the lift.

    Parameters
    ----------
    parts
        (pairs, 2) log lifts.
    counts, expected
        (pairs,) baskets that hold both, and those that habits explain, > 0.
    weigh
        Which parts may weigh at all.
    """
    if not counts.sum():
        return Scale(0.0, *(1.0 * one for one in weigh))
    columns = np.concatenate([np.ones((len(parts), 1)), parts], axis=1)
    free = np.array([True, *weigh])

    def loss(weights: Reals) -> tuple[float, Reals]:
        exponent = columns @ weights
        lift = expected * np.exp(np.minimum(exponent, 30.0))
        slope = columns.T @ (lift - counts)
        return float(lift.sum() - counts @ exponent) / counts.sum(), np.where(free, slope, 0.0) / counts.sum()

    bounds = [(None, None), *((0.0, None if one else 0.0) for one in weigh)]
    found = minimize(loss, np.zeros(3), jac=True, method="L-BFGS-B", bounds=bounds)
    return Scale(*(float(weight) for weight in found.x))


def _pairs_of(known: IndexedBaskets, codes: Ints) -> tuple[Reals, Reals]:
    """Return (codes, products) baskets with both and those expected, 0 of a product with itself."""
    shape = (known.baskets_total, len(known.product_ids))
    held = sparse.csr_matrix((np.ones(len(known.items)), known.items, known.starts), shape)
    starts, items, counts, weights = customer_products(known)
    bought = sparse.csr_matrix((counts, items, starts), (len(weights), shape[1]))
    together = (held[:, codes].T @ held).toarray()
    expected = (bought[:, codes].T @ sparse.diags_array(weights) @ bought).toarray()
    itself = (np.arange(len(codes)), codes)
    together[itself], expected[itself] = 0.0, 0.0
    return together, expected
