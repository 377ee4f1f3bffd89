"""A merchandiser's rules in personal bundles: which can be obeyed beside the form, and what they make of a run's desk.

Pins, must-includes and vetoes become roles of products, as the form's own lists do; a product whose price lies below
its floor is not offered, since personal bundles are sold at list price. Form and rules hold together. Where they
contradict each other nothing is made: the form was filled in for this run, the rule stands for all of them, and
whoever started the run must see it and take one of the two back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ml.errors import DataError
from ml.params import RunParams
from ml.policies.named import limits_of
from ml.scenarios.rules import MUST_INCLUDE, PIN, PRICE_FLOOR, Rule, Rules
from ml.scenarios.slates import Desk

Prices = Mapping[str, int]
"""List price in cents of each product that can be offered."""


def obeyed_beside(params: RunParams, rules: Rules, prices: Prices) -> Rules:
    """Return the rules as the run obeys them, with the reason where one cannot be.

    A pin or must-include of a product that nobody can be offered, that the basket of the form holds already, or for
    which a bundle has no place left, is noted and binds nothing. One that forbids is obeyed wherever the product is.

    Raises
    ------
    DataError
        When the form pins what a rule forbids, excludes what one pins, or one list leaves nothing of the other's
        must-include.
    """
    found, places = [], params.bundle_size - len(params.pinned)
    for rule in rules.rules:
        fault = rule.fault
        if fault is None and rule.kind in (PIN, MUST_INCLUDE):
            fault = _hindrance(rule, params, rules, prices)
            is_another = rule.kind == PIN and rule.product_id not in params.pinned
            if fault is None and is_another and places == 0:
                fault = f"no place is left for it: a bundle holds at most {params.bundle_size} products"
            places -= is_another and fault is None
        found.append(replace(rule, fault=fault, note=_note(rule, prices)))
    obeyed = Rules(tuple(found))
    if contradictions := list(_contradictions(params, obeyed, prices)):
        raise DataError(f"the form and the merchandiser's rules contradict each other: {'; '.join(contradictions)}")
    return obeyed


def closed_by(rules: Rules, prices: Prices) -> tuple[str, ...]:
    """Return the products that no bundle may hold because of the rules, at these prices, ascending."""
    return tuple(sorted(product for product in prices if any(product in _forbidden(r, prices) for r in rules.obeyed)))


def under(desk: Desk, params: RunParams, rules: Rules) -> Desk:
    """Return the desk of a run under these rules beside its form, with what is in the basket already left out."""
    shelf = desk.shelf
    prices = dict(zip(shelf.product_ids, shelf.price_cents.tolist(), strict=True))
    roles = shelf.roles(params.must_include, params.pinned, params.exclude)
    roles = roles.ruled(shelf.code, rules.must_include, rules.pinned, closed_by(rules, prices))
    if desk.basket is not None:
        inside = desk.basket.is_inside
        roles = roles.closing(inside | desk.basket.is_replacing if params.complements_only else inside)
    limits = replace(limits_of(params), needs_ruled=bool(rules.must_include))
    return replace(desk, roles=roles, limits=limits, rules=rules)


def broken_rules(rules: Rules, products: Sequence[str], prices: Prices) -> Iterator[str]:
    """Yield, in words, each rule that a bundle of these products breaks."""
    held = set(products)
    for rule in rules.obeyed:
        if forbidden := sorted(held & _forbidden(rule, prices)):
            yield f"{_named(rule)} forbids {', '.join(forbidden)}{_below(rule)}"
        elif rule.kind == PIN and rule.product_id not in held:
            yield f"{_named(rule)} wants {rule.product_id} in every bundle"
    if rules.must_include and not held & set(rules.must_include):
        wanting = "; ".join(_named(rule) for rule in rules.obeyed if rule.kind == MUST_INCLUDE)
        yield f"one of {', '.join(rules.must_include)} must be in every bundle: {wanting}"


def _forbidden(rule: Rule, prices: Prices) -> set[str]:
    """Return the products that a rule keeps out of every bundle, at these prices."""
    if rule.kind == PRICE_FLOOR:
        floor = rule.floor_cents or 0
        return {product for product in rule.product_ids if prices.get(product, floor) < floor}
    return set() if rule.kind in (PIN, MUST_INCLUDE) else set(rule.product_ids)


def _hindrance(rule: Rule, params: RunParams, rules: Rules, prices: Prices) -> str | None:
    """Return why no bundle can hold the product that a rule wants in."""
    product = rule.product_ids[0]
    if product not in prices:
        return f"not offered by the shop: {product} has no price, is not bundleable or sold too rarely"
    if product in params.context_basket:
        return f"in the basket already: {product}"
    if prices[product] < rules.floor_cents.get(product, 0):
        return (
            f"another rule allows {product} from {rules.floor_cents[product]} cents on only, not at {prices[product]}"
        )
    return None


def _note(rule: Rule, prices: Prices) -> str | None:
    forbidden = _forbidden(rule, prices)
    if rule.kind == PRICE_FLOOR and forbidden:
        return f"not offered, as its price is {prices[rule.product_ids[0]]} cents"
    if forbidden and not forbidden & set(prices):
        return "not offered by the shop anyway"
    return None


def _contradictions(params: RunParams, rules: Rules, prices: Prices) -> Iterator[str]:
    for rule in rules.obeyed:
        if pinned := sorted(_forbidden(rule, prices) & set(params.pinned)):
            yield f"the form pins {', '.join(pinned)}, which {_named(rule)} forbids{_below(rule)}"
        if rule.kind == PIN and rule.product_id in params.exclude:
            yield f"the form excludes {rule.product_id}, which {_named(rule)} pins"
    closed = set(closed_by(rules, prices))
    if params.must_include and set(params.must_include) <= closed:
        ours = "; ".join(_named(rule) for rule in rules.obeyed if _forbidden(rule, prices) & set(params.must_include))
        yield f"nothing is left of must_include, {', '.join(params.must_include)}: forbidden by {ours}"
    if rules.must_include and set(rules.must_include) <= set(params.exclude):
        ours = "; ".join(_named(rule) for rule in rules.obeyed if rule.kind == MUST_INCLUDE)
        yield f"the form excludes all of {', '.join(rules.must_include)}, of which one is wanted by {ours}"


def _named(rule: Rule) -> str:
    return f"rule {rule.rule_id} of {rule.author} ({rule.reason})"


def _below(rule: Rule) -> str:
    return f" below {rule.floor_cents} cents" if rule.kind == PRICE_FLOOR else ""
