"""Weeks in which products were discounted, each beside usual weeks near it: they tell what discounts do."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
class Event:
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
    usual
        (n,) units of the product in the weeks it is compared with.
    own
        (n,) extra units of the product.
    paid_share
        (n,) of the list price.
    """

    product: int
    week: Ints
    compared: Reals
    next_week: Ints
    level: Reals
    usual: Reals
    own: Reals
    paid_share: Reals


@dataclass(frozen=True)
class DiscountedWeeks:
    """Units by product and week, (products, weeks).

    ``units`` is 0 and ``is_active`` False outside a product's first and last sale; ``category`` is -1 where unknown.
    """

    product_ids: list[str]
    units: Reals
    is_active: Flags
    is_discounted: Flags
    paid_share: Reals
    category: NDArray[np.int64]

    @classmethod
    def of(cls, panel: pl.DataFrame, products: pl.DataFrame) -> "DiscountedWeeks | None":
        """Return the weeks of :func:`ml.demand.panel.weekly_panel`; None where it has none."""
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
        return cls(names.to_list(), units, is_active, is_discounted, ratio, code)

    def events(self) -> Iterator[Event]:
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
            usual, paid = units @ weights, self.paid_share[product, week]
            yield Event(int(product), week, weights, following, level, usual, units[week] - usual, paid)

    def moved(self, rows: Ints, event: Event, ahead: int = 0) -> tuple[Reals, Reals, Flags]:
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
