"""Which product completes a basket, as a linear regression of every product on all others."""

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from ml.association.baskets import IndexedBaskets, Ints, Reals

PENALTY_SHARE = 0.5
"""Of the mean weight of a product: the ridge penalty. Between 0.3 and 1.5 completion on Complete Journey and Online
Retail II differs by less than its interval."""
SIZE_POWER = 0.25
"""An entry of a basket weighs its size to the power of minus this, as a large basket says less about each of its
pairs."""
MOST_PRODUCTS = 8_000
"""The matrix is dense and its inverse grows with the third power: products beyond, in the fewest baskets, get no
score (8,000 take 256 MB and a quarter of a minute)."""


class BasketRegression:
    """Weights under which the products of a basket tell each of its products best, all but itself.

    Unlike a sum of pairwise associations it explains away: two products that always come together count once.

    Parameters
    ----------
    baskets
        What is learned from.

    Source
    ------
    Steck (2019), Embarrassingly shallow autoencoders for sparse data, WWW.
    """

    def __init__(self, baskets: IndexedBaskets) -> None:
        counts = baskets.product_baskets()
        self._kept: Ints = np.sort(np.argsort(-counts, kind="stable")[:MOST_PRODUCTS])
        self._kept = self._kept[counts[self._kept] > 0]
        self._place = np.full(len(counts), -1, np.int64)
        self._place[self._kept] = np.arange(len(self._kept))
        sizes = np.diff(baskets.starts).astype(np.float32)
        entries = np.repeat(sizes ** np.float32(-SIZE_POWER), np.diff(baskets.starts))
        shape = (baskets.baskets_total, len(counts))
        held = sparse.csr_matrix((entries, baskets.items, baskets.starts), shape)[:, self._kept]
        self._weights = _regressed((held.T @ held).toarray())

    def summed(self, codes: NDArray[np.integer]) -> Reals:
        """Return the (products,) score of each product beside those of ``codes``; 0 for what was never bought."""
        places = self._place[codes]
        score = np.zeros(len(self._place))
        score[self._kept] = self._weights[places[places >= 0]].sum(axis=0)
        return score

    def between(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs,) mean weight of the two directions of each pair."""
        left, right = self._place[first], self._place[second]
        both = (self._weights[left, right] + self._weights[right, left]) / 2 if len(self._kept) else np.zeros(len(left))
        return np.where((left >= 0) & (right >= 0), both, 0.0).astype(np.float64)


def _regressed(together: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the (n, n) weights, no product weighing on itself, of an (n, n) matrix of products' joint weight."""
    if not len(together):
        return together
    together[np.diag_indices_from(together)] += PENALTY_SHARE * np.diag(together).mean()
    inverse = linalg.inv(together, overwrite_a=True, check_finite=False)
    weights: NDArray[np.float32] = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights
