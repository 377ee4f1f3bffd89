"""What a discount does beside the units it sells: it takes from like products and later weeks, and gives to others.

All three are ratios of mean changes: how much the one quantity moved in weeks in which a product was discounted,
against its other weeks, over how much the product's own units moved. The discount is the instrument, so noise in the
units of single weeks does not pull the ratios to zero as it would in a regression. Pooled over the shop, since one
product is discounted too seldom to tell; the spread is that of whole products drawn.

Source
------
Wald (1940), The fitting of straight lines if both variables are subject to error, Annals of Mathematical Statistics 11.
Van Heerde, Leeflang and Wittink (2004), Decomposing the sales promotion bump with store data, Marketing Science 23 (3).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.panel import weekly_panel

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

DISCOUNTED = 0.95
"""A week in which less than this share of the list price was paid is one of a discount: rounding moves prices too."""
LATER_WEEKS = 4
NEAR_WEEKS = 6
"""Weeks on either side of a discount with which it is compared: the season is about the same."""
LEAST_USUAL_WEEKS = 2
LEAST_SOLD_SHARE = 0.8
"""Of its weeks in which a product must have sold: a week without sales shows no discount, so that thin products look
as if they sold in discounted weeks only."""


@dataclass(frozen=True)
class Share:
    """A share of a product's extra units, with the standard error of it."""

    value: float
    spread: float

    def bounded(self) -> float:
        """Return the share within 0 and 1."""
        return min(max(self.value, 0.0), 1.0)

    def shrunk(self) -> float:
        """Return the share within 0 and 1, drawn to 0 by what chance alone would bring.

        Source
        ------
        James and Stein (1961), Estimation with quadratic loss, Proc. 4th Berkeley Symposium (positive part).
        """
        chance = 1.0 if self.value == 0 else min((self.spread / self.value) ** 2, 1.0)
        return self.bounded() * (1 - chance)


@dataclass(frozen=True)
class SideEffects:
    """What one extra unit of a discounted product comes with.

    Attributes
    ----------
    taken
        Units that other products of its category sell less in the same week.
    pulled
        Units that its category sells less in the ``LATER_WEEKS`` weeks after.
    halo
        Share of the additional units of complements, by their association, that is really sold.
    weeks
        Product-weeks with a discount that taken rests on.
    """

    taken: Share
    pulled: Share
    halo: Share
    weeks: int

    def believed(self) -> tuple[float, float, float]:
        """Return taken, pulled and halo as they are reckoned with.

        Each lies between 0 and 1, and what is taken and pulled is no more than the extra units themselves: a discount
        makes nobody need less of a category. Halo is drawn to 0, since it speaks for a promotion and not against it.
        """
        taken = self.taken.bounded()
        return taken, min(self.pulled.bounded(), 1.0 - taken), self.halo.shrunk()


NOTHING = Share(0.0, 0.0)


def side_effects(
    product_days: pl.DataFrame, products: pl.DataFrame, complements: pl.DataFrame, through: date, least_weeks: int = 20
) -> SideEffects | None:
    """Return the shares, or None where too few product-weeks had a discount.

    Parameters
    ----------
    product_days
        Rows of ``features.ftr_product_days``.
    products
        ``product_id``, ``category`` and, where there are, the lists of promotions of ``features.ftr_products``.
    complements
        ``product_id``, ``complement_id``, ``added_units``: units of the complement that an extra unit of the product
        would bring if association were all.
    through
        Last day that may be used.
    least_weeks
        Product-weeks with a discount that are needed.
    """
    weeks = _Weeks.of(weekly_panel(product_days, products, through), products)
    if weeks is None:
        return None
    events = list(weeks.events())
    count = sum(event.own.size for event in events)
    own = np.array([event.own.sum() for event in events])
    if count < least_weeks or own.sum() <= 0:
        return None
    taken = _ratios([_taken(weeks, event) for event in events])
    pulled = _ratios([_pulled(weeks, event) for event in events])
    return SideEffects(taken, pulled, _ratios(_halo(weeks, events, complements)), count)


@dataclass(frozen=True)
class _Event:
    """The discounted weeks of one product.

    Attributes
    ----------
    product
        Its row.
    week
        (n,) the weeks.
    compared
        (all weeks, n): the usual weeks near each, with which it is compared.
    next_week
        (n,) the next discounted week, or the number of all weeks.
    level
        (all weeks,) takes the ups and downs of the shop out of units.
    own
        (n,) extra units of the product.
    """

    product: int
    week: Ints
    compared: Reals
    next_week: Ints
    level: Reals
    own: Reals


@dataclass(frozen=True)
class _Weeks:
    """Units by product and week, (products, weeks).

    ``units`` is 0 and ``is_active`` False outside a product's first and last sale; ``category`` is -1 where unknown.
    """

    product_ids: list[str]
    units: Reals
    is_active: Flags
    is_discounted: Flags
    category: NDArray[np.int64]

    @classmethod
    def of(cls, panel: pl.DataFrame, products: pl.DataFrame) -> "_Weeks | None":
        if panel.is_empty():
            return None
        known = products.select("product_id", "category").unique("product_id")
        panel = panel.join(known, on="product_id", how="left").sort("product_id", "week_on")
        names = panel["product_id"].unique(maintain_order=True)
        row = panel["product_id"].rle_id().cast(pl.Int64).to_numpy()
        column = panel.select((pl.col("week_on") - pl.col("week_on").min()).dt.total_days() // 7).to_series().to_numpy()
        shape = (len(names), int(column.max()) + 1)
        units, ratio = np.zeros(shape), np.ones(shape)
        is_active = np.zeros(shape, np.bool_)
        units[row, column] = panel["units"].to_numpy()
        ratio[row, column] = (panel["price_cents"] / panel["list_cents"]).fill_nan(1.0).fill_null(1.0).to_numpy()
        is_active[row, column] = True
        of_category = panel.group_by("product_id", maintain_order=True).agg(pl.col("category").first())["category"]
        code = of_category.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
        is_discounted = (units > 0) & (ratio <= DISCOUNTED)
        return cls(names.to_list(), units, is_active, is_discounted, code)

    def events(self) -> Iterator[_Event]:
        """Yield the products that were sold steadily, with and without a discount, and have a category.

        Weeks are compared at one level of the shop's other categories: with the product's own among them, what it
        sells more would look like less of everything else.
        """
        known = self.category >= 0
        weeks = self.units.shape[1]
        of_category = np.zeros((int(self.category.max(initial=-1)) + 1, weeks))
        np.add.at(of_category, self.category[known], self.units[known])
        total = self.units.sum(axis=0)
        near = np.abs(np.arange(weeks)[:, None] - np.arange(weeks)[None, :]) <= NEAR_WEEKS
        for product in np.flatnonzero(known):
            discounted, active = self.is_discounted[product], self.is_active[product]
            elsewhere = total - of_category[self.category[product]]
            is_steady = (self.units[product, active] > 0).mean() >= LEAST_SOLD_SHARE
            if not discounted.any() or not is_steady or elsewhere.min() <= 0:
                continue
            after = np.zeros_like(discounted)
            for back in range(1, LATER_WEEKS + 1):
                after[back:] |= discounted[:-back]
            compared = near & (active & ~discounted & ~after)[:, None]
            week = np.flatnonzero(discounted & (compared.sum(axis=0) >= LEAST_USUAL_WEEKS))
            if not week.size:
                continue
            level = elsewhere.mean() / elsewhere
            units, all_weeks = self.units[product] * level, np.append(np.flatnonzero(discounted), weeks)
            weights = compared[:, week] / compared[:, week].sum(axis=0)
            following = all_weeks[np.searchsorted(all_weeks, week, side="right")]
            yield _Event(int(product), week, weights, following, level, units[week] - units @ weights)

    def moved(self, rows: Ints, event: _Event, ahead: int = 0) -> tuple[Reals, Reals, Flags]:
        """Return by how much more than usual products sell, ``ahead`` weeks after each of the event's weeks.

        Only weeks in which a product is at its usual price are looked at, on both sides: like products are often
        discounted together, and that is not what the one does to the other.

        Returns
        -------
        tuple
            (rows, n) change, 0 where it cannot be seen; usual units; whether it is seen.
        """
        units = self.units[rows] * event.level
        usual = (self.is_active[rows] & ~self.is_discounted[rows]).astype(float)
        weight = usual @ event.compared
        mean = np.divide((units * usual) @ event.compared, weight, out=np.zeros_like(weight), where=weight > 0)
        at = np.minimum(event.week + ahead, units.shape[1] - 1)
        is_seen = (usual[:, at] > 0) & (weight > 0)
        return np.where(is_seen, units[:, at] - mean, 0.0), mean, is_seen


Sums = tuple[float, float]
"""Upper and lower part of a ratio, summed over the weeks of one product."""


def _taken(weeks: _Weeks, event: _Event) -> Sums:
    """Return the units that others of the category lack, and own extra ones by the share of the others that is seen."""
    alike = np.flatnonzero(weeks.category == weeks.category[event.product])
    change, mean, is_seen = weeks.moved(alike[alike != event.product], event)
    return -float(change.sum()), float(event.own @ _seen_share(mean, is_seen))


def _pulled(weeks: _Weeks, event: _Event) -> Sums:
    """Return the units that the category lacks in the weeks after, and own extra ones by the share that is seen.

    The weeks after a discount end where the next one begins, which has weeks after of its own.
    """
    alike = np.flatnonzero(weeks.category == weeks.category[event.product])
    is_known = event.week + LATER_WEEKS < weeks.units.shape[1]
    lacking, share = 0.0, np.zeros(len(event.week))
    for ahead in range(1, LATER_WEEKS + 1):
        change, mean, is_seen = weeks.moved(alike, event, ahead)
        counts = is_known & (event.week + ahead < event.next_week)
        lacking -= float(change[:, counts].sum())
        share += np.where(counts, _seen_share(mean, is_seen), 1.0) / LATER_WEEKS
    return lacking, float((event.own * share)[is_known].sum())


def _halo(weeks: _Weeks, events: list[_Event], complements: pl.DataFrame) -> list[Sums]:
    """Return units of complements that came and that association promised, each pair weighted by what it promises."""
    code = {product: number for number, product in enumerate(weeks.product_ids)}
    named = complements.filter(pl.col("product_id").is_in(list(code)), pl.col("complement_id").is_in(list(code)))
    promised = {key[0]: part for key, part in named.partition_by("product_id", as_dict=True).items()}
    found = []
    for event in events:
        part = promised.get(weeks.product_ids[event.product])
        if part is None:
            continue
        added = part["added_units"].to_numpy()
        weight = added * event.own.mean()
        change, _, is_seen = weeks.moved(np.array([code[other] for other in part["complement_id"]]), event)
        found.append((float((weight @ change).sum()), float(((weight * added) @ is_seen) @ event.own)))
    return found


def _seen_share(mean: Reals, is_seen: Flags) -> Reals:
    """Return (n,) the share of the usual units of products that is seen; 1 where they sell nothing to be lacked."""
    whole = mean.sum(axis=0)
    return np.divide((mean * is_seen).sum(axis=0), whole, out=np.ones_like(whole), where=whole > 0)


def _ratios(sums: list[Sums]) -> Share:
    """Return the ratio of two sums over products, with the standard error of whole products drawn."""
    upper, lower = (np.array(part) for part in zip(*sums, strict=True)) if sums else (np.zeros(0), np.zeros(0))
    if lower.sum() <= 0:
        return NOTHING
    value = float(upper.sum() / lower.sum())
    return Share(value, float(np.sqrt(((upper - value * lower) ** 2).sum()) / lower.sum()))
