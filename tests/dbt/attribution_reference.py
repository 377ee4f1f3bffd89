"""Random little worlds of orders, returns and overlapping bundles, and what of them is credited, worked out slowly."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.dbt.conftest import AS_OF

Row = dict[str, Any]
Line = tuple[str, int]
STRENGTH = {"impression": 1, "click": 2, "add": 3, "purchase": 4}
ATTRIBUTION = timedelta(days=7)
LAST_DAY = datetime(AS_OF.year, AS_OF.month, AS_OF.day)


@dataclass
class World:
    """Raw rows of a shop of two customers, four products and four bundles; no two worlds share a key."""

    products: list[Row]
    given_bundles: list[Row]
    orders: list[Row] = field(default_factory=list)
    order_items: list[Row] = field(default_factory=list)
    bundle_feedback: list[Row] = field(default_factory=list)


@dataclass
class Credit:
    """What becomes of a line."""

    bundle_id: str | None = None
    credited_units: int = 0
    credited_cents: int = 0
    returned_units: int = 0
    net_credited_cents: int = 0
    net_uncredited_cents: int = 0


def random_world(draw: random.Random, name: str) -> World:
    """Return a world in which nearly everything meets nearly everything, the day after the last one included."""
    customers, products = [f"{name}-ann", f"{name}-bob"], [f"{name}-p{n}" for n in range(4)]
    bundles = {f"{name}-b{n}": draw.sample(products, draw.choice([2, 2, 3])) for n in range(4)}
    world = World(
        [{"product_id": product, "price_cents": 100} for product in products],
        [{"bundle_id": key, "product_id": product} for key, inside in bundles.items() for product in inside],
    )
    moments = [LAST_DAY - timedelta(hours=6 * draw.randrange(-5, 60)) for _ in range(6)]

    def moment() -> datetime:
        return draw.choice(moments) + timedelta(hours=draw.choice([0, 0, 1, -30]))

    for n in range(draw.randint(1, 5)):
        order_id = f"{name}-o{n}"
        world.orders.append(
            {
                "order_id": order_id,
                "customer_id": draw.choice([*customers, *customers, None]),
                "ordered_at": moment(),
                "status": draw.choice(["completed"] * 9 + ["cancelled"]),
            }
        )
        for line in range(draw.randint(1, 5)):
            world.order_items.append(
                {
                    "order_id": order_id,
                    "line_number": line + 1,
                    "product_id": draw.choice(products),
                    "quantity": draw.choice([1, 1, 1, 2, 3, 7, -1, -2]),
                    "unit_price_cents": draw.randrange(0, 500),
                    "discount_cents": draw.choice([0, 0, 0, 11, 600]),
                }
            )
    for n in range(draw.randint(0, 8)):
        world.bundle_feedback.append(
            {
                "feedback_id": f"{name}-f{n}",
                "bundle_id": draw.choice([*bundles, *bundles, *bundles, f"{name}-unknown"]),
                "customer_id": draw.choice([*customers, *customers, None]),
                "kind": draw.choice([*STRENGTH, "return"]),
                "occurred_at": moment(),
                "order_id": draw.choice([None, None, draw.choice(world.orders)["order_id"]]),
            }
        )
    return world


def credited(world: World) -> dict[Line, Credit]:
    """Return the lines of the orders that a reaction led to, and what becomes of each."""
    end = LAST_DAY + timedelta(days=1)
    orders = {o["order_id"]: o for o in world.orders if o["status"] == "completed" and o["ordered_at"] < end}
    inside: dict[str, set[str]] = defaultdict(set)
    for row in world.given_bundles:
        inside[row["bundle_id"]].add(row["product_id"])
    feedback = [f for f in world.bundle_feedback if f["occurred_at"] < end and f["bundle_id"] in inside]
    lines = {(i["order_id"], i["line_number"]): i for i in world.order_items if i["order_id"] in orders}
    bought = {key: line for key, line in lines.items() if line["quantity"] > 0}
    credits: dict[Line, Credit] = {}
    for order_id, order in orders.items():
        led = [f for f in feedback if f["kind"] != "return" and _led(f, order)]
        if led:
            own = {number: line for (at, number), line in bought.items() if at == order_id}
            for number, bundle_id in _winners(own, led, inside, order_id).items():
                credits[order_id, number] = Credit(bundle_id, int(bundle_id is not None))
    for key, credit in credits.items():
        credit.credited_cents = _paid(bought[key]) // bought[key]["quantity"] if credit.bundle_id else 0
    back = _taken_back(orders, lines, bought, credits)
    for bundle_return in (f for f in feedback if f["kind"] == "return"):
        _bring_back(bundle_return, orders, credits, back)
    for key, credit in credits.items():
        paid, credit.returned_units = _paid(bought[key]), back[key]
        returned = paid * back[key] // bought[key]["quantity"]
        lost = credit.credited_cents if back[key] and credit.bundle_id else 0
        credit.net_credited_cents = credit.credited_cents - lost
        credit.net_uncredited_cents = paid - credit.credited_cents - (returned - lost)
    return credits


def _paid(line: Row) -> int:
    return max(0, abs(line["quantity"]) * line["unit_price_cents"] - line["discount_cents"])


def _led(reaction: Row, order: Row) -> bool:
    if reaction["order_id"] is not None:
        known = {reaction["customer_id"], order["customer_id"]} - {None}
        return bool(reaction["order_id"] == order["order_id"] and len(known) < 2)
    age = order["ordered_at"] - reaction["occurred_at"]
    is_theirs = reaction["customer_id"] is not None and reaction["customer_id"] == order["customer_id"]
    return is_theirs and timedelta(0) <= age < ATTRIBUTION


def _winners(own: dict[int, Row], led: list[Row], inside: dict[str, set[str]], order_id: str) -> dict[int, str | None]:
    held = {line["product_id"] for line in own.values()}
    winners: dict[int, str | None] = dict.fromkeys(own)
    for product in held:
        best: tuple[Any, ...] | None = None
        for bundle_id in sorted({f["bundle_id"] for f in led}):
            reactions = [f for f in led if f["bundle_id"] == bundle_id]
            is_named = any(f["order_id"] == order_id for f in reactions)
            if product not in inside[bundle_id] or not (is_named or len(inside[bundle_id] & held) >= 2):
                continue
            strength = max(STRENGTH[f["kind"]] for f in reactions)
            at = max(f["occurred_at"] for f in reactions if STRENGTH[f["kind"]] == strength)
            if best is None or (strength, is_named, at) > best[:3]:
                best = (strength, is_named, at, bundle_id)
        first = min(number for number, line in own.items() if line["product_id"] == product)
        winners[first] = best[3] if best else None
    return winners


def _taken_back(
    orders: dict[str, Row], lines: dict[Line, Row], bought: dict[Line, Row], credits: dict[Line, Credit]
) -> dict[Line, int]:
    """Return the units of each line that came back: of the latest day first, there of the credited unit first."""
    left = {key: line["quantity"] for key, line in bought.items()}
    days = sorted({orders[order_id]["ordered_at"].date() for order_id, _ in lines})
    for day in days:
        for (order_id, _), line in lines.items():
            order = orders[order_id]
            if line["quantity"] > 0 or order["ordered_at"].date() != day:
                continue
            for _ in range(-line["quantity"]):
                holding = [
                    (
                        orders[key[0]]["ordered_at"].date(),
                        key in credits and credits[key].bundle_id is not None,
                        orders[key[0]]["ordered_at"],
                        key,
                    )
                    for key, units in left.items()
                    if units > 0
                    and bought[key]["product_id"] == line["product_id"]
                    and orders[key[0]]["ordered_at"].date() <= day
                    and (key[0] == order_id if order["customer_id"] is None else True)
                    and orders[key[0]]["customer_id"] == order["customer_id"]
                ]
                if holding:
                    left[max(holding)[-1]] -= 1
    return {key: line["quantity"] - left[key] for key, line in bought.items()}


def _bring_back(reaction: Row, orders: dict[str, Row], credits: dict[Line, Credit], back: dict[Line, int]) -> None:
    having = {order_id for (order_id, _), credit in credits.items() if credit.bundle_id == reaction["bundle_id"]}
    if reaction["order_id"] is not None:
        having &= {reaction["order_id"]}
    else:
        having = {
            order_id
            for order_id in having
            if reaction["customer_id"] is not None
            and orders[order_id]["customer_id"] == reaction["customer_id"]
            and orders[order_id]["ordered_at"] <= reaction["occurred_at"]
        }
    if not having:
        return
    last = max(having, key=lambda order_id: (orders[order_id]["ordered_at"], order_id))
    for key, credit in credits.items():
        if key[0] == last and credit.bundle_id == reaction["bundle_id"]:
            back[key] = max(back[key], 1)
