"""A small shop of many customers as arrays, and the same customers as single problems."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml.optimizer.limits import Limits
from ml.optimizer.market import Crowd, Market
from ml.optimizer.objective import Objective, dense_pairs
from ml.optimizer.problem import UNLIMITED, BundleProblem
from ml.optimizer.rules import IS_ANCHOR, IS_NEW, IS_PINNED, IS_RULED, IS_WANTED, NO_BUDGET, UNKNOWN_MARGIN
from tests.optimizer.problems import random_limits

Reals = NDArray[np.float64]
World = tuple[Market, Crowd, NDArray[np.int64]]


def shop(rng: np.random.Generator, customers: int, products: int, candidates: int, limits: Limits) -> World:
    """Return market, customers, and units of which a third of the products have too few."""
    lift = _evidence(rng, products)
    market = _market(rng, lift, lift, np.zeros_like(lift, bool), Objective.EXPECTED_JOINT_PURCHASE, limits)
    product = _candidates(rng, customers, products, candidates, candidates // 2)
    crowd = Crowd(
        product,
        rng.beta(0.7, 3, product.shape),
        np.zeros(product.shape),
        (IS_ANCHOR * (rng.random(product.shape) < 0.5)).astype(np.uint8),
        np.zeros(product.shape, np.int64),
        np.full(customers, limits.min_price_cents),
        np.full(customers, NO_BUDGET if limits.budget_cents is None else limits.budget_cents),
        rng.uniform(0.5, 2.0, customers),
        np.zeros(customers, np.int64),
    )
    return market, crowd, rng.integers(0, max(2, 3 * customers // products * 2), products).astype(np.int64)


def any_shop(rng: np.random.Generator, objective: Objective) -> tuple[World, Limits]:
    """Return a shop of 8 customers under limits of every kind, and these limits.

    Customers have prices of their own to keep to, values of their own, anchors, wanted and pinned products, earlier
    bundles; some have hardly any candidates. Some pairs are substitutes, and what the objective reads of a pair is not
    its lift.
    """
    customers, products, candidates = 8, 10, 7
    limits = random_limits(rng, 4, roles=True)
    lift = _evidence(rng, products)
    other = np.where(lift > 0, rng.gamma(2, 0.5, lift.shape), 0.0)
    substitute = np.triu(rng.random(lift.shape) < 0.15, 1)
    market = _market(rng, np.triu(other, 1) + np.triu(other, 1).T, lift, substitute | substitute.T, objective, limits)
    product = _candidates(rng, customers, products, candidates, 0)
    preference = rng.beta(0.7, 3, product.shape)
    # What a pair is worth, cents in one objective and probabilities in another, sets the scale of what is set against.
    worth = [
        dense_pairs(objective, preference[u], np.ones((candidates,) * 2), market.margin[product[u]]) for u in (0, 1)
    ]
    scale = float(np.mean(worth)) or 0.01
    limits = replace(limits, cost_per_product=float(rng.choice([0.0, 0.2, 0.6])) * scale)
    own = rng.normal(0, 0.5 * scale, product.shape) if rng.random() < 0.6 else np.zeros(product.shape)
    limit = limits.budget_cents
    budget = np.full(customers, NO_BUDGET) if limit is None else rng.integers(limit, 2 * limit, customers)
    crowd = Crowd(
        product,
        preference,
        own,
        _roles(rng, product.shape),
        _earlier(rng, product),
        np.minimum(rng.integers(0, 1500, customers) * (rng.random(customers) < 0.4), budget),
        budget,
        rng.uniform(0.5, 2.0, customers),
        IS_NEW * (rng.random(customers) < 0.3).astype(np.int64),
    )
    units = rng.integers(0, 4, products).astype(np.int64)
    return (market._replace(cost_per_product=limits.cost_per_product), crowd, units), limits


def problem_of(market: Market, crowd: Crowd, u: int, limits: Limits) -> BundleProblem:
    """Return the problem of one customer, made without the compiled builder."""
    codes = crowd.product[u][crowd.product[u] >= 0]
    n = len(codes)
    association, lift, substitute = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n), bool)
    for a, code in enumerate(codes):
        for edge in range(market.starts[code], market.starts[code + 1]):
            for b in np.flatnonzero(codes == market.neighbours[edge]):
                association[a, b], lift[a, b] = market.association[edge], market.lift[edge]
                substitute[a, b] = market.is_substitute[edge]
    preference, role, earlier = crowd.preference[u, :n], crowd.role[u, :n], crowd.earlier[u, :n]
    budget = int(crowd.budget[u])
    return BundleProblem(
        preference,
        dense_pairs(Objective(market.objective), preference, association, market.margin[codes], crowd.spread[u]),
        dense_pairs(Objective.EXPECTED_JOINT_PURCHASE, preference, lift, spread=crowd.spread[u]),
        market.price[codes],
        market.category[codes],
        np.full(n, UNLIMITED),
        replace(
            limits,
            min_price_cents=int(crowd.min_price[u]),
            budget_cents=None if budget == NO_BUDGET else budget,
            needs_new=limits.needs_new or bool(crowd.needs[u]),
        ),
        margin_cents=market.margin[codes],
        product_values=crowd.own[u, :n],
        product=codes.astype(np.int64),
        is_anchor=(role & IS_ANCHOR) != 0,
        is_wanted=(role & IS_WANTED) != 0,
        is_ruled=(role & IS_RULED) != 0,
        is_new=(role & IS_NEW) != 0,
        is_pinned=(role & IS_PINNED) != 0,
        is_substitute=substitute,
        earlier=tuple(
            tuple(int(item) for item in np.flatnonzero(earlier >> bundle & 1))
            for bundle in range(int(earlier.max(initial=0)).bit_length())
        ),
    )


def _evidence(rng: np.random.Generator, products: int) -> Reals:
    lift = np.triu(rng.gamma(2, 1, (products, products)) * (rng.random((products, products)) < 0.5), 1)
    return np.asarray(lift + lift.T)


def _market(
    rng: np.random.Generator,
    association: Reals,
    lift: Reals,
    substitute: NDArray[np.bool_],
    objective: Objective,
    limits: Limits,
) -> Market:
    products = len(lift)
    rows, neighbours = np.nonzero(lift)
    return Market(
        rng.integers(50, 1000, products),
        np.where(rng.random(products) < 0.1, UNKNOWN_MARGIN, rng.integers(0, 300, products)),
        rng.integers(0, products // 3 + 1, products).astype(np.int32),
        np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=products))]).astype(np.int64),
        neighbours.astype(np.int32),
        association[rows, neighbours],
        lift[rows, neighbours],
        substitute[rows, neighbours],
        int(objective),
        limits.cost_per_product,
        limits.rules(),
    )


def _candidates(rng: np.random.Generator, customers: int, products: int, most: int, least: int) -> NDArray[np.int32]:
    product = np.full((customers, most), -1, np.int32)
    for u in range(customers):
        size = most if rng.random() < 0.5 else int(rng.integers(least, most + 1))
        product[u, :size] = rng.choice(products, size, replace=False)
    return product


def _roles(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    is_pinning = rng.random((shape[0], 1)) < 0.3
    role = sum(bit * (rng.random(shape) < 0.4) for bit in (IS_ANCHOR, IS_WANTED, IS_RULED, IS_NEW))
    return np.asarray(role + IS_PINNED * (is_pinning & (rng.random(shape) < 0.2)), np.uint8)


def _earlier(rng: np.random.Generator, product: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return which of up to two earlier bundles of three candidates hold each."""
    earlier = np.zeros(product.shape, np.int64)
    for u, row in enumerate(product):
        there = np.flatnonzero(row >= 0)
        for bundle in range(int(rng.integers(0, 3))):
            earlier[u, rng.permutation(there)[:3]] |= 1 << bundle
    return earlier
