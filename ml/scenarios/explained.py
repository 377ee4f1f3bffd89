"""Why a customer is not offered some products together, given what the run offers and what stock it left."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from ml.optimizer.node import SAME
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import EXACT, solve
from ml.optimizer.why_not import WhyNot, why_not
from ml.scenarios.personal_rules import broken_rules
from ml.scenarios.slates import Desk, Slate

Answer = tuple[str, str]
"""Verdict, and the same in words."""


@dataclass(frozen=True)
class Offer:
    """A bundle of the customer in the run that is asked: its products and, as in ``ml.bundles``, what it is worth."""

    products: frozenset[str]
    objective: float
    held_back_by: str | None
    is_kept: bool


@dataclass(frozen=True)
class Shown:
    """What a run shows one customer, and what it left to promise.

    Attributes
    ----------
    offers
        In order of rank.
    lost_to
        What took the bundles that the customer would have had besides: "stock", "change_budget" or "discovery", for
        each.
    left
        Offers that might still hold a product, by product; those whose stock is not counted are not in it.
    """

    offers: list[Offer]
    lost_to: tuple[str, ...]
    left: Mapping[str, int]

    @classmethod
    def of(cls, bundles: pl.DataFrame, items: pl.DataFrame, prices: pl.DataFrame) -> "Shown":
        """Return it from rows of ``ml.bundles`` and ``ml.bundle_items`` of the customer, and ``ml.shadow_prices``."""
        held = dict(items.group_by("bundle_id").agg("product_id").iter_rows())
        columns = ["bundle_id", "objective", "held_back_by", "is_kept"]
        offered = bundles.filter(pl.col("status") != "abstained").sort("bundle_rank").select(columns)
        left = prices.select("product_id", left=pl.col("capacity_units") - pl.col("promised_units"))
        return cls(
            [Offer(frozenset(held[name]), *rest) for name, *rest in offered.iter_rows()],
            tuple(bundles["lost_to"].explode().drop_nulls()),
            dict(left.iter_rows()),
        )

    def scarce(self, products: frozenset[str], place: int) -> list[str]:
        """Return of which products nothing would be left even if the customer gave up the offers from ``place`` on."""
        own = [offer.products for offer in self.offers[place:]]
        return sorted(
            product
            for product in products
            if product in self.left and self.left[product] + sum(product in others for others in own) <= 0
        )


def answer(slate: Slate, product_ids: Sequence[str], desk: Desk, shown: Shown) -> dict[str, Any]:
    """Return the row of ``ml.why_not`` about one customer and different products, without run, customer and key."""
    wanted = frozenset(product_ids)
    items, problem = slate.positions(product_ids), slate.problem(desk)
    if items is None or len(items) > desk.limits.max_size:
        verdict, detail = _impossible(slate, wanted)
        binding = () if items is None else ("size",)
        found = WhyNot(None, None, solve(problem, EXACT).objective, None, binding)
    else:
        found = _with_offers(why_not(problem, items, desk.search), problem.value(items), shown.offers)
        verdict, detail = _verdict(slate, problem, items, found, desk, shown)
    rank = next((rank for rank, offer in enumerate(shown.offers, start=1) if offer.products == wanted), found.rank)
    return {
        "product_ids": sorted(wanted),
        "verdict": verdict,
        "bundle_rank": rank,
        "objective": found.objective,
        "best_objective": found.best_objective,
        "cost_of_forcing": found.cost_of_forcing,
        "binding": list(found.binding),
        "detail": "; ".join([detail, *_relatives(verdict, wanted, shown.offers), *_rules(wanted, desk)]),
    }


def _rules(wanted: frozenset[str], desk: Desk) -> Iterator[str]:
    """Return, in words, the merchandiser's rules that the products break."""
    prices = dict(zip(desk.shelf.product_ids, desk.shelf.price_cents.tolist(), strict=True))
    return broken_rules(desk.rules, sorted(wanted), prices)


def _with_offers(found: WhyNot, value: float, offers: Sequence[Offer]) -> WhyNot:
    """Return the answer with a count that a cut search left below the offered bundles set right by these."""
    if found.better is None:
        return found
    known = sum(offer.objective * (1 - SAME) > value for offer in offers)
    return replace(found, better=found.better._replace(number=max(found.better.number, known)))


def _impossible(slate: Slate, wanted: frozenset[str]) -> Answer:
    """Return the answer about products that no bundle of the customer could be."""
    missing = sorted(product for product in wanted if slate.positions([product]) is None)
    if not missing:
        return "infeasible", "more products than a bundle holds"
    detail = f"no candidate of this customer: {', '.join(missing)}"
    if unknown := [product for product in missing if product not in slate.shelf.code]:
        detail += f"; not offered by the shop on that day: {', '.join(unknown)}"
    return "not_a_candidate", detail


def _verdict(slate: Slate, problem: BundleProblem, items: Bundle, found: WhyNot, desk: Desk, shown: Shown) -> Answer:
    product_ids = slate.product_ids(items)
    wanted = frozenset(product_ids)
    for rank, offer in enumerate(shown.offers, start=1):
        if offer.products == wanted:
            return "offered", f"offered as bundle {rank}"
    if found.binding == ("stock",):
        units = problem.available_units[list(items)]
        gone = sorted(product for product, left in zip(product_ids, units, strict=True) if left == 0)
        return "out_of_stock", f"not a unit in stock of {', '.join(gone)}"
    if found.binding == ("joint_probability",):
        chance, least = problem.joint_probability(items), desk.limits.min_joint_probability
        return "not_worth_showing", f"its joint probability, {chance:.2g}, is under the threshold, {least:g}"
    if found.binding:
        return "infeasible", f"breaks {', '.join(found.binding)}"
    if problem.value(items) <= 0:
        return "not_worth_showing", "it brings no more than it costs to show its products"
    for rank, offer in enumerate(shown.offers, start=1):
        if wanted < offer.products:
            return "part_of_offered", f"all of them are in bundle {rank}"
    return _beside(slate, problem, items, found, desk, shown)


def _beside(slate: Slate, problem: BundleProblem, items: Bundle, found: WhyNot, desk: Desk, shown: Shown) -> Answer:
    """Return why a bundle that is allowed and worth showing has no place beside those that are offered."""
    offers, value, wanted = shown.offers, problem.value(items), frozenset(slate.product_ids(items))
    better = [place for place, offer in enumerate(offers) if offer.objective < value * (1 - SAME)]
    place = better[0] if better else len(offers)
    if place >= desk.bundles:
        return "ranked_lower", _counted(found)
    for rank, offer in enumerate(offers[:place], start=1):
        shared = sorted(wanted & offer.products)
        if len(shared) > desk.limits.max_overlap:
            return "overlaps", f"shares {', '.join(shared)} with bundle {rank}, which is worth no less"
    causes = {offers[place].held_back_by} if better else set(shown.lost_to)
    instead = slate.positions(sorted(offers[place].products)) if better else None
    is_for_new = instead is not None and problem.is_discovery(instead) and not problem.is_discovery(items)
    if desk.discovery_share and (is_for_new or "discovery" in causes):
        return (
            "discovery",
            f"a share of {desk.discovery_share:g} of the bundles must hold something new to the customer",
        )
    scarce = shown.scarce(wanted, place)
    is_bound = "change_budget" in causes or any(offer.is_kept for offer in offers)
    if scarce and ("stock" in causes or not is_bound):
        return "out_of_stock", f"nothing is left to promise of {', '.join(scarce)}"
    if is_bound:
        return "change_budget", "bundles that were live before stay, since only so many may be replaced"
    return "not_found", "worth more than what is offered in its place, but the search did not come to it"


def _counted(found: WhyNot) -> str:
    if found.better is None or found.better == (0, True):
        return "bundles that are worth as much are offered instead"
    return f"{'' if found.better.is_exact else 'at least '}{found.better.number} allowed bundles are worth more"


def _relatives(verdict: str, wanted: frozenset[str], offers: Sequence[Offer]) -> Iterator[str]:
    """Yield which offered bundles hold all of the products, or are held by them, unless the verdict says so."""
    for rank, offer in enumerate(offers, start=1):
        if wanted < offer.products and verdict != "part_of_offered":
            yield f"all of them are in bundle {rank}"
        if wanted > offer.products:
            yield f"they hold all of bundle {rank}"
