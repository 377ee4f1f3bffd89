"""Prices of stock: the dual of the assignment of bundles to customers from shared stock.

For any prices d >= 0 a unit, the customers' best bundles at these prices and the stock at these prices,

    sum_u max(0, v_u(d)) + sum_j d_j units_j,

bound every assignment from above (Lagrangian relaxation: Geoffrion 1974, Math. Program. Study 2). Prices that make the
bound small are found in two steps. One or two rounds of mini-batches of customers, with steps scaled by product and
averaged (AdaGrad: Duchi, Hazan and Singer 2011, J. Mach. Learn. Res. 12). Then the same dual over a few bundles a
customer, smoothed by a soft maximum (Nesterov 2005, Math. Program. 103) and minimised by L-BFGS-B within a trust
region, while an exact pass over all customers adds the bundles that are missing (column generation: Gilmore and Gomory
1961, Oper. Res. 9).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import minimize

from ml.optimizer.market import Crowd, Market, Pairs
from ml.optimizer.pricing import Bench, Columns, bench, demand, fill_halves, price_pass

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]

COLUMNS = 8
BATCHES = 20
STEP = 0.1
"""Of the first prices, as a share of a customer's mean best value."""
ROUNDS = ((0.03, 0.1), (0.015, 0.1), (0.01, 0.03), (0.003, 0.03), (0.001, 0.03))
"""Softness and trust region of each round, as shares of the same."""
BLOCK = 2000
"""Customers a thread takes at a time."""


@dataclass
class Pricing:
    """The customers of one shard with their columns, priced in parallel.

    Attributes
    ----------
    market, crowd, columns
        The shop, its customers, what each has in hand.
    there
        (I,) int64, 0 for a product that no bundle may hold, see :meth:`close`.
    threads, max_nodes
        Workers, and the cap on the search of one customer.
    """

    market: Market
    crowd: Crowd
    columns: Columns
    there: Ints
    threads: int
    max_nodes: int

    @classmethod
    def of(cls, market: Market, crowd: Crowd, threads: int, max_nodes: int) -> "Pricing":
        """Return the customers without any column, their halves computed."""
        customers, candidates = crowd.product.shape
        columns = Columns(
            Pairs.of(market, crowd),
            np.full((customers, COLUMNS, market.rules.max_size), -1, np.int32),
            np.zeros((customers, COLUMNS)),
            np.zeros((customers, candidates), np.float32),
            np.zeros(customers),
        )
        pricing = cls(market, crowd, columns, np.ones(len(market.price), np.int64), threads, max_nodes)
        pricing._in_blocks(
            np.arange(customers),
            1,
            lambda some, work: fill_halves(market, crowd, some[0], some[-1] + 1, columns, work),
        )
        return pricing

    @property
    def customers(self) -> int:
        """Return how many customers there are."""
        return len(self.crowd.product)

    def close(self, is_gone: NDArray[np.bool_]) -> None:
        """Let no bundle hold these products (I,) from now on, and drop the columns that do.

        A price keeps a customer from a product only where it is high enough for that customer; that none is there says
        so of everybody, and makes the bound smaller.
        """
        self.there[is_gone] = 0
        is_dropped = np.append(is_gone, False)[self.columns.product].any(axis=2)  # a code of -1 is never gone
        self.columns.product[is_dropped] = -1
        self.columns.value[is_dropped] = 0.0

    def at(self, dual: Reals, some: Ints | None = None, near: float = 0.0, bundles: int = 1) -> tuple[Ints, Reals]:
        """Return each customer's best column at prices (-1: nothing pays) and the bound on its value, for ``some``."""
        chosen, bound = np.full(self.customers, -1, np.int64), np.zeros(self.customers)
        who = np.arange(self.customers) if some is None else some

        def work(block: Ints, memory: Bench) -> None:
            price_pass(
                self.market,
                self.crowd,
                block,
                self.columns,
                dual,
                near,
                self.max_nodes,
                memory,
                self.there,
                chosen,
                bound,
            )

        self._in_blocks(who, bundles, work)
        return chosen, bound

    def _in_blocks(self, who: Ints, bundles: int, work) -> None:  # type: ignore[no-untyped-def]
        blocks = [who[start : start + BLOCK] for start in range(0, len(who), BLOCK)]
        memories = [self.memory(bundles) for _ in range(min(self.threads, len(blocks)))]

        def every(number: int) -> None:
            for block in blocks[number :: len(memories)]:
                work(block, memories[number])

        with ThreadPoolExecutor(max(len(memories), 1), thread_name_prefix="pricing") as pool:
            list(pool.map(every, range(len(memories))))

    def memory(self, bundles: int = 1) -> Bench:
        """Return memory for one thread."""
        return bench(self.crowd.product.shape[1], self.market.rules.max_size, bundles)


def find_prices(pricing: Pricing, units: Ints, rng: np.random.Generator, epochs: int) -> tuple[Reals, float]:
    """Return prices (I,) >= 0 of a unit, and the bound that they prove.

    Parameters
    ----------
    units
        (I,) how often each product may be promised.
    epochs
        Rounds of mini-batches before the columns.
    """
    scale = _scale(pricing)
    if scale <= 0.0:
        return np.zeros(len(units)), 0.0
    dual = _online(pricing, units, rng, epochs, STEP * scale)
    best, least = dual, bound_of(pricing, units, dual)[0]
    free = np.zeros(len(units))
    unpriced = bound_of(pricing, units, free)[0]
    if unpriced < least:
        best, least = free, unpriced
    for softness, trust in ROUNDS:
        dual = _smoothed(pricing, units, dual, softness * scale, trust * scale)
        bound, _ = bound_of(pricing, units, dual, 4 * softness * scale, 3)
        if bound < least:
            best, least = dual, bound
    return best, least


def bound_of(pricing: Pricing, units: Ints, dual: Reals, near: float = 0.0, bundles: int = 1) -> tuple[float, Ints]:
    """Return what no assignment of these customers exceeds, and each one's best column at these prices."""
    chosen, bound = pricing.at(dual, None, near, bundles)
    return float(bound.sum() + dual @ units), chosen


def _scale(pricing: Pricing) -> float:
    """Return the mean value of the best bundles of some customers at no price."""
    some = np.arange(0, pricing.customers, max(1, pricing.customers // 1000))
    _, bound = pricing.at(np.zeros(len(pricing.market.price)), some)
    return float(bound[some].mean())


def _online(pricing: Pricing, units: Ints, rng: np.random.Generator, epochs: int, step: float) -> Reals:
    dual, squares = np.zeros(len(units)), np.full(len(units), 1e-6)
    average = dual
    for _ in range(epochs):
        total, batches = np.zeros(len(units)), list(_batches(rng.permutation(pricing.customers)))
        for batch in batches:
            chosen, _ = pricing.at(dual, batch)
            excess = np.zeros(len(units))
            demand(pricing.columns.product, batch, chosen, excess)
            excess -= units * (len(batch) / pricing.customers)
            squares += excess**2
            dual = np.maximum(0.0, dual + step * excess / np.sqrt(squares))
            total += dual
        average = total / len(batches)
    return average


def _batches(order: Ints) -> Iterator[Ints]:
    yield from (batch for batch in np.array_split(order, BATCHES) if len(batch))


def _smoothed(pricing: Pricing, units: Ints, dual: Reals, softness: float, trust: float) -> Reals:
    """Return prices that minimise the smoothed dual of the columns in hand, not far from those given."""
    low, high = np.maximum(0.0, dual - trust), dual + trust
    found = minimize(
        _soft_bound,
        dual,
        args=(pricing.columns.product, pricing.columns.value, units.astype(float), softness),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(low, high, strict=True)),
        options={"maxiter": 150, "maxcor": 20},
    )
    return np.asarray(found.x)


@njit(cache=True, nogil=True)
def _soft_bound(dual, product, value, units, softness):  # type: ignore[no-untyped-def]
    """Return sum_u softness log(1 + sum_c exp(value_uc(dual) / softness)) + dual units, and its gradient."""
    customers, columns, size = product.shape
    gradient, total, level = units.copy(), 0.0, np.empty(columns)
    for j in range(len(dual)):
        total += dual[j] * units[j]
    for u in range(customers):
        highest, count = 0.0, 0
        for c in range(columns):
            if product[u, c, 0] < 0:
                break
            level[c] = value[u, c]
            for a in range(size):
                if product[u, c, a] >= 0:
                    level[c] -= dual[product[u, c, a]]
            highest = max(highest, level[c])
            count += 1
        mass = np.exp(-highest / softness)
        for c in range(count):
            level[c] = np.exp((level[c] - highest) / softness)
            mass += level[c]
        total += highest + softness * np.log(mass)
        for c in range(count):
            share = level[c] / mass
            if share > 1e-8:
                for a in range(size):
                    if product[u, c, a] >= 0:
                        gradient[product[u, c, a]] -= share
    return total, gradient
