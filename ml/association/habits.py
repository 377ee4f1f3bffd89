"""How often customers buy of two categories together, given how much of each they buy at all.

The lift of products within customers (:mod:`ml.association.cooccurrence`), counted for whole categories, level by level
of their paths: each level is shrunk towards the level above, and the uppermost towards 1, which is chance. It is what
there is to say of a product nobody bought yet, and rests on the same expectation as the lift of counted pairs.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.association.baskets import IndexedBaskets, Ints, Reals
from ml.association.content import LEVELS
from ml.association.counting import customer_products

SHRINKAGE = 20.0
"""Pairs of baskets, seen and expected alike, by which a level is drawn to the one above. On earlier months of Complete
Journey 5 to 50 tell cold pairs equally well."""
MOST_CATEGORIES = 3000
"""Deeper levels than that are not looked at: the lift of all pairs of categories is kept in memory."""


class HabitualCategories:
    """Log lift of the categories of two products, asked like a matrix of pairs.

    Parameters
    ----------
    baskets
        What is learned from; those without a customer say nothing of habits.
    paths
        Category path of each of ``baskets.product_ids``, null where unknown: such a product has log lift 0 with all.

    Attributes
    ----------
    names
        Categories at the deepest level looked at, ascending.
    log_lift
        (categories + 1, categories + 1); the last row and column stand for the unknown and are 0.
    """

    def __init__(self, baskets: IndexedBaskets, paths: pl.Series) -> None:
        known = baskets.of_known_customers()
        starts, items, counts, weights = customer_products(known)
        products = len(known.product_ids)
        held = sparse.csr_matrix(
            (np.ones(len(known.items)), known.items, known.starts), (known.baskets_total, products)
        )
        bought = sparse.csr_matrix((counts, items, starts), (len(weights), products))
        self_held = np.asarray(held.sum(axis=0)).ravel()
        self_expected = np.asarray(bought.multiply(bought).T @ weights).ravel()
        self.names: tuple[str, ...] = ()
        lift, above = np.ones((1, 1)), np.zeros(products, np.int64)
        for level in _levels(paths):
            names, group = _grouped(level)
            member = sparse.csr_matrix((np.ones(products), (np.arange(products), group)), (products, len(names) + 1))
            in_baskets, of_customers = held @ member, bought @ member
            pairs = (in_baskets.T @ in_baskets).toarray() - np.diag(member.T @ self_held)
            expected = (of_customers.T @ sparse.diags_array(weights) @ of_customers).toarray()
            expected -= np.diag(member.T @ self_expected)
            parent = np.zeros(len(names) + 1, np.int64)
            parent[group] = above
            prior = lift[np.ix_(parent, parent)]
            lift = (pairs + SHRINKAGE * prior) / (np.maximum(expected, 0.0) + SHRINKAGE)
            lift[-1], lift[:, -1] = 1.0, 1.0
            self.names, above = names, group
        self.log_lift = np.log(lift)
        self._category = above

    def log_between(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs,) log lift of the categories of pairs given by code."""
        return np.asarray(self.log_lift[self._category[first], self._category[second]])

    def between(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs,) lift of the categories of pairs given by code."""
        return np.exp(self.log_between(first, second))

    def summed(self, codes: NDArray[np.integer]) -> Reals:
        """Return the (products,) summed lift of each product's category with those of ``codes``."""
        return np.asarray(np.exp(self.log_lift[:, self._category[codes]]).sum(axis=1)[self._category])


def at_level(paths: pl.Series, names: tuple[str, ...]) -> Ints:
    """Return the position in ``names`` of the longest beginning of each path that stands there, ``len(names)`` if none.

    Parameters
    ----------
    paths
        Category paths, null where unknown; they may be deeper than the names, or shorter.
    """
    place = {name: position for position, name in enumerate(names)}
    found = np.full(len(paths), len(names), np.int64)
    for row, path in enumerate(paths.to_list()):
        levels = path.split(LEVELS) if path else []
        for depth in range(len(levels), 0, -1):
            position = place.get(LEVELS.join(levels[:depth]))
            if position is not None:
                found[row] = position
                break
    return found


def _levels(paths: pl.Series) -> list[pl.Series]:
    """Return the paths cut at each level, from the uppermost down, as long as there are few enough categories."""
    parts = paths.str.split(LEVELS)
    deepest = int(parts.list.len().max() or 0)  # type: ignore[arg-type]
    cut = [parts.list.head(depth).list.join(LEVELS) for depth in range(1, deepest + 1)]
    return [level for level in cut if level.n_unique() <= MOST_CATEGORIES]


def _grouped(level: pl.Series) -> tuple[tuple[str, ...], Ints]:
    names = level.drop_nulls().unique().sort()
    group = level.replace_strict(names, np.arange(len(names)), default=len(names), return_dtype=pl.Int64)
    return tuple(names), group.to_numpy()
