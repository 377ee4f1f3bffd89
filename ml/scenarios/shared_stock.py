"""Slates from stock that all customers share: nobody is promised what another was promised before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import binom

from ml.optimizer.market import Market
from ml.optimizer.problem import UNLIMITED, Bundle
from ml.optimizer.stock import StockParams, assign
from ml.params import RunParams
from ml.policies.shelf import Shelf
from ml.scenarios.crowds import Crowds
from ml.scenarios.discovery import keeps_share, shortened
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
    assigned, then the second, and so on, each round from what the rounds before it left. Where that leaves a customer
    too few discoveries for the share, bundles are taken back, and rounds of discoveries follow for these customers.

    Parameters
    ----------
    shard
        Customers whose candidates are in memory as the assignment needs them.
    """
    products = len(desk.shelf.product_ids)
    if (promised(slates, products) <= capacity).all():
        return uncoupled(slates, products)
    left, held = _kept_first(slates, capacity)
    rounds = _Rounds(slates, desk, params, shard, left, held, np.zeros(products))
    rounds.value = rounds.bound = sum(rounds.worth(place) for place, own in enumerate(held) if own)
    for ahead in range(desk.bundles, 0, -1):
        wanting = [place for place, slate in enumerate(slates) if slate.bundles and len(held[place]) < desk.bundles]
        if not wanting or not rounds.play(wanting, ahead):
            break
    short = rounds.shorten() if desk.discovery_share else []
    for _ in range(desk.bundles):
        wanting = [place for place in short if len(held[place]) < desk.bundles]
        if not wanting or not rounds.play(wanting, 1):
            break
    causes = dict.fromkeys(short, "discovery")
    coupled = [
        slate
        if set(slate.bundles) == set(own)
        else replace(slate.held_to(own, desk, causes.get(place, "stock")), is_assigned=True)
        for place, (slate, own) in enumerate(zip(slates, held, strict=True))
    ]
    return Coupled(coupled, rounds.prices, rounds.value, max(rounds.bound, rounds.value))


@dataclass
class _Rounds:
    """The assignment of bundle after bundle, each round from what those before it left.

    Attributes
    ----------
    slates, desk, params, shard
        As :func:`couple` got them.
    left, held
        (products,) offers that may still hold each; bundles of each slate so far.
    prices
        (products,) highest shadow prices.
    value, bound
        Of all bundles so far, and what the rounds could not exceed.
    """

    slates: Sequence[Slate]
    desk: Desk
    params: StockParams
    shard: int
    left: Ints
    held: list[list[Bundle]]
    prices: Reals
    value: float = 0.0
    bound: float = 0.0

    def play(self, wanting: Sequence[int], ahead: int) -> bool:
        """Let these slates have one bundle more each, of ``ahead`` rounds to come; return whether any got one."""
        parts = [list(wanting[start : start + self.shard]) for start in range(0, len(wanting), self.shard)]
        crowds = Crowds(parts, self.slates, self.held, self.desk, ahead)
        whole, shards = assign(self._market, crowds, self.left, self.params)
        for part, assigned in zip(parts, shards, strict=True):
            for place, codes in zip(part, assigned.product, strict=True):
                found = np.flatnonzero(np.isin(self.slates[place].product, codes[codes >= 0]))
                if len(found):
                    self.held[place].append(tuple(int(item) for item in found))
        self.left = self.left - whole.promised
        self.prices = np.maximum(self.prices, whole.prices)
        self.value += whole.value
        self.bound += whole.upper_bound
        return bool(whole.promised.any())

    def shorten(self) -> list[int]:
        """Take back bundles where too few are discoveries for the share; return the slates that lost any."""
        short = []
        for place, (slate, own) in enumerate(zip(self.slates, self.held, strict=True)):
            problem = slate.problem(self.desk)
            if keeps_share(problem, own, self.desk.discovery_share):
                continue
            kept = shortened(problem, own, self.desk.discovery_share)
            for items in set(own) - set(kept):
                self.left[slate.product[list(items)]] += 1
                self.value -= problem.value(items)
            own[:] = kept
            short.append(place)
        return short

    def worth(self, place: int) -> float:
        """Return what a slate's bundles so far are worth together."""
        problem = self.slates[place].problem(self.desk)
        return sum(problem.value(items) for items in self.held[place])

    @cached_property
    def _market(self) -> Market:
        return self.desk.shelf.market(self.desk.policy, self.desk.limits)


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
