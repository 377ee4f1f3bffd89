"""Bundles and prices of a sale, chosen together: rows of ``ml.bundle_prices`` and ``ml.bundle_price_items``."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ml.demand.level import MEAN, MODEL
from ml.scenarios.bundle_sale.candidates import Candidate, candidate_sets
from ml.scenarios.bundle_sale.choice import Choice, choose
from ml.scenarios.bundle_sale.joint import RECENT_DAYS, JointDemand
from ml.scenarios.bundle_sale.pricing import Parts, Priced, best_price, outcomes, price_grid
from ml.scenarios.bundle_sale.splitting import split_discount
from ml.scenarios.bundle_sale.world import Facts, World, demand_of, with_costs
from ml.scenarios.rules import Rules

Row = dict[str, Any]

NEEDS_PRICES = "not available: needs prices that changed in the past (order_items.unit_price_cents, discounts)"
NEEDS_COST = "not available: needs products.cost_cents, or an assumed cost share in the form"
NEEDS_BUNDLES = "not available: needs two or more products of known cost that are bought together"
BELOW_FLOOR = "not possible: each bundle that could be sold lies below the margin floor even at its list price"
NO_BUNDLE, PINNED_BELOW = "no bundle of the sale can hold it", "each bundle with it lies below the margin floor"


@dataclass(frozen=True)
class Offer:
    """A candidate at its best price.

    Attributes
    ----------
    candidate, parts
        What it is.
    priced
        The best price; the list price where any discount loses.
    discounted
        The best discounted price, worth it or not; None where none is allowed.
    seen
        Baskets of the last twelve weeks that held the whole bundle.
    sensitive_share
        Share of its buyers that are price-sensitive.
    """

    candidate: Candidate
    parts: Parts
    priced: Priced
    discounted: Priced | None
    seen: float
    sensitive_share: float

    @property
    def is_discounted(self) -> bool:
        """Return whether the price lies below the list price."""
        return self.priced.price_cents < int(self.parts.list_cents.sum())


@dataclass(frozen=True)
class Sale:
    """The sale.

    Attributes
    ----------
    prices, items
        Rows of ``ml.bundle_prices`` and ``ml.bundle_price_items``, without the run.
    rules
        The rules, with the fault of those that no choice could obey.
    unavailable
        Why there is none; None where there is.
    value
        Expected margin beyond no sale, in cents.
    """

    prices: list[Row]
    items: list[Row]
    rules: Rules
    unavailable: str | None
    value: float


def plan_sale(world: World, rules: Rules) -> Sale:
    """Return the sale: at most ``sale_bundles`` disjoint bundles, each at the price that brings the most.

    Bundles whose every discount loses are listed at their list price where places are left, with the reason. One that
    lies below the margin floor even at its list price is in no sale.
    """
    sellable = with_costs(world.products, world.params.assumed_cost_share)
    if world.elasticity.is_empty():
        return Sale([], [], rules, NEEDS_PRICES, 0.0)
    if sellable.is_empty():
        return Sale([], [], rules, NEEDS_COST, 0.0)
    facts = Facts.of(world, sellable, rules)
    candidates = candidate_sets(world.bundles, world.items, world.pairs, sellable, rules, world.params.bundle_size)
    candidates = [one for one in candidates if all(product in facts.row for product in one.product_ids)]
    sound = [one for one in candidates if facts.margin_share(one) >= world.params.min_margin_share - 1e-9]
    held = {product for one in sound for product in one.product_ids}
    below = {product for one in candidates for product in one.product_ids} - held
    offers = list(_offers(world, facts, sound))
    if not offers:
        why = BELOW_FLOOR if candidates and not sound else NEEDS_BUNDLES
        return Sale([], [], _told(rules, rules.pinned, below), why, 0.0)
    worth = [max(offer.priced.margin_cents, 0.0) if offer.is_discounted else 0.0 for offer in offers]
    choice = choose([offer.candidate.product_ids for offer in offers], worth, world.params.sale_bundles, rules.pinned)
    listed = [*choice.chosen, *_at_list_price(offers, choice, world.params.sale_bundles)]
    ordered = sorted(
        (offers[b] for b in listed),
        key=lambda one: (-one.priced.margin_cents, -one.priced.units_at_list, one.candidate),
    )
    prices, items = [], []
    for rank, offer in enumerate(ordered, start=1):
        row, own = _rows(rank, offer, choice, facts, world)
        prices.append(row)
        items += own
    return Sale(prices, items, _told(rules, choice.unmet, below), None, choice.objective)


def bundle_key(product_ids: Sequence[str]) -> str:
    """Return the name that a set of products always has."""
    return hashlib.sha256("\0".join(sorted(product_ids)).encode()).hexdigest()[:12]


def _offers(world: World, facts: Facts, candidates: Sequence[Candidate]) -> Iterator[Offer]:
    """Yield the candidates that stock allows, each at its best price."""
    joint = world.joint(candidates)
    for number, candidate in enumerate(candidates):
        offer = _offer(world, facts, candidate, joint, number)
        if offer is not None and offer.priced.units_at_list > 0:
            yield offer


def _offer(world: World, facts: Facts, candidate: Candidate, joint: JointDemand, number: int) -> Offer | None:
    params = world.params
    level = facts.level_ratio(candidate)
    scale = joint.sets[number] * level * params.sale_days / RECENT_DAYS
    parts = facts.parts(candidate, joint.missing[number] * scale)
    demand = demand_of(
        float(joint.expected[number]),
        float(joint.seen[number]),
        float(joint.sets[number]),
        level,
        params.sale_days,
        facts.stock(candidate, params.reserve_units),
    )
    prices = price_grid(parts, params.max_discount_share, params.min_margin_share)
    options = outcomes(parts, demand, prices, (params.seed, int(bundle_key(candidate.product_ids), 16)))
    best = best_price(options, demand.stock_units)
    if best is None:
        return None
    cheaper = best_price(options[:-1], demand.stock_units)
    return Offer(candidate, parts, best, cheaper, float(joint.seen[number]), float(joint.sensitive_share[number]))


def _at_list_price(offers: Sequence[Offer], choice: Choice, most: int) -> list[int]:
    """Return, for the places left, the bundles sold most whose every discount loses, disjoint from those chosen."""
    taken = {product for b in choice.chosen for product in offers[b].candidate.product_ids}
    found: list[int] = []
    for b in sorted(range(len(offers)), key=lambda b: (-offers[b].priced.units_at_list, offers[b].candidate)):
        own = set(offers[b].candidate.product_ids)
        if len(found) + len(choice.chosen) < most and not offers[b].is_discounted and not own & taken:
            found.append(b)
            taken |= own
    return found


def _rows(rank: int, offer: Offer, choice: Choice, facts: Facts, world: World) -> tuple[Row, list[Row]]:
    products, priced = offer.candidate.product_ids, offer.priced
    key, whole = bundle_key(products), int(offer.parts.list_cents.sum())
    paid = split_discount(offer.parts.list_cents.tolist(), priced.price_cents)
    facts_of = [facts.row[product] for product in products]
    assumed = sorted(str(row["product_id"]) for row in facts_of if row["is_cost_assumed"])
    share = world.params.assumed_cost_share
    displaced = priced.diverted_units + priced.pulled_units
    row: Row = {
        "bundle_key": key,
        "bundle_rank": rank,
        "product_ids": list(products),
        "bundle_size": len(products),
        "is_discounted": offer.is_discounted,
        "list_price_cents": whole,
        "bundle_price_cents": priced.price_cents,
        "discount_cents": whole - priced.price_cents,
        "discount_share": 1 - priced.price_cents / whole,
        "bundle_margin_cents": priced.price_cents - float(offer.parts.cost_cents.sum()),
        "customers": offer.candidate.customers,
        "units_at_list": priced.units_at_list,
        "units_at_price": priced.units,
        "attach_at_list": priced.attach_at_list,
        "attach_at_price": priced.attach,
        "cannibalised_units": priced.units_at_list if offer.is_discounted else 0.0,
        "diverted_units": priced.diverted_units,
        "pull_forward_units": priced.pulled_units,
        "incremental_units": priced.units - priced.units_at_list - displaced,
        "units_sensitive": priced.units * offer.sensitive_share,
        "units_insensitive": priced.units * (1 - offer.sensitive_share),
        "expected_incremental_margin_cents": priced.margin_cents,
        "margin_low_cents": priced.low,
        "margin_high_cents": priced.high,
        "elasticity_level": facts.level(offer.candidate),
        "demand_source": MEAN if any(row["source"] == MEAN for row in facts_of) else MODEL,
        "margin_note": f"cost of {', '.join(assumed)} assumed: {share:g} of the list price" if assumed else None,
        "reason": _reason(offer, [str(row["title"] or row["product_id"]) for row in facts_of], world.params.sale_days),
        "objective": choice.objective,
        "upper_bound": choice.upper_bound,
        "gap_pct": choice.gap_pct,
    }
    items = [
        {
            "bundle_key": key,
            "position": place,
            "product_id": product,
            "list_price_cents": int(full),
            "price_cents": part,
            "discount_cents": int(full) - part,
        }
        for place, (product, full, part) in enumerate(zip(products, offer.parts.list_cents, paid, strict=True), start=1)
    ]
    return row, items


def _reason(offer: Offer, names: Sequence[str], days: int) -> str:
    priced, whole = offer.priced, int(offer.parts.list_cents.sum())
    met = f"{' + '.join(names)}: together in {offer.seen:.0f} baskets of the last {RECENT_DAYS} days"
    if not offer.is_discounted:
        if offer.discounted is None:
            return f"{met}; at list price, as stock, a floor or the largest discount allow no other"
        share = 1 - offer.discounted.price_cents / whole
        lost = -offer.discounted.margin_cents / 100
        return f"{met}; at list price, as the best discount ({share:.1%}) would lose {lost:.2f}"
    extra = priced.units - priced.units_at_list
    return (
        f"{met}; {1 - priced.price_cents / whole:.1%} off brings {extra:.1f} more in {days} days, "
        f"{priced.diverted_units:.1f} of them from rivals and {priced.pulled_units:.1f} from later weeks, "
        f"while {priced.units_at_list:.1f} sell cheaper that would have sold anyway"
    )


def _told(rules: Rules, unmet: Collection[str], below: Collection[str]) -> Rules:
    """Return the rules, pins that no choice of disjoint bundles could obey with the reason as their fault."""
    missed = set(unmet)
    return Rules(
        tuple(
            replace(rule, fault=PINNED_BELOW if set(rule.product_ids) & set(below) else NO_BUNDLE)
            if rule.kind == "pin" and not rule.fault and set(rule.product_ids) & missed
            else rule
            for rule in rules.rules
        )
    )
