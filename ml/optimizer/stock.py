"""At most one bundle a customer from stock that all share: an assignment close to its proven bound.

Prices of stock (:mod:`ml.optimizer.dual`) give the bound. Customers then choose in falling order of regret, best less
second best bundle at these prices, so that ties are decided last, where they cost least; and sweeps at prices that fall
to nothing let everybody choose again from what is left, with chains of ejections between customers (an annealing of
prices; the best of several rounds is kept). Units are whole numbers throughout, and no product is ever promised twice.

Customers come in shards, of which one is in memory at a time. The prices are found on the first; each shard then gets
its share of the units, by what its customers would take at these prices, and passes on what it leaves. The bound is
that of all customers together, for the same prices.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.errors import DataError
from ml.optimizer.dual import COLUMNS, Ints, Pricing, Reals, bound_of, find_prices
from ml.optimizer.market import Crowd, Market, check
from ml.optimizer.pricing import demand
from ml.optimizer.sweep import eject, sweep

NEAR = 0.05
"""Bundles within this share of a customer's mean best value count for the regret."""
COOLING = (1.1, 1.05, 1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.3, 0.0)
"""Factors of the prices in one round of sweeps."""
MAX_HOLDERS = 1000
MANY = 50_000
"""Customers from which on the gap is small anyway and time is what lacks."""


@dataclass(frozen=True)
class StockParams:
    """How hard to look.

    Attributes
    ----------
    rounds
        Rounds of sweeps; the best is kept.
    epochs
        Rounds of mini-batches for the first prices; 0 stands for two below ``MANY`` customers, one above.
    tries, most_gone
        How many of its bundles a customer tries to get by ejections, and the most products of one that may be gone;
        0 stands for all and two below ``MANY`` customers, one and one above.
    threads, max_nodes
        Workers for what is independent, and the cap on the search of one customer.
    seed
        Of the orders in which customers take turns.
    """

    rounds: int = 2
    epochs: int = 0
    tries: int = 0
    most_gone: int = 0
    threads: int = 1
    max_nodes: int = 20_000
    seed: int = 0

    def sized(self, customers: int) -> "StockParams":
        """Return these with what stands at 0 set for a shard of so many customers."""
        is_few = customers < MANY
        return replace(
            self,
            epochs=self.epochs or (2 if is_few else 1),
            tries=self.tries or (COLUMNS if is_few else 1),
            most_gone=self.most_gone or (2 if is_few else 1),
        )


@dataclass(frozen=True)
class Assigned:
    """What the customers of one shard are offered.

    Attributes
    ----------
    product
        (U, K) codes, ascending, -1 after the last; -1 throughout for a customer without a bundle.
    value
        (U,) of the bundle, without prices.
    naive_value
        Sum of values when customers choose in falling order of their best value, without prices; for comparison.
    """

    product: NDArray[np.int32]
    value: Reals
    naive_value: float


@dataclass
class Assignment:
    """The whole: filled while shards are taken from it.

    Attributes
    ----------
    prices
        (I,) objective that one more unit of the product would bring, about: its shadow price.
    upper_bound
        No assignment of all customers is worth more.
    value, naive_value
        Sum over customers so far.
    promised
        (I,) units so far.
    """

    prices: Reals
    upper_bound: float
    value: float
    naive_value: float
    promised: Ints

    @property
    def gap_pct(self) -> float:
        """Return how far the value may be below the best, in percent of the bound."""
        return 100.0 * (self.upper_bound - self.value) / self.upper_bound if self.upper_bound > 0 else 0.0


Shards = Callable[[], Iterable[Crowd]]


def assign(
    market: Market, shards: Shards, units: Ints, params: StockParams, is_compared: bool = False
) -> tuple[Assignment, Iterator[Assigned]]:
    """Return the assignment and an iterator over its shards; the first is complete once the second is used up.

    Parameters
    ----------
    shards
        Gives the customers anew each time it is called, in the same shards.
    units
        (I,) int64, how often each product may be promised: stock less reserve; ``UNLIMITED`` is not known here, so a
        product that is not counted gets as many units as there are customers.
    is_compared
        Also assign naively, for comparison.

    Raises
    ------
    DataError
        When units are negative, or shards do not fit the market.
    """
    if units.shape != market.price.shape or units.min(initial=0) < 0:
        raise DataError("units must be one number >= 0 a product")
    rng = np.random.default_rng(params.seed)
    prices, demands = np.zeros(len(units)), []
    bound, sizes = 0.0, [len(crowd.product) for crowd in shards()]
    for number, crowd in enumerate(shards()):
        check(market, crowd)
        pricing = Pricing.of(market, crowd, params.threads, params.max_nodes)
        if number == 0:
            share = sizes[0] / max(sum(sizes), 1)
            scaled = units if len(sizes) == 1 else np.maximum(np.round(units * share), units > 0).astype(np.int64)
            prices, _ = find_prices(pricing, scaled, rng, params.sized(sizes[0]).epochs)
        pricing.close(units == 0)
        customers_bound, chosen = bound_of(pricing, np.zeros_like(units), prices)
        bound += customers_bound
        wanted = np.zeros(len(units))
        demand(pricing.columns.product, np.arange(pricing.customers), chosen, wanted)
        demands.append(wanted)
        if len(sizes) > 1:
            del pricing
    whole = Assignment(prices, bound + float(prices @ units), 0.0, 0.0, np.zeros(len(units), np.int64))
    last = pricing if len(sizes) == 1 else None
    return whole, _shards(market, shards, units, params, is_compared, whole, demands, rng, last)


def _shards(
    market: Market,
    shards: Shards,
    units: Ints,
    params: StockParams,
    is_compared: bool,
    whole: Assignment,
    demands: list[Reals],
    rng: np.random.Generator,
    ready: Pricing | None,
) -> Iterator[Assigned]:
    left = units.copy()
    for number, crowd in enumerate(shards()):
        later = sum(demands[number:])
        share = np.divide(demands[number], later, out=np.zeros(len(units)), where=later > 0)
        is_last = number == len(demands) - 1
        mine = left if is_last else np.minimum(left, np.ceil(left * share).astype(np.int64))
        pricing = ready or Pricing.of(market, crowd, params.threads, params.max_nodes)
        pricing.close(mine == 0)
        held, value = _assign_one(pricing, whole.prices, mine, params, rng)
        naive = _naive(pricing, mine) if is_compared else 0.0
        used = np.bincount(held[held >= 0], minlength=len(units))
        if (used > mine).any():
            raise AssertionError("a product is promised more often than it is there")
        left = left - used
        whole.promised += used
        whole.value += float(value.sum())
        whole.naive_value += naive
        yield Assigned(held, value, naive)


def _assign_one(
    pricing: Pricing, prices: Reals, units: Ints, params: StockParams, rng: np.random.Generator
) -> tuple[NDArray[np.int32], Reals]:
    columns, params = pricing.columns, params.sized(pricing.customers)
    _, bound = pricing.at(prices)
    near = NEAR * max(float(bound.mean()), 1e-12)
    pricing.at(prices, None, near, COLUMNS)
    level = _levels(pricing, prices)
    regret = _regret(level, near)
    turns = np.argsort(-level, axis=1, kind="stable")[:, : params.tries]
    held = np.full((pricing.customers, columns.product.shape[2]), -1, np.int32)
    value, left, memory = np.zeros(pricing.customers), units.copy(), pricing.memory()
    market, crowd, cap = pricing.market, pricing.crowd, pricing.max_nodes
    sweep(market, crowd, np.argsort(-regret, kind="stable"), columns, prices, left, held, value, cap, memory)
    best = (held.copy(), value.copy())
    if not prices.any():
        return best
    for _ in range(params.rounds):
        for factor in COOLING:
            dual = prices * factor
            order = rng.permutation(pricing.customers)
            sweep(market, crowd, order, columns, dual, left, held, value, cap, memory)
            eject(market, crowd, columns, turns, params.most_gone, dual, left, held, value, MAX_HOLDERS, cap, memory)
        if value.sum() > best[1].sum():
            best = (held.copy(), value.copy())
    return best


def _levels(pricing: Pricing, prices: Reals) -> Reals:
    """Return (U, C) what each customer's columns are worth at prices, -inf where there is none."""
    product = pricing.columns.product
    padded = np.append(prices, 0.0)  # a code of -1 costs nothing
    return np.where(product[:, :, 0] >= 0, pricing.columns.value - padded[product].sum(axis=2), -np.inf)


def _regret(level: Reals, near: float) -> Reals:
    """Return (U,) best less second best of each customer's columns at prices, nothing being one of them."""
    top = -np.partition(-level, 1, axis=1)[:, :2]
    first, second = np.maximum(top[:, 0], 0.0), np.maximum(top[:, 1], 0.0)
    return np.where(np.isfinite(top[:, 1]), first - second, np.minimum(first - second, near))


def _naive(pricing: Pricing, units: Ints) -> float:
    """Return the value when customers choose in falling order of their best value, whatever it costs others."""
    free = np.zeros(len(units))
    _, bound = pricing.at(free)
    held = np.full((pricing.customers, pricing.columns.product.shape[2]), -1, np.int32)
    value, left, memory = np.zeros(pricing.customers), units.copy(), pricing.memory()
    order = np.argsort(-bound, kind="stable")
    sweep(pricing.market, pricing.crowd, order, pricing.columns, free, left, held, value, pricing.max_nodes, memory)
    return float(value.sum())
