"""Bundle problems of one size for many customers, invented ones here; real ones are in ``real_instances``.

``realistic``: products lie around the centres of clusters in an embedding, and any two are associated as far as their
directions are alike, which they are within a cluster and with the cluster that goes with it. Seven of ten candidates
come from the customer's six favourite clusters, the others by popularity. A pair is worth (p_i + p_j) A_ij, a product a
share of its margin; at most two of a category, a price range around the median, and one of the fifth that the customer
likes best is asked for.

``sparse``: the same, but of the associations only those are kept that are among a product's hundred strongest, as a
shop stores them.

``flat``: the limits of ``realistic``, where all preferences and all associations are nearly alike, so that no bound
tells candidates apart until late: the worst case of a tree search.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from ml.association.symmetric import SymmetricPairs
from ml.optimizer.limits import Limits
from ml.optimizer.market import Crowd, Market
from ml.optimizer.objective import Objective, dense_pairs
from ml.optimizer.problem import UNLIMITED, BundleProblem
from ml.optimizer.rules import IS_ANCHOR, NO_BUDGET, Rules

PRODUCTS, CLUSTERS, CATEGORIES, DIMENSIONS, NEIGHBOURS = 5000, 50, 40, 64, 100
FAVOURITES, FAVOURITE_SHARE = 6, 0.7
FLAT_PRODUCTS = 400
QUOTA, ANCHOR_SHARE, MARGIN_WEIGHT = 2, 0.2, 3e-4
"""``MARGIN_WEIGHT`` is the value of an expected cent of margin."""
LOWEST_PRICE, HIGHEST_PRICE = 0.6, 1.0
"""Of bundle size times the median price of the customer's candidates."""

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Instances:
    """Problems of one kind, of n candidates and one bundle size.

    Attributes
    ----------
    market, crowd
        The shop and its customers.
    associations
        Returns the (n, n) associations among product codes.
    is_sparse
        Whether the market holds these associations too, so that pair values can be made from it.
    """

    kind: str
    size: int
    market: Market
    crowd: Crowd
    associations: Callable[[NDArray[np.integer]], Reals]
    is_sparse: bool

    @property
    def candidates(self) -> int:
        """Return n."""
        return int(self.crowd.product.shape[1])

    @property
    def customers(self) -> int:
        """Return how many customers there are."""
        return len(self.crowd.product)

    @property
    def name(self) -> str:
        """Return kind, candidates and size in one word."""
        return f"{self.kind}_n{self.candidates}_k{self.size}"

    def problem(self, customer: int) -> BundleProblem:
        """Return the problem of one customer as matrices, made apart from the compiled code that is timed."""
        market, crowd, rules = self.market, self.crowd, self.market.rules
        codes = crowd.product[customer].astype(np.int64)
        preference = crowd.preference[customer].astype(float)
        associated, margin = self.associations(codes), market.margin[codes]
        return BundleProblem(
            preference,
            dense_pairs(Objective(market.objective), preference, associated, margin, crowd.spread[customer]),
            np.zeros_like(associated),
            market.price[codes],
            market.category[codes],
            np.full(len(codes), UNLIMITED),
            Limits(
                min_size=rules.min_size,
                max_size=rules.max_size,
                min_price_cents=int(crowd.min_price[customer]),
                budget_cents=None if crowd.budget[customer] == NO_BUDGET else int(crowd.budget[customer]),
                max_per_category=rules.quota,
                needs_anchor=(rules.needs & IS_ANCHOR) != 0,
                cost_per_product=market.cost_per_product,
            ),
            margin_cents=margin,
            product_values=crowd.own[customer].astype(float),
            product=codes,
            is_anchor=(crowd.role[customer] & IS_ANCHOR) != 0,
        )


def exactly(size: int, quota: int, needs_anchor: bool) -> Rules:
    """Return the rules of bundles of one size; price limits are each customer's own."""
    return Rules(size, size, 0, NO_BUDGET, 0, False, quota, 1, IS_ANCHOR * needs_anchor, False, 0.0, 0)


def realistic(candidates: int, size: int, customers: int, seed: int = 0, is_sparse: bool = False) -> Instances:
    """Return customers with candidates from their favourite clusters and from what is popular."""
    shop = _shop(is_sparse)
    rng = np.random.default_rng([seed, candidates, size])
    products, preference = np.empty((customers, candidates), np.int32), np.empty((customers, candidates))
    for u in range(customers):
        favourites = rng.choice(CLUSTERS, FAVOURITES, replace=False)
        liked = np.flatnonzero(np.isin(shop.cluster, favourites))
        chosen = rng.choice(liked, min(round(FAVOURITE_SHARE * candidates), len(liked)), replace=False)
        odds = shop.popularity.copy()
        odds[chosen] = 0.0
        others = rng.choice(PRODUCTS, candidates - len(chosen), replace=False, p=odds / odds.sum())
        products[u] = np.concatenate([chosen, others])
        taste = shop.centres[favourites].sum(0)
        fit = shop.direction[products[u]] @ (taste / np.linalg.norm(taste))
        preference[u] = 1.0 / (1.0 + np.exp(1.5 - 6.0 * fit - 0.7 * rng.normal(size=candidates)))
    own = MARGIN_WEIGHT * preference * shop.market.margin[products]
    crowd = _crowd(size, shop.market, products, preference, own)
    market = shop.market._replace(rules=exactly(size, QUOTA, needs_anchor=True))
    kind = "sparse" if is_sparse else "realistic"
    return Instances(kind, size, market, crowd, shop.associations, is_sparse)


def flat(candidates: int, size: int, customers: int, seed: int = 0) -> Instances:
    """Return customers to whom all products are nearly alike."""
    rng = np.random.default_rng([seed, candidates, size])
    products = np.argsort(rng.random((customers, FLAT_PRODUCTS)), axis=1)[:, :candidates].astype(np.int32)
    preference = 0.5 + 0.02 * rng.random(products.shape)
    market, associated = _flat_market()
    crowd = _crowd(size, market, products, preference, np.zeros(products.shape))
    market = market._replace(rules=exactly(size, QUOTA, needs_anchor=True))
    return Instances("flat", size, market, crowd, lambda codes: associated[np.ix_(codes, codes)], False)


INVENTED: dict[str, Callable[[int, int, int], Instances]] = {
    "realistic": realistic,
    "sparse": partial(realistic, is_sparse=True),
    "flat": flat,
}
"""By kind; each takes candidates, bundle size and customers."""


@dataclass(frozen=True)
class _Shop:
    market: Market
    cluster: NDArray[np.int64]
    centres: Reals
    direction: Reals
    popularity: Reals
    associations: Callable[[NDArray[np.integer]], Reals]


@cache
def _shop(is_sparse: bool) -> _Shop:
    rng = np.random.default_rng(0)
    centres, cluster = rng.normal(size=(CLUSTERS, DIMENSIONS)), rng.integers(0, CLUSTERS, PRODUCTS)
    companion = rng.permutation(CLUSTERS)
    direction = _unit(centres[cluster] + rng.normal(size=(PRODUCTS, DIMENSIONS)))
    going_with = _unit(0.6 * (centres[cluster] + centres[companion[cluster]]) + rng.normal(size=(PRODUCTS, DIMENSIONS)))
    is_moved = rng.random(PRODUCTS) < 0.2
    of_cluster, of_its_own = rng.integers(0, CATEGORIES, CLUSTERS), rng.integers(0, CATEGORIES, PRODUCTS)
    category = np.where(is_moved, of_its_own, of_cluster[cluster])
    popularity = rng.permutation((np.arange(PRODUCTS) + 50.0) ** -0.8)
    pairs = _strongest(going_with) if is_sparse else None
    block = pairs.block if pairs else partial(_likeness, going_with)
    return _Shop(_market(rng, category, pairs), cluster, centres, direction, popularity, block)


@cache
def _flat_market() -> tuple[Market, Reals]:
    rng = np.random.default_rng(0)
    associated = np.triu(0.5 + 0.05 * rng.random((FLAT_PRODUCTS, FLAT_PRODUCTS)), 1)
    return _market(rng, rng.integers(0, CATEGORIES, FLAT_PRODUCTS), None), associated + associated.T


def _likeness(embedding: Reals, codes: NDArray[np.integer]) -> Reals:
    """Return (n, n) cosines, none below 0; 0 of a product with itself."""
    cosine = np.maximum(embedding[codes] @ embedding[codes].T, 0.0)
    np.fill_diagonal(cosine, 0.0)
    symmetric: Reals = np.maximum(cosine, cosine.T)  # to the last bit
    return symmetric


def _strongest(embedding: Reals) -> SymmetricPairs:
    """Return the cosines of each product with the most alike; a pair counts when it is among them on either side."""
    cosine = _likeness(embedding, np.arange(len(embedding)))
    kept = np.argpartition(-cosine, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    rows, columns = np.repeat(np.arange(len(kept)), NEIGHBOURS), kept.ravel()
    codes = np.unique(np.minimum(rows, columns) * len(embedding) + np.maximum(rows, columns))
    first, second = (side.astype(np.int32) for side in np.divmod(codes, len(embedding)))
    return SymmetricPairs.of(first, second, cosine[first, second], len(embedding))


def _market(rng: np.random.Generator, category: NDArray[np.int64], pairs: SymmetricPairs | None) -> Market:
    price = np.round(100 * np.exp(rng.normal(3.0, 0.6, len(category)))).astype(np.int64)
    margin = np.round(price * rng.uniform(0.1, 0.5, len(price))).astype(np.int64)
    pairs = pairs or SymmetricPairs.of(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0), len(price))
    return Market(
        price,
        margin,
        category.astype(np.int32),
        pairs.starts,
        pairs.neighbours,
        pairs.values,
        pairs.values,
        np.zeros(len(pairs.values), bool),
        int(Objective.PAIRWISE_SUM),
        0.0,
        exactly(2, QUOTA, needs_anchor=True),
    )


def _crowd(size: int, market: Market, products: NDArray[np.int32], preference: Reals, own: Reals) -> Crowd:
    is_anchor = preference >= np.quantile(preference, 1 - ANCHOR_SHARE, axis=1, keepdims=True)
    typical = size * np.median(market.price[products], axis=1)
    return Crowd(
        products,
        preference,
        own,
        np.where(is_anchor, IS_ANCHOR, 0).astype(np.uint8),
        np.zeros(products.shape, np.int64),
        np.ceil(LOWEST_PRICE * typical).astype(np.int64),
        np.floor(HIGHEST_PRICE * typical).astype(np.int64),
        np.ones(len(products)),
        np.zeros(len(products), np.int64),
    )


def _unit(vectors: Reals) -> Reals:
    units: Reals = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units
