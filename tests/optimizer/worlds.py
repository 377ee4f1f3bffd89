"""A small shop of many customers as arrays, and the same customers as single problems."""

import numpy as np
from numpy.typing import NDArray

from ml.optimizer.limits import Limits
from ml.optimizer.market import Crowd, Market
from ml.optimizer.objective import Objective, dense_pairs
from ml.optimizer.problem import BundleProblem
from ml.optimizer.rules import IS_ANCHOR, NO_BUDGET, UNKNOWN_MARGIN


def shop(
    rng: np.random.Generator, customers: int, products: int, candidates: int, limits: Limits
) -> tuple[Market, Crowd, NDArray[np.int64]]:
    """Return market, customers, and units of which a third of the products have too few."""
    lift = np.triu(rng.gamma(2, 1, (products, products)) * (rng.random((products, products)) < 0.5), 1)
    lift = lift + lift.T
    rows, neighbours = np.nonzero(lift)
    market = Market(
        rng.integers(50, 1000, products),
        np.where(rng.random(products) < 0.1, UNKNOWN_MARGIN, rng.integers(0, 300, products)),
        rng.integers(0, products // 3 + 1, products).astype(np.int32),
        np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=products))]).astype(np.int64),
        neighbours.astype(np.int32),
        lift[rows, neighbours],
        lift[rows, neighbours],
        np.zeros(len(rows), bool),
        int(Objective.EXPECTED_JOINT_PURCHASE),
        limits.cost_per_product,
        limits.rules(),
    )
    product = np.full((customers, candidates), -1, np.int32)
    for u in range(customers):
        size = int(rng.integers(candidates // 2, candidates + 1))
        product[u, :size] = rng.choice(products, size, replace=False)
    budget = NO_BUDGET if limits.budget_cents is None else limits.budget_cents
    crowd = Crowd(
        product,
        rng.beta(0.7, 3, product.shape),
        np.zeros(product.shape),
        (IS_ANCHOR * (rng.random(product.shape) < 0.5)).astype(np.uint8),
        np.zeros(product.shape, np.int64),
        np.full(customers, limits.min_price_cents),
        np.full(customers, budget),
    )
    return market, crowd, rng.integers(0, max(2, 3 * customers // products * 2), products).astype(np.int64)


def problem_of(market: Market, crowd: Crowd, u: int, limits: Limits) -> BundleProblem:
    """Return the problem of one customer, made without the compiled builder."""
    codes = crowd.product[u][crowd.product[u] >= 0]
    lift = np.zeros((len(codes), len(codes)))
    for a, code in enumerate(codes):
        for edge in range(market.starts[code], market.starts[code + 1]):
            for b in np.flatnonzero(codes == market.neighbours[edge]):
                lift[a, b] = market.association[edge]
    preference = crowd.preference[u, : len(codes)]
    joint = dense_pairs(Objective.EXPECTED_JOINT_PURCHASE, preference, lift)
    return BundleProblem(
        preference,
        joint,
        joint,
        market.price[codes],
        market.category[codes],
        np.full(len(codes), -1),
        limits,
        margin_cents=market.margin[codes],
        product=codes.astype(np.int64),
        is_anchor=(crowd.role[u, : len(codes)] & IS_ANCHOR) != 0,
    )
