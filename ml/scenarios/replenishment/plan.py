"""Decide for each product: reorder, sell off in bundles, or leave; and what that is expected to earn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ml.demand.sales import Reals
from ml.scenarios.replenishment.known import SLOW_PARTNERS
from ml.scenarios.replenishment.needs import CHECK_DAYS, NO_LEAD, Ints, Needs
from ml.scenarios.rules import Measure, Rules, rule_costs

REORDER, ENOUGH, BUNDLE, NO_LEAD_TIME = "reorder", "enough", "bundle_instead", "no_lead_time"
TOO_FEW = "too_few_sales"
NEEDS_STOCK, NEEDS_SALES = "not available: needs stock_levels", "not available: needs products with sales"
STILL = 1e-9
"""Units a day that count as none."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Partner:
    """A product that is bought together with another: how often beyond chance.

    Attributes
    ----------
    product_id
        The partner.
    association
        How many times as often as chance would have it.
    extra_share
        Baskets with both beyond those expected, as a share of the partner's.
    """

    product_id: str
    association: float
    extra_share: float


@dataclass(frozen=True)
class Plan:
    """One day's decisions under some rules.

    Orders that are on their way are not known: the raw contract has no table of them. A shop that orders as it is told
    counts them into ``stock_levels``, or the next day's plan asks for them again.

    A veto and an excluded category concern what is offered, not what is in stock: such products are neither sold off
    in bundles nor named as partners, and are reordered like others. A pinned product stands on each order: it is filled
    up whenever that takes a unit. With products that must be included, a slow mover is sold off only together with one
    of them, or if it is one. A price floor changes nothing, since nothing is priced here.

    Attributes
    ----------
    needs
        Demand of the products.
    products
        Rows of ``features.ftr_products`` of the same products in the same order.
    partners
        By product, those that complete it, best first.
    rules
        The merchandiser's.
    """

    needs: Needs
    products: pl.DataFrame
    partners: Mapping[str, Sequence[Partner]]
    rules: Rules

    @cached_property
    def available(self) -> Ints:
        """Return (P,) units in stock."""
        return self.products["available_units"].to_numpy().astype(np.int64)

    @cached_property
    def reorder_points(self) -> Ints:
        """Return (P,) units that last over the lead time with the service level, until the day's plan after next."""
        return self.needs.level(self.needs.lead_days + CHECK_DAYS)

    @cached_property
    def fill_levels(self) -> Ints:
        """Return (P,) units to fill up to, never below the reorder point."""
        return np.maximum(self.needs.level(self.needs.covered_days), self.reorder_points)

    @cached_property
    def is_reordered(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return (P,) whether units are ordered now."""
        is_pinned = np.isin(self.products["product_id"].to_numpy(), self.rules.pinned)
        is_due = (self.available <= self.reorder_points) | is_pinned
        return (self.needs.lead_days != NO_LEAD) & is_due & (self.fill_levels > self.available)

    @cached_property
    def order_units(self) -> Ints:
        """Return (P,) units to order now."""
        return np.where(self.is_reordered, self.fill_levels - self.available, 0)

    @cached_property
    def is_slow(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return (P,) whether stock covers more days than a slow mover's, and more than it has to last."""
        enough = np.maximum(self.needs.params.slow_mover_days, self.needs.covered_days)
        return ~self.is_reordered & (self.available > 0) & (self.available > enough * self.needs.daily())

    @cached_property
    def sold_off_with(self) -> dict[str, list[Partner]]:
        """Return by slow mover that may be sold off the partners to do it with."""
        excluded, wanted = set(self.rules.excluded), set(self.rules.must_include)
        there = set(self.products.filter(pl.col("available_units") > 0)["product_id"]) - excluded
        found = {}
        for product, is_slow in zip(self.products["product_id"], self.is_slow, strict=True):
            own = [one for one in self.partners.get(product, ()) if one.product_id in there]
            if wanted and product not in wanted:
                # One that must be included comes first; without one there is no such bundle.
                own = sorted(own, key=lambda one: one.product_id not in wanted)
                own = own if own and own[0].product_id in wanted else []
            if is_slow and own and product not in excluded:
                found[product] = own[:SLOW_PARTNERS]
        return found

    def rows(self) -> list[Row]:
        """Return the rows of ``ml.replenishment``, without the run."""
        daily, lead_demand = self.needs.daily(), self.needs.demand(self.needs.lead_days + CHECK_DAYS)[0]
        rows = []
        for place, product in enumerate(self.products["product_id"]):
            lead = int(self.needs.lead_days[place])
            partners = self.sold_off_with.get(product, [])
            action = self._action(place, product)
            rows.append(
                {
                    "product_id": product,
                    "available_units": int(self.available[place]),
                    "lead_days": lead or None,
                    "lead_note": self.needs.lead_notes[place],
                    "daily_units": float(daily[place]),
                    "bundle_units_per_day": float(self.needs.induced[place]),
                    "lead_demand_units": float(lead_demand[place]) if lead else None,
                    "reorder_point_units": int(self.reorder_points[place]) if lead else None,
                    "order_up_to_units": int(self.fill_levels[place]) if lead else None,
                    "order_units": int(self.order_units[place]),
                    "cover_days": float(self.available[place] / daily[place]) if daily[place] > STILL else None,
                    "action": action,
                    "partner_ids": [one.product_id for one in partners],
                    "reason": self._reason(place, product, action, float(daily[place])),
                    "model": str(self.needs.forecast.models[place]),
                    "demand_class": str(self.needs.forecast.classes[place]),
                }
            )
        return rows

    def value_cents(self, unit_cents: Reals) -> float:
        """Return what the plan is expected to earn until the next orders arrive, in cents.

        What each product's stock and order sell, E[min(demand, units)], and what slow movers sell beside their
        partners: the partners' expected units times the share of their baskets that hold the slow mover beyond chance,
        at most what is left of it. The latter takes the association for an effect of offering them together.

        Parameters
        ----------
        unit_cents
            (P,) margin or price of one unit in cents.
        """
        sold = self.needs.sold(self.available + self.order_units)
        place_of = {product: place for place, product in enumerate(self.products["product_id"])}
        daily = self.needs.daily()
        for product, own in self.sold_off_with.items():
            place = place_of[product]
            beside = [float(daily[place_of[one.product_id]]) * one.extra_share for one in own]
            extra = sum(beside) * int(self.needs.covered_days[place])
            sold[place] += min(extra, max(0.0, float(self.available[place] - sold[place])))
        return float((sold * unit_cents).sum())

    def _action(self, place: int, product: str) -> str:
        if self.is_reordered[place]:
            return REORDER
        if product in self.sold_off_with:
            return BUNDLE
        if self.needs.lead_days[place] == NO_LEAD and not self.is_slow[place]:
            return NO_LEAD_TIME
        return ENOUGH

    def _reason(self, place: int, product: str, action: str, daily: float) -> str:
        stock, days = int(self.available[place]), self.needs.params.slow_mover_days
        if action == REORDER:
            point, level = int(self.reorder_points[place]), int(self.fill_levels[place])
            if stock > point:
                return f"pinned: filled up from {stock} to {level} units, though the reorder point is {point}"
            return f"stock of {stock} is at or below the reorder point of {point}; fill up to {level}"
        if action == NO_LEAD_TIME:
            return "no lead time: the shop gives none and the form assumes none, so no reorder can be reckoned"
        if not self.is_slow[place]:
            return f"stock of {stock} is above the reorder point of {int(self.reorder_points[place])}"
        cover = f"no demand is expected for {stock} units"
        if daily > STILL:
            cover = f"stock covers {stock / daily:.0f} days"
        slow = f"{cover}, a slow mover is from {days} days on"
        if action == BUNDLE:
            best = self.sold_off_with[product][0]
            often = f"{best.association:.1f} times as often as chance would have it"
            return f"{slow}; bought together with {best.product_id} {often}"
        if product in self.rules.excluded:
            return f"{slow}; a merchandiser's rule keeps it out of bundles"
        return f"{slow}; no product in stock is known to complete it"


def unit_values(products: pl.DataFrame, assumed_cost_share: float | None) -> tuple[Reals, Measure, str]:
    """Return (P,) cents a unit earns, what that measures, and in words on what it rests.

    Margin where the cost of every product is known or assumed, else price.
    """
    price = products["price_cents"].cast(pl.Float64).fill_null(0.0).to_numpy()
    unknown = products["cost_cents"].null_count()
    if unknown and assumed_cost_share is None:
        return price, "expected_revenue_cents", f"at prices, as the cost of {unknown} products is not known"
    cost = products["cost_cents"].cast(pl.Float64).fill_null(pl.Series(price * (assumed_cost_share or 0.0)))
    note = f"at margins, the cost of {unknown} products assumed" if unknown else "at margins"
    return price - cost.to_numpy(), "expected_margin_cents", note


def costs_of_rules(plan: Plan) -> list[Row]:
    """Return the rows of ``ml.rule_costs``, without the run: what reorders and proposals earn with and without each."""
    values, measure, note = unit_values(plan.products, plan.needs.params.assumed_cost_share)

    def value_of(rules: Rules) -> float:
        return Plan(plan.needs, plan.products, plan.partners, rules).value_cents(values)

    return rule_costs(value_of, plan.rules, measure, f"reorders and bundle proposals of all products, {note}")


def partners_by_product(pairs: pl.DataFrame) -> dict[str, list[Partner]]:
    """Return by product its partners, in the order of the rows of :func:`ml.scenarios.replenishment.known.partners`."""
    found: dict[str, list[Partner]] = {}
    for product, *own in pairs.select("product_id", "partner_id", "association", "extra_share").iter_rows():
        found.setdefault(product, []).append(Partner(*own))
    return found
