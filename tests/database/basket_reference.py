"""What ``serve.complete_basket`` is to answer, written down plainly: loops over a shop that fits into memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Product:
    product_id: str
    title: str | None
    category: str
    price_cents: int | None
    is_bundleable: bool
    baskets: int


@dataclass(frozen=True)
class Pair:
    product_a: str
    product_b: str
    pair_baskets: int
    expected_baskets: float
    lift: float
    lift_low: float
    lift_high: float
    association: float
    relation: str
    evidence: str


@dataclass(frozen=True)
class Count:
    product_id: str
    warehouse_id: str
    counted_at: str
    on_hand_units: int
    reserved_units: int


@dataclass
class Shop:
    """A published run and what the shop counts now.

    ``preferences`` by customer and product; ``rules`` as (kind, product or category, floor in cents, is applied).
    """

    as_of: date
    products: list[Product]
    pairs: list[Pair]
    counts: list[Count]
    preferences: dict[tuple[str, str], float]
    baskets: int
    rules: list[tuple[str, str, int | None, bool]] = field(default_factory=list)

    def available_units(self, product_id: str) -> int | None:
        if not self.counts:
            return None
        latest = {
            c.warehouse_id: c for c in sorted(self.counts, key=lambda c: c.counted_at) if c.product_id == product_id
        }
        return sum(max(c.on_hand_units - c.reserved_units, 0) for c in latest.values())

    def may_be_offered(self, product: Product) -> bool:
        if not product.is_bundleable or not product.price_cents:
            return False
        for kind, about, floor_cents, is_applied in self.rules:
            if is_applied and (
                (kind == "veto" and about == product.product_id)
                or (kind == "exclude_category" and about == product.category)
                or (kind == "price_floor" and about == product.product_id and product.price_cents < (floor_cents or 0))
            ):
                return False
        return True


@dataclass(frozen=True)
class Suggestion:
    product_id: str
    price_cents: int
    score: float
    basket_product_id: str
    association: float
    preference: float | None
    available_units: int | None


def complete(
    shop: Shop, items: Sequence[str | None] | None, budget_cents: int | None, k: int, customer_id: str | None
) -> tuple[list[Suggestion], list[tuple[str, str | None]]]:
    """Return the suggestions, best first, and the problems with the product they are about."""
    named = {item for item in items or () if item is not None}
    if not named:
        return [], [("empty_basket", None)]
    catalogue = {product.product_id: product for product in shop.products}
    problems: list[tuple[str, str | None]] = [("unknown_product", item) for item in sorted(named - set(catalogue))]
    basket = sorted(named & set(catalogue))
    if not basket:
        return [], problems
    if customer_id is not None and not any(customer == customer_id for customer, _ in shop.preferences):
        problems.append(("unknown_customer", None))
        customer_id = None
    chosen: list[Suggestion] = []
    too_dear = sold_out = 0
    for one in sorted(_complements(shop, catalogue, basket, customer_id), key=_order):
        if len(chosen) == k:
            break
        if budget_cents is not None and sum(c.price_cents for c in chosen) + one.price_cents > budget_cents:
            too_dear += 1
        elif one.available_units == 0:
            sold_out += 1
        else:
            chosen.append(one)
    if len(chosen) < k:
        problems += [("nothing_in_budget", None)] * (too_dear > 0) + [("out_of_stock", None)] * (sold_out > 0)
        problems += [("no_association", None)] * (too_dear + sold_out == 0)
    return chosen, problems


def _order(one: Suggestion) -> tuple[bool, float, float, str]:
    """Put what the customer is known to like before all else."""
    return one.preference is None, -one.score, -one.association, one.product_id


def _complements(
    shop: Shop, catalogue: dict[str, Product], basket: list[str], customer_id: str | None
) -> list[Suggestion]:
    found = []
    for product in shop.products:
        if product.product_id in basket or not shop.may_be_offered(product):
            continue
        pairs = [
            (held, pair)
            for pair in shop.pairs
            for held in basket
            if {pair.product_a, pair.product_b} == {held, product.product_id}
        ]
        if any(
            pair.relation == "substitute" or (pair.lift_high < 1 and pair.expected_baskets > 0) for _, pair in pairs
        ):
            continue
        preference = shop.preferences.get((customer_id, product.product_id)) if customer_id is not None else None
        scored = [
            Suggestion(
                product.product_id,
                product.price_cents or 0,
                _score(shop, catalogue[held], product, pair, preference),
                held,
                pair.association,
                preference,
                shop.available_units(product.product_id),
            )
            for held, pair in pairs
            if pair.association > 0
        ]
        if scored:
            found.append(min(scored, key=lambda one: (-one.score, -one.association, one.basket_product_id)))
    return found


def _score(shop: Shop, held: Product, product: Product, pair: Pair, preference: float | None) -> float:
    """Return P(product | held)."""
    if preference is not None:
        return min(preference * pair.association, 1.0)
    if pair.evidence == "counted" and held.baskets:
        return min(pair.pair_baskets / held.baskets, 1.0)
    return min(pair.association * (product.baskets / shop.baskets), 1.0)
