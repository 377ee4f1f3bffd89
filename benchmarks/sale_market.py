"""The simulated shop with a bundle sale in force: the same customers with the same chances, sale or not.

A bundle costs its price only for whoever takes all its products; each product can still be bought alone. A customer
whose open needs hold those of a bundle takes it where its products at what is paid for them are liked better than what
would be chosen otherwise, need by need. As with any offer of this shop, whoever gets a discount takes more units at
once, which keep needs closed later on. Chances are drawn for each customer and need of a day, whether or not a need is
open, so that a sale changes what it causes and nothing else.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.stats import poisson

from ml.sources.simulated_shop import Size, Truth
from ml.sources.simulated_shop.market import Market, Week
from ml.sources.simulated_shop.shopping import DISPLAY, HABIT, MOST_UNITS, RAMP_DAYS, UNSEEN_DAYS, Shoppers
from ml.sources.simulated_shop.truth import FIRST_AS_OF, Flags, Floats, Ints
from ml.sources.simulated_shop.world import draw_truth

OFFER_UNITS = 0.8
"""As in the shop: units more at once where there is a discount."""


@dataclass(frozen=True)
class Offered:
    """A bundle: its products, what is paid for each in cents; it is on offer, or only watched."""

    products: tuple[int, ...]
    paid_cents: tuple[int, ...]
    is_on: bool = True


@dataclass(frozen=True)
class Earned:
    """What a stretch of days earned.

    Attributes
    ----------
    margin_cents
        Paid less the true costs, all products.
    bundles
        Bundles sold at their price.
    together
        By bundle, how often its products were bought together, at whatever price.
    units
        By product, all that was sold.
    """

    margin_cents: float
    bundles: int
    together: Ints
    units: Ints


class History(Shoppers):
    """The shop's past, day by day, with the lines of its orders."""

    def __init__(self, truth: Truth, market: Market) -> None:
        super().__init__(truth, market)
        self.lines: list[pl.DataFrame] = []

    def live(self, through: date) -> "History":
        """Take the days from the first to ``through``."""
        for number in range((through - self.truth.first_day).days + 1):
            day = self.truth.first_day + timedelta(days=number)
            sales = self.day(day)
            paid = sales.units * sales.price_cents * (1 - sales.discount_share)
            columns = {
                "customer": sales.customer[sales.order],
                "product": sales.product,
                "units": sales.units,
                "price_cents": sales.price_cents,
                "paid_cents": np.round(paid).astype(np.int64),
            }
            self.lines.append(pl.DataFrame(columns).with_columns(basket_on=pl.lit(day)))
        return self


class SaleShoppers(Shoppers):
    """The days after a history, with bundles on offer until ``last``.

    Parameters
    ----------
    before
        The shop on the evening before; it is not changed.
    offered
        The bundles; none: no sale.
    """

    def __init__(self, before: Shoppers, offered: Sequence[Offered], last: date) -> None:
        super().__init__(before.truth, before.market)
        for name in ("_lasts_until", "_bought_last", "_last_trip", "_demand_units", "_on_hand"):
            setattr(self, name, copy.deepcopy(getattr(before, name)))
        self.offered, self.last = tuple(offered), last

    def earn(self, first: date, days: int) -> Earned:
        """Take so many days and return what they earned."""
        each = [self.take(first + timedelta(days=number)) for number in range(days)]
        together, units = (np.sum([getattr(one, name) for one in each], axis=0) for name in ("together", "units"))
        return Earned(sum(one.margin_cents for one in each), sum(one.bundles for one in each), together, units)

    def take(self, day: date) -> Earned:
        """Take one day."""
        truth = self.truth
        rng = np.random.default_rng([truth.seed, 66, day.toordinal()])
        index = (day - truth.first_day).days
        self._restock(day, index)
        customer = self._who_comes(rng, day, index)
        trip, need = np.nonzero(self._open_needs(rng, day, index, customer))
        chance = np.random.default_rng([truth.seed, 67, day.toordinal()])
        shape = truth.is_used.shape
        liking = chance.gumbel(size=(*shape, truth.choices.shape[1]))[customer[trip], need]
        nothing = chance.gumbel(size=shape)[customer[trip], need]
        more = chance.random(shape)[customer[trip], need]
        lasting = np.exp(chance.normal(0, 0.3, shape))
        week = self.market.week(day)
        now = np.round(self.market.list_price(day) * (1 - week.discount_share)).astype(np.int64)
        utility = self._utility(day, index, customer[trip], need) + liking
        best = utility.argmax(axis=1) if len(need) else np.zeros(0, np.int64)
        value = np.maximum(utility.max(axis=1, initial=-np.inf), nothing)
        product = np.where(value > nothing, truth.choices[need, best], -1)
        paid, bundle = now[product], np.full(len(need), -1)
        if day <= self.last:
            self._take_bundles(customer[trip], trip, need, utility, value, now, product, paid, bundle)
        is_offer = (week.discount_share[product] > 0) | (bundle >= 0)
        lam = 0.2 * truth.household[customer[trip]] + OFFER_UNITS * is_offer
        units = np.minimum(1 + poisson.ppf(more, lam).astype(np.int64), MOST_UNITS)
        sold = (product >= 0) & self._is_on_shelf(
            np.random.default_rng([truth.seed, 68, day.toordinal()]), product, units
        )
        return self._settle(index, customer[trip], need, product, units, now, paid, bundle, trip, sold, lasting)

    def _utility(self, day: date, index: int, customer: Ints, need: Ints) -> Floats:
        """Return (lines, products of a need) as the shop has it, without its chances; -inf where it is not there."""
        truth, week = self.truth, self.market.week(day)
        table = truth.choices[need]
        price = self.market.list_price(day) * (1 - week.discount_share)
        known = np.clip((index - truth.launch_day - UNSEEN_DAYS) / RAMP_DAYS, 0, 1)
        utility = utilities(truth, customer, need, self._bought_last[customer, need], price)
        utility += DISPLAY * (week.display_stores[table] > 0) + np.log(np.maximum(known[table], 1e-9))
        return np.where((table >= 0) & (known[table] > 0) & (self._on_hand[table] > 0), utility, -np.inf)

    def _take_bundles(
        self, customer: Ints, trip: Ints, need: Ints, utility: Floats, value: Floats, now: Ints, product: Ints,
        paid: Ints, bundle: Ints,
    ) -> None:  # fmt: skip
        """Let the customers who like a bundle better than their own choice take it; changes the last three."""
        truth = self.truth
        place = np.full((int(trip.max(initial=-1)) + 1, truth.is_used.shape[1]), -1)
        place[trip, need] = np.arange(len(need))
        column = np.argmax(truth.choices[truth.need_of] == np.arange(len(truth.need_of))[:, None], axis=1)
        for number, own in enumerate(self.offered):
            parts, price = np.array(own.products), np.array(own.paid_cents)
            if not own.is_on or now[parts].sum() <= price.sum():
                continue  # else the products are cheaper one by one
            lines = place[:, truth.need_of[parts]]
            lines = lines[(lines >= 0).all(axis=1)]
            lines = lines[(bundle[lines] < 0).all(axis=1)]
            weight = truth.price_sensitivity[customer[lines]]
            gain = utility[lines, column[parts]] - weight * np.log(price / now[parts]) - value[lines]
            taken = lines[gain.sum(axis=1) > 0]
            product[taken], paid[taken], bundle[taken] = parts, price, number

    def _settle(
        self, index: int, customer: Ints, need: Ints, product: Ints, units: Ints, now: Ints, paid: Ints, bundle: Ints,
        trip: Ints, is_sold: Flags, lasting: Floats,
    ) -> Earned:  # fmt: skip
        truth = self.truth
        customer, need, product, units, paid, bundle, trip = (
            a[is_sold] for a in (customer, need, product, units, paid, bundle, trip)
        )
        cheap, bundles, together = np.zeros(len(units), np.int64), 0, np.zeros(len(self.offered), np.int64)
        for number, own in enumerate(self.offered):
            is_part = np.isin(product, own.products)
            together[number] = _sets(trip[is_part], units[is_part], len(own.products))[0].sum()
            lines = np.flatnonzero(bundle == number)
            sets, of_trip = _sets(trip[lines], units[lines], len(own.products))
            cheap[lines] = sets[of_trip]
            bundles += int(sets.sum())
        money = cheap * paid + (units - cheap) * now[product]
        margin = float((money - units * truth.cost_cents[product]).sum())
        days = units * truth.need_days[need] * 2 / truth.household[customer]
        start = np.maximum(self._lasts_until[customer, need], index)
        self._lasts_until[customer, need] = start + days * lasting[customer, need]
        self._bought_last[customer, need] = product
        sold = np.bincount(product, units, minlength=len(self._on_hand))
        self._demand_units = 0.9 * self._demand_units + 0.1 * sold
        np.subtract.at(self._on_hand, product, units)
        return Earned(margin, bundles, together, sold)


def _sets(trip: Ints, units: Ints, parts: int) -> tuple[Ints, Ints]:
    """Return how many whole bundles the lines of each trip make, and the place of each line's trip; a line a part."""
    _, of_trip, size = np.unique(trip, return_inverse=True, return_counts=True)
    sets = np.full(len(size), MOST_UNITS)
    np.minimum.at(sets, of_trip, units)
    return np.where(size < parts, 0, sets), of_trip


def utilities(truth: Truth, customer: Ints, need: Ints, bought_last: Ints, price: Floats) -> Floats:
    """Return (lines, products of a need): liking, taste, price and habit of what could serve each open need."""
    table = truth.choices[need]
    usual = np.array([truth.price_cents[group[group >= 0]].mean() for group in truth.choices])
    utility = truth.appeal[table] + np.einsum("lt,lkt->lk", truth.tastes[customer], truth.traits[table])
    utility -= truth.price_sensitivity[customer][:, None] * np.log(price[table] / usual[need][:, None])
    return np.asarray(utility + HABIT * (table == bought_last[:, None]))


def history(size: Size, seed: int) -> History:
    """Return the shop of that seed on the evening of the first as-of date."""
    truth = draw_truth(size, seed)
    return History(truth, Market(truth)).live(FIRST_AS_OF)


def true_elasticities(past: History, off: float = 0.2, weeks: int = 6) -> Floats:
    """Return (products,) the log change of the units sold in a week of an offer over that of the price.

    By living the weeks after the history twice, with the same chances: as they come, and with one product of each need
    that is not promoted anyway at ``off`` of its list price; the products of a need in turn. NaN: always promoted, or
    not sold. What the shelf cannot serve is not sold, as in the data.
    """
    truth = past.truth
    usual, offered = (np.zeros(len(truth.need_of)) for _ in range(2))
    shop = SaleShoppers(past, [], FIRST_AS_OF)
    for number in range(weeks):
        first = FIRST_AS_OF + timedelta(days=1 + 7 * number)
        week = past.market.week(first)
        is_free = (week.discount_share == 0) & (week.display_stores == 0)
        base = SaleShoppers(shop, [], FIRST_AS_OF)
        units = base.earn(first, 7).units
        for column in truth.choices.T:
            own = column[(column >= 0) & is_free[column]]
            one = SaleShoppers(shop, [], FIRST_AS_OF)
            one.market = WithOffers(past.market, own, off)  # type: ignore[assignment]
            offered[own] += one.earn(first, 7).units[own]
            usual[own] += units[own]
        shop = base
    is_known = (usual > 0) & (offered > 0)
    return np.log(np.divide(offered, usual, out=np.full(len(usual), np.nan), where=is_known)) / np.log(1 - off)


class WithOffers:
    """The market with some products at a discount in every week."""

    def __init__(self, market: Market, products: Ints, off: float) -> None:
        self._market, self._products, self._off = market, products, off
        self.list_price, self.is_listed = market.list_price, market.is_listed

    def week(self, day: date) -> Week:
        """Return the promotions of the week that holds ``day``."""
        week = self._market.week(day)
        share = week.discount_share.copy()
        share[self._products] = self._off
        return replace(week, discount_share=share)
