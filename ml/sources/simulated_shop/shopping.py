"""A day in the shop: who comes, which needs are open, which product serves each, what the shelf still holds.

Nothing here scores a customer against a product over all products, and no pair of products has a rate of its own:
needs open because the stock at home runs out or a mission calls, and the products of one need compete by price,
liking and habit. Repeat buying, co-purchase and substitution follow from that.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from ml.sources.simulated_shop.market import Market
from ml.sources.simulated_shop.truth import Flags, Floats, Ints, Truth

WEEKDAY = (0.8, 0.8, 0.9, 0.95, 1.2, 1.5, 1.1)
"""Trips on Monday to Sunday, relative to the usual."""
FORGOTTEN, INCLUDED, IMPULSE = 0.15, 0.85, 0.02
"""Chance that an open need is forgotten, that a mission takes one of its needs, that a need is met unplanned."""
HABIT, DISPLAY = 1.0, 0.6
"""Utility of the product bought last and of a display."""
UNSEEN_DAYS, RAMP_DAYS = 3, 28
"""A new product reaches the shelves some days after launch and takes four weeks to become known."""
RESTOCK_DAYS = 7
MOST_UNITS = 24


@dataclass(frozen=True)
class DayOfSales:
    """Orders and lines of one day.

    Attributes
    ----------
    customer
        By order, (T,): who comes; each customer comes at most once a day.
    order
        By line, (L,): index of its order; ascending.
    product, units, price_cents, discount_share
        By line: what, how many, list price of one, discount.
    considered
        By line: the runner-up within the need, -1 when there is none.
    on_hand
        By product, (P,): units left at the close.
    """

    customer: Ints
    order: Ints
    product: Ints
    units: Ints
    price_cents: Ints
    discount_share: Floats
    considered: Ints
    on_hand: Ints


class Shoppers:
    """The households and the shelf; days are taken one after the other, since each leaves its mark on the next."""

    def __init__(self, truth: Truth, market: Market) -> None:
        customers, needs = truth.is_used.shape
        self.truth, self.market = truth, market
        rng = np.random.default_rng([truth.seed, 5])
        self._lasts_until = rng.uniform(0, truth.need_days, (customers, needs)).astype(np.float32)
        self._bought_last = np.full((customers, needs), -1)
        self._last_trip = rng.uniform(-7.0, 0.0, (customers,))
        self._demand_units = np.full(len(truth.need_of), 2.0 + 0.02 * customers)
        self._on_hand = self._order_up_to()

    def day(self, day: date) -> DayOfSales:
        """Take one day; it must be the day after the one taken before."""
        rng = np.random.default_rng([self.truth.seed, 6, day.toordinal()])
        index = (day - self.truth.first_day).days
        self._restock(day, index)
        customer = self._who_comes(rng, day, index)
        trip, need = np.nonzero(self._open_needs(rng, day, index, customer))
        product, considered = self._choose(rng, day, index, customer[trip], need)
        week = self.market.week(day)
        lam = 0.2 * self.truth.household[customer[trip]] + 0.8 * (week.discount_share[product] > 0)
        units = np.minimum(1 + rng.poisson(lam), MOST_UNITS)
        is_sold = (product >= 0) & self._is_on_shelf(rng, product, units)
        trip, need, product, units, considered = (a[is_sold] for a in (trip, need, product, units, considered))
        self._remember(rng, index, customer[trip], need, product, units)
        np.subtract.at(self._on_hand, product, units)
        kept, order = np.unique(trip, return_inverse=True)
        prices = self.market.list_price(day)
        return DayOfSales(
            customer[kept], order, product, units, prices[product], week.discount_share[product], considered,
            self._on_hand.copy(),
        )  # fmt: skip

    def _who_comes(self, rng: np.random.Generator, day: date, index: int) -> Ints:
        """Return the customers of the day; the longer ago the last trip, the likelier the next."""
        truth = self.truth
        expected = (index - self._last_trip) * truth.trip_rate
        hazard = truth.trip_rate * (0.3 + np.minimum(expected, 2.0)) * WEEKDAY[day.weekday()]
        comes = (rng.random(len(hazard)) < 1 - np.exp(-hazard)) & (truth.sign_up_day <= index)
        customer = np.flatnonzero(comes)
        self._last_trip[customer] = index
        return customer

    def _open_needs(self, rng: np.random.Generator, day: date, index: int, customer: Ints) -> Flags:
        """Return (T, N): needs run out at home, needs of up to two missions, and a few on impulse."""
        truth = self.truth
        at_home = self._lasts_until[customer]
        shape = at_home.shape
        is_open = truth.is_used[customer] & (at_home < index + 2) & (rng.random(shape) > FORGOTTEN)
        ladder = np.cumsum(truth.mission_taste[customer] * truth.season(day), axis=1)
        for _ in range(2):
            goes = rng.random(len(customer)) < truth.mission_rate[customer] * np.minimum(ladder[:, -1], 2.0) / 2
            mission = (ladder < rng.random((len(customer), 1)) * ladder[:, -1:]).sum(axis=1)
            takes = truth.missions[mission.clip(max=len(truth.missions) - 1)] & (rng.random(shape) < INCLUDED)
            has_enough = (at_home > index + 5) & (rng.random(shape) < 0.5)
            is_open |= goes[:, None] & takes & ~has_enough
        opened: Flags = is_open | (rng.random(shape) < IMPULSE)
        return opened

    def _choose(self, rng: np.random.Generator, day: date, index: int, customer: Ints, need: Ints) -> tuple[Ints, Ints]:
        """Return the product that serves each open need, and the runner-up; -1 where buying nothing is better."""
        truth, week = self.truth, self.market.week(day)
        table = truth.choices[need]
        price = self.market.list_price(day) * (1 - week.discount_share)
        usual = np.array([truth.price_cents[group[group >= 0]].mean() for group in truth.choices])
        known = np.clip((index - truth.launch_day - UNSEEN_DAYS) / RAMP_DAYS, 0, 1)
        is_there = (table >= 0) & (known[table] > 0) & (self._on_hand[table] > 0)
        utility = truth.appeal[table] + np.einsum("lt,lkt->lk", truth.tastes[customer], truth.traits[table])
        utility -= truth.price_sensitivity[customer][:, None] * np.log(price[table] / usual[need][:, None])
        utility += DISPLAY * (week.display_stores[table] > 0) + np.log(np.maximum(known[table], 1e-9))
        utility += HABIT * (table == self._bought_last[customer, need][:, None])
        utility = np.where(is_there, utility + rng.gumbel(size=table.shape), -np.inf)
        rows = np.arange(len(table))
        best = utility.argmax(axis=1) if len(table) else np.zeros(0, dtype=np.int64)
        value = utility[rows, best]
        utility[rows, best] = -np.inf
        second = utility.argmax(axis=1) if len(table) else best
        is_bought = value > rng.gumbel(size=len(table))
        runner_up = np.where(np.isfinite(utility[rows, second]), table[rows, second], -1)
        return np.where(is_bought, table[rows, best], -1), runner_up

    def _is_on_shelf(self, rng: np.random.Generator, product: Ints, units: Ints) -> Flags:
        """Return by line whether the shelf still holds it, when the customers come in random order."""
        order = np.lexsort((rng.random(len(product)), product))
        taken = np.cumsum(units[order])
        starts = np.searchsorted(product[order], product[order], side="left")
        before = np.where(starts > 0, taken[starts - 1], 0)
        fits = np.empty(len(product), dtype=np.bool_)
        fits[order] = taken - before <= self._on_hand[product[order]]
        return fits

    def _remember(
        self, rng: np.random.Generator, index: int, customer: Ints, need: Ints, product: Ints, units: Ints
    ) -> None:
        days = units * self.truth.need_days[need] * 2 / self.truth.household[customer]
        start = np.maximum(self._lasts_until[customer, need], index)
        self._lasts_until[customer, need] = start + days * rng.lognormal(0, 0.3, len(days))
        self._bought_last[customer, need] = product
        sold = np.bincount(product, units, minlength=len(self._on_hand))
        self._demand_units = 0.9 * self._demand_units + 0.1 * sold

    def _restock(self, day: date, index: int) -> None:
        """Fill up a seventh of the shelf each day, to what the last weeks sold."""
        is_due = (np.arange(len(self._on_hand)) + index) % RESTOCK_DAYS == 0
        self._on_hand = np.where(is_due, np.maximum(self._on_hand, self._order_up_to()), self._on_hand)
        self._on_hand = np.where(self.market.is_listed(day), self._on_hand, 0)

    def _order_up_to(self) -> Ints:
        level: Ints = np.ceil(3 + self._demand_units * RESTOCK_DAYS * 1.3).astype(np.int64)
        return level
