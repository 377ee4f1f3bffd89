"""The simulated shop's customers once more, with prices of our own: what a promotion really adds.

Two worlds that differ by a promotion alone draw the same random numbers for the same customer, need and day, so that
their difference is the promotion's and not that of chance. Draws are those of the simulated shop's model, but not the
ones of its published history: there a line more shifts the numbers of all lines after it.
"""

import copy
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from ml.sources.simulated_shop.market import Market, Week
from ml.sources.simulated_shop.shopping import MOST_UNITS, DayOfSales, Shoppers
from ml.sources.simulated_shop.truth import Flags, Floats, Ints, Truth


class PromotedMarket(Market):
    """The market with a promotion on top: in its days each product has the deeper of the two discounts.

    Parameters
    ----------
    discount_share
        (P,) of our promotion; 0 for products outside it.
    first, last
        Days of the promotion, both included.
    """

    def __init__(self, truth: Truth, discount_share: Floats, first: date, last: date) -> None:
        super().__init__(truth)
        self._own, self._first, self._last = discount_share, first, last

    def week(self, day: date) -> Week:
        """Return the promotions of the week that holds ``day``, with ours on its days."""
        usual = super().week(day)
        if not self._first <= day <= self._last:
            return usual
        return replace(usual, discount_share=np.maximum(usual.discount_share, self._own))


@dataclass(frozen=True)
class _Aligned:
    """Random numbers by customer and need: rows that stand in both worlds get the same in both."""

    rng: np.random.Generator
    shape: tuple[int, int]
    at: tuple[Ints, Ints]

    def gumbel(self, size: int | tuple[int, ...]) -> Floats:
        more = size[1:] if isinstance(size, tuple) else ()
        return np.asarray(self.rng.gumbel(size=(*self.shape, *more))[self.at])

    def random(self, size: int) -> Floats:
        return np.asarray(self.rng.random(self.shape)[self.at])

    def lognormal(self, mean: float, sigma: float, size: int) -> Floats:
        return np.asarray(self.rng.lognormal(mean, sigma, self.shape)[self.at])

    def taken(self, is_sold: Flags) -> "_Aligned":
        return replace(self, at=(self.at[0][is_sold], self.at[1][is_sold]))


class AlignedShoppers(Shoppers):
    """The households of a shop from some evening on, in a market and with random numbers of their own.

    Parameters
    ----------
    shoppers
        Whom to continue; they stay as they are.
    salt
        Tells one course of chance from another.
    """

    def __init__(self, shoppers: Shoppers, market: Market, salt: int) -> None:
        shared = (shoppers.truth, shoppers.market)
        self.__dict__ = copy.deepcopy(shoppers.__dict__, {id(one): one for one in shared})
        self.market, self._salt = market, salt

    def day(self, day: date) -> DayOfSales:
        """Take one day, as :meth:`Shoppers.day` does."""
        rng = np.random.default_rng([self.truth.seed, 40, self._salt, day.toordinal()])
        index = (day - self.truth.first_day).days
        self._restock(day, index)
        # Each step has a stream of its own: what one step draws may differ between worlds, the next ones must not.
        coming, opening, *streams = rng.spawn(6)
        customer = self._who_comes(coming, day, index)
        trip, need = np.nonzero(self._open_needs(opening, day, index, customer))
        shape = self._lasts_until.shape
        choosing, counting, shelving, lasting = (_Aligned(one, shape, (customer[trip], need)) for one in streams)
        product, considered = self._choose(choosing, day, index, customer[trip], need)  # type: ignore[arg-type]
        week = self.market.week(day)
        lam = 0.2 * self.truth.household[customer[trip]] + 0.8 * (week.discount_share[product] > 0)
        units = np.minimum(1 + poisson.ppf(counting.random(len(lam)), lam).astype(np.int64), MOST_UNITS)
        is_sold = (product >= 0) & self._is_on_shelf(shelving, product, units)  # type: ignore[arg-type]
        trip, need, product, units, considered = (a[is_sold] for a in (trip, need, product, units, considered))
        self._remember(lasting.taken(is_sold), index, customer[trip], need, product, units)  # type: ignore[arg-type]
        np.subtract.at(self._on_hand, product, units)
        kept, order = np.unique(trip, return_inverse=True)
        prices = self.market.list_price(day)
        return DayOfSales(
            customer[kept], order, product, units, prices[product], week.discount_share[product], considered,
            self._on_hand.copy(),
        )  # fmt: skip


@dataclass(frozen=True)
class Course:
    """What the shop earned day by day, (days,), and what its promotion gave away, both in cents."""

    margin_cents: Floats
    discount_cents: Floats


def lived(truth: Truth, market: Market, through: date) -> Shoppers:
    """Return the households on the evening of ``through``, after the published history."""
    shoppers = Shoppers(truth, market)
    for offset in range((through - truth.first_day).days + 1):
        shoppers.day(truth.first_day + timedelta(days=offset))
    return shoppers


def continued(
    shoppers: Shoppers, market: Market, first: date, days: int, salt: int, promoted: NDArray[np.bool_]
) -> Course:
    """Return what the days from ``first`` on bring in a market.

    Parameters
    ----------
    promoted
        (P,): products whose discounts are counted.
    """
    world = AlignedShoppers(shoppers, market, salt)
    margins, given = np.zeros(days), np.zeros(days)
    for offset in range(days):
        sales = world.day(first + timedelta(days=offset))
        off = sales.units * sales.price_cents * sales.discount_share
        margins[offset] = (sales.units * (sales.price_cents - shoppers.truth.cost_cents[sales.product]) - off).sum()
        given[offset] = off[promoted[sales.product]].sum()
    return Course(margins, given)
