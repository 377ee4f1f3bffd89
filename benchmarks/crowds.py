"""Simulated customers of one shop, made shard by shard from a seed, for the stock-coupled benchmark.

Products lie in clusters of an embedding; a product goes well with its own cluster and with a complementary one, and
keeps the hundred pairs it goes best with. A customer likes six clusters: seven tenths of the candidates come from them,
the rest by popularity. Bundles need an anchor (one of the likeliest fifth), keep to a budget around the size times the
median price, and hold at most two products of a category; the value is the commissioning sum over pairs, since it keeps
every pair in play, and a margin term. Stock is 1.2 times what customers would take were all products alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from ml.optimizer.limits import Limits
from ml.optimizer.market import Crowd, Market
from ml.optimizer.objective import Objective
from ml.optimizer.rules import IS_ANCHOR

PAIRS_OF_A_PRODUCT = 100
DIMENSIONS = 32


@dataclass(frozen=True)
class World:
    """A shop and what its customers are drawn from.

    Attributes
    ----------
    market, units
        The shop as arrays, and how often each product may be promised.
    """

    market: Market
    units: NDArray[np.int64]
    customers: int
    candidates: int
    shard: int
    seed: int
    liking: NDArray[np.float64]
    centres: NDArray[np.float64]
    members: NDArray[np.int64]
    starts: NDArray[np.int64]
    cumulative: NDArray[np.float64]

    def shards(self) -> Iterator[Crowd]:
        """Yield the customers, a shard at a time; the same ones each time."""
        for number, start in enumerate(range(0, self.customers, self.shard)):
            yield self._crowd(number, min(self.shard, self.customers - start))

    def _crowd(self, number: int, customers: int) -> Crowd:
        shape, size = (customers, self.candidates), self.market.rules.max_size
        product, likes = np.empty(shape, np.int32), np.empty(shape)
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        _draw(seed, self.liking, self.centres, self.members, self.starts, self.cumulative, product, likes)
        preference = (1.0 / (1.0 + np.exp(1.5 - likes))).astype(np.float32)
        is_anchor = preference >= np.quantile(preference, 0.8, axis=1, keepdims=True)
        price = np.median(self.market.price[product], axis=1) * size
        own = (0.3 * preference * self.market.margin[product] / 1000).astype(np.float32)
        return Crowd(
            product,
            preference,
            own,
            (IS_ANCHOR * is_anchor).astype(np.uint8),
            np.zeros(shape, np.int64),
            (0.6 * price).astype(np.int64),
            price.astype(np.int64),
            np.ones(customers),
            np.zeros(customers, np.int64),
        )


def world(
    customers: int, products: int, size: int, scarcity: float = 1.0, shard: int = 100_000, seed: int = 0
) -> World:
    """Return a shop with customers who get bundles of ``size`` products each.

    Parameters
    ----------
    scarcity
        Factor of the stock; below 1 less than every customer would take.
    """
    rng = np.random.default_rng(seed)
    clusters = 40 if products < 5000 else 200
    centres, cluster = rng.normal(size=(clusters, DIMENSIONS)), rng.integers(0, clusters, products)
    other = rng.permutation(clusters)
    noise = rng.normal(size=(2, products, DIMENSIONS))
    fits = _unit(0.6 * centres[cluster] + 0.6 * centres[other[cluster]] + noise[0]).astype(np.float32)
    kinds = np.where(rng.random(products) < 0.2, rng.integers(0, 40, products), rng.integers(0, 40, clusters)[cluster])
    price = np.round(100 * np.exp(rng.normal(3.0, 0.6, products))).astype(np.int64)
    margin = (price * rng.uniform(0.1, 0.5, products)).astype(np.int64)
    popularity = rng.permutation(1 / (np.arange(products) + 50.0) ** 0.8)
    pairs = _pairs(fits)
    order = np.argsort(cluster, kind="stable")
    limits = Limits(min_size=size, max_size=size, max_per_category=2, needs_anchor=True)
    market = Market(
        price,
        margin,
        kinds.astype(np.int32),
        pairs.indptr.astype(np.int64),
        pairs.indices.astype(np.int32),
        pairs.data.astype(float),
        pairs.data.astype(float),
        np.zeros(pairs.nnz, bool),
        int(Objective.PAIRWISE_SUM),
        0.0,
        limits.rules(),
    )
    mean = customers * size / products * 1.2
    units = np.maximum(1, np.round(np.maximum(1, rng.poisson(mean, products)) * scarcity)).astype(np.int64)
    return World(
        market,
        units,
        customers,
        50,
        shard,
        seed,
        _unit(centres[cluster] + noise[1]),
        centres,
        order,
        np.searchsorted(cluster[order], np.arange(clusters + 1)),
        np.cumsum(popularity / popularity.sum()),
    )


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _pairs(fits: NDArray[np.float32]) -> sparse.csr_matrix:
    """Return what goes with what: cosines of the best pairs of each product, both ways, where positive."""
    products = len(fits)
    rows, columns, values = [], [], []
    for start in range(0, products, 1000):
        cosine = fits[start : start + 1000] @ fits.T
        cosine[np.arange(len(cosine)), np.arange(start, start + len(cosine))] = -1.0
        best = np.argpartition(-cosine, PAIRS_OF_A_PRODUCT, axis=1)[:, :PAIRS_OF_A_PRODUCT]
        rows.append(np.repeat(np.arange(start, start + len(cosine)), PAIRS_OF_A_PRODUCT))
        columns.append(best.ravel())
        values.append(np.maximum(np.take_along_axis(cosine, best, axis=1), 0.0).ravel())
    shape = (products, products)
    one_way = sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape)
    both = one_way.maximum(one_way.T).tocsr()
    both.eliminate_zeros()
    both.sort_indices()
    return both


@njit(cache=True, nogil=True)
def _draw(seed, liking, centres, members, starts, cumulative, product, likes):  # type: ignore[no-untyped-def]
    """Draw the candidates of each customer, and how much each is liked."""
    np.random.seed(seed)
    clusters, dimensions = centres.shape
    customers, n = product.shape
    is_taken, taste, favourites = np.zeros(len(liking), np.bool_), np.empty(dimensions), np.empty(6, np.int64)
    for u in range(customers):
        taste[:] = 0.0
        for number in range(6):
            favourites[number] = np.random.randint(clusters)
            taste += centres[favourites[number]]
        taste /= np.sqrt((taste * taste).sum())
        count, tries = 0, 0
        while count < n:
            tries += 1
            cluster = favourites[np.random.randint(6)]
            room = starts[cluster + 1] - starts[cluster]
            if count < 0.7 * n and tries < 4 * n and room > 0:
                chosen = members[starts[cluster] + np.random.randint(room)]
            else:
                chosen = min(np.searchsorted(cumulative, np.random.random()), len(liking) - 1)
            if not is_taken[chosen]:
                is_taken[chosen] = True
                product[u, count] = chosen
                likes[u, count] = 6.0 * (liking[chosen] * taste).sum() + 0.7 * np.random.normal()
                count += 1
        for place in range(n):
            is_taken[product[u, place]] = False
