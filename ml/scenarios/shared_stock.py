"""Slates from stock that all customers share: nobody is promised what another was promised before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binom

from ml.optimizer.market import Crowd
from ml.optimizer.problem import UNLIMITED, Bundle
from ml.optimizer.rules import IS_ANCHOR, IS_PINNED, IS_WANTED, NO_BUDGET, UNKNOWN_MARGIN
from ml.optimizer.stock import StockParams, assign
from ml.params import RunParams
from ml.policies.shelf import Shelf
from ml.scenarios.slates import Desk, Slate

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

SHARD = 100_000
"""Customers whose candidates are laid out for the assignment at a time: some 5 kB each."""


@dataclass(frozen=True)
class Coupled:
    """Slates within the stock, and what the stock is worth.

    Attributes
    ----------
    slates
        As given, where stock did not bind; else held to what is there.
    prices
        (products,) shadow price of an offer that holds the product, in the unit of the objective: the highest of all
        rounds. Where an offer promises a unit it is the price of a unit; under a promise quantile it is not.
    value, upper_bound
        Of the slates, and of any that the stock allows; bundle by bundle, each round given those before it.
    """

    slates: list[Slate]
    prices: Reals
    value: float
    upper_bound: float


def capacities(available: Ints, reserve: int, quantile: float | None, highest: Reals, most: int) -> Ints:
    """Return (products,) how many offers may hold each product.

    Parameters
    ----------
    available
        (products,) units, ``UNLIMITED`` where they are not counted.
    reserve
        Units of each product that are kept back.
    quantile
        None: an offer promises a unit. Else as many offers as sell at most the stock with this probability, when each
        sells one unit or none, with the highest probability that any customer has for the product. The promise holds
        as far as customers buy independently of each other and each has one offer with the product: what moves all of
        them at once, such as a promotion or a holiday, or two offers to one customer (``max_overlap`` above 0), makes
        large sales more frequent than is reckoned with.
    highest
        (products,) that probability.
    most
        No product is in more offers than this.
    """
    units = np.maximum(available - reserve, 0)
    if quantile is None:
        return np.where(available == UNLIMITED, most, np.minimum(units, most))
    low, high = np.minimum(units, most), np.full(len(units), most, np.int64)
    while (low < high).any():  # the largest number of offers whose sales stay within the units
        middle = (low + high + 1) // 2
        is_enough = binom.cdf(units, middle, np.clip(highest, 0.0, 1.0)) >= quantile
        low, high = np.where(is_enough, middle, low), np.where(is_enough, high, middle - 1)
    return np.where(available == UNLIMITED, most, np.where(units > 0, low, 0))


def capacity_of(slates: Sequence[Slate], desk: Desk, params: RunParams) -> Ints:
    """Return (products,) how many offers of a run may hold each product; see :func:`capacities`."""
    highest = np.zeros(len(desk.shelf.product_ids))
    for slate in slates:
        np.maximum.at(highest, slate.product, slate.preference)
    most = max(1, len(slates) * desk.bundles)
    return capacities(desk.shelf.available_units, params.reserve_units, params.promise_quantile, highest, most)


def shadow_prices(coupled: Coupled, shelf: Shelf, capacity: Ints) -> pl.DataFrame:
    """Return the rows of ``ml.shadow_prices`` without the run: one for each product whose stock is counted."""
    available, expected = shelf.available_units, np.zeros(len(capacity))
    for slate in coupled.slates:
        for solution in slate.solutions:
            expected[slate.product[list(solution.items)]] += solution.joint_probability
    units = promised(coupled.slates, len(capacity))
    frame = pl.DataFrame(
        {
            "product_id": shelf.product_ids,
            "available_units": available,
            "capacity_units": capacity,
            "promised_units": units,
            "expected_units": expected,
            "promised_share": units / np.maximum(available, 1),
            "expected_share": expected / np.maximum(available, 1),
            "shadow_price": coupled.prices,
        }
    )
    return frame.filter(pl.col("available_units") >= 0)


def promised(slates: Sequence[Slate], products: int) -> Ints:
    """Return (products,) in how many bundles each product stands."""
    units = np.zeros(products, np.int64)
    for slate in slates:
        for items in slate.bundles:
            units[slate.product[list(items)]] += 1
    return units


def couple(slates: Sequence[Slate], desk: Desk, capacity: Ints, params: StockParams, shard: int = SHARD) -> Coupled:
    """Return slates that keep to the stock.

    Where the slates keep to it as they are, each customer's best is the best for all, and prices are 0. Otherwise
    bundles that stay from before take their units first, worthiest first; then the customers' first bundles are
    assigned, then the second, and so on, each round from what the rounds before it left.

    Parameters
    ----------
    shard
        Customers whose candidates are in memory as the assignment needs them.
    """
    products = len(desk.shelf.product_ids)
    if (promised(slates, products) <= capacity).all():
        return uncoupled(slates, products)
    left, held = _kept_first(slates, capacity)
    market = desk.shelf.market(desk.policy, desk.limits)
    prices, value, bound = np.zeros(products), 0.0, 0.0
    for slate, own in zip(slates, held, strict=True):
        kept_value = sum(slate.problem(desk).value(items) for items in own)
        value, bound = value + kept_value, bound + kept_value
    for _ in range(desk.bundles):
        wanting = [place for place, slate in enumerate(slates) if slate.bundles and len(held[place]) < desk.bundles]
        if not wanting:
            break
        crowds = _Crowds(
            [wanting[start : start + shard] for start in range(0, len(wanting), shard)], slates, held, desk
        )
        whole, shards = assign(market, crowds, left, params)
        for part, assigned in zip(crowds.parts, shards, strict=True):
            for place, codes in zip(part, assigned.product, strict=True):
                found = np.flatnonzero(np.isin(slates[place].product, codes[codes >= 0]))
                if len(found):
                    held[place].append(tuple(int(item) for item in found))
        left = left - whole.promised
        prices = np.maximum(prices, whole.prices)
        value, bound = value + whole.value, bound + whole.upper_bound
        if not whole.promised.any():
            break
    coupled = [
        slate if set(slate.bundles) == set(own) else replace(slate.held_to(own, desk, "stock"), is_assigned=True)
        for slate, own in zip(slates, held, strict=True)
    ]
    return Coupled(coupled, prices, value, max(bound, value))


@dataclass(frozen=True)
class _Crowds:
    """The customers of one round as arrays, shard by shard; a single shard is laid out once and kept.

    Attributes
    ----------
    parts
        Places of each shard's customers among the slates.
    slates, held
        All of them, and what each holds so far.
    """

    parts: list[list[int]]
    slates: Sequence[Slate]
    held: Sequence[Sequence[Bundle]]
    desk: Desk

    def __call__(self) -> Iterator[Crowd]:
        if len(self.parts) == 1:
            return iter([self._only])
        return (self._crowd(part) for part in self.parts)

    @cached_property
    def _only(self) -> Crowd:
        return self._crowd(self.parts[0])

    def _crowd(self, part: Sequence[int]) -> Crowd:
        return _crowd([self.slates[place] for place in part], [self.held[place] for place in part], self.desk)


def uncoupled(slates: Sequence[Slate], products: int) -> Coupled:
    """Return slates as they are: stock costs nothing, and each bundle's own bound bounds the whole."""
    solutions = [solution for slate in slates for solution in slate.solutions if solution.items]
    value, bound = sum(one.objective for one in solutions), sum(one.upper_bound for one in solutions)
    return Coupled(list(slates), np.zeros(products), value, bound)


def _kept_first(slates: Sequence[Slate], capacity: Ints) -> tuple[Ints, list[list[Bundle]]]:
    """Let bundles that stay from before take their units, worthiest first; return what is left and who holds what."""
    left = capacity.copy()
    held: list[list[Bundle]] = [[] for _ in slates]
    kept = [
        (solution.objective, place, solution.items)
        for place, slate in enumerate(slates)
        for solution, is_kept in zip(slate.solutions, slate.is_kept, strict=True)
        if is_kept
    ]
    for _, place, items in sorted(kept, key=lambda entry: (-entry[0], entry[1])):
        codes = slates[place].product[list(items)]
        if (left[codes] > 0).all():
            left[codes] -= 1
            held[place].append(items)
    return left, held


def _crowd(slates: Sequence[Slate], held: Sequence[Sequence[Bundle]], desk: Desk) -> Crowd:
    """Return the customers as arrays; candidates that the form or an unknown margin excludes are left out."""
    width = max((len(slate.product) for slate in slates), default=0)
    shape = (len(slates), width)
    crowd = Crowd(
        np.full(shape, -1, np.int32),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape, np.uint8),
        np.zeros(shape, np.int64),
        np.full(len(slates), desk.limits.min_price_cents, np.int64),
        np.full(len(slates), NO_BUDGET if desk.limits.budget_cents is None else desk.limits.budget_cents, np.int64),
        np.array([slate.spread for slate in slates], float),
    )
    roles, has_floor = desk.roles, desk.limits.min_margin_cents is not None
    for row, (slate, bundles) in enumerate(zip(slates, held, strict=True)):
        is_open = ~roles.is_excluded[slate.product]
        if has_floor:
            is_open &= desk.shelf.margin_cents[slate.product] != UNKNOWN_MARGIN
        earlier = np.zeros(len(slate.product), np.int64)
        for number, items in enumerate(bundles):
            earlier[list(items)] |= 1 << number
        codes = slate.product[is_open]
        role = (
            IS_ANCHOR * slate.is_anchor[is_open]
            + IS_WANTED * roles.is_wanted[codes]
            + IS_PINNED * roles.is_pinned[codes]
        )
        size = len(codes)
        crowd.product[row, :size], crowd.preference[row, :size] = codes, slate.preference[is_open]
        crowd.role[row, :size], crowd.earlier[row, :size] = role, earlier[is_open]
    return crowd
