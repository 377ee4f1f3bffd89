"""The audit of a launch passes a sound plan, and each check finds the one fault that is planted for it."""

from collections import Counter
from typing import Any

import psycopg2.extensions
import pytest

from ml.params import RunParams
from ml.settings import Settings
from ml.transform import build
from tests.dbt.audits import failed
from tests.dbt.conftest import AS_OF, Plant

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
LAUNCH = {
    "product_id": "new",
    "is_launched": True,
    "partners": 1,
    "impressions": 2,
    "budget_impressions": 3,
    "is_pinned": False,
    "past_launches": 2,
    "conversion": 0.1,
    "conversion_low": 0.05,
    "conversion_high": 0.2,
    "list_price_cents": 100,
    "expected_units": 1.5,
    "reason": "shown",
    "is_exploration": True,
}
PARTNER = {
    "product_id": "new",
    "partner_rank": 1,
    "partner_id": "milk",
    "association": 2.0,
    "association_low": 1.0,
    "association_high": 3.0,
    "evidence": "category",
    "pair_baskets": 0,
    "basket_share": 0.1,
    "expected_share": 0.2,
    "reason": "together",
}
SHOWN = {
    "product_id": "new",
    "customer_id": "ann",
    "audience_rank": 1,
    "interest": 2.0,
    "expected_probability": 0.2,
    "reason": "likes it",
    "is_exploration": True,
}
Rows = dict[str, list[dict[str, Any]]]
SOUND: Rows = {
    "launches": [LAUNCH],
    "launch_partners": [PARTNER],
    "launch_audience": [SHOWN, {**SHOWN, "customer_id": "bob", "audience_rank": 2}],
}
VETO = {"rule_id": "r", "kind": "veto", "product_id": "milk", "category": None, "floor_cents": None,
        "author": "mia", "reason": "why", "is_applied": True, "detail": "1"}  # fmt: skip
FLOOR = {**VETO, "rule_id": "s", "kind": "price_floor", "product_id": "new1", "floor_cents": 101}
EXCLUDED = {**VETO, "rule_id": "t", "kind": "exclude_category", "product_id": None, "category": "DAIRY"}


def changed(table: str, **values: object) -> Rows:
    """Return the sound rows, the first of one table changed."""
    first, *rest = SOUND[table]
    return {**SOUND, table: [{**first, **values}, *rest]}


FAULTS: dict[str, tuple[str, Rows]] = {
    "one product too often": ("audit_launch_budget_is_kept", {
        "launches": [{**LAUNCH, "impressions": 3}], "launch_partners": [PARTNER],
        "launch_audience": [*SOUND["launch_audience"], {**SHOWN, "customer_id": "eve", "audience_rank": 3}]}),
    "one customer too often": ("audit_launch_customer_is_not_overrun", {
        "launches": [{**LAUNCH, "product_id": n, "impressions": 1} for n in ("new", "second", "third")],
        "launch_partners": [{**PARTNER, "product_id": n} for n in ("new", "second", "third")],
        "launch_audience": [{**SHOWN, "product_id": n} for n in ("new", "second", "third")]}),
    "another count": ("audit_launch_counts_are_those_of_the_rows", changed("launches", partners=2)),
    "kept back and shown": ("audit_launch_counts_are_those_of_the_rows", changed("launches", is_launched=False)),
    "too much": ("audit_launch_promises_no_more_than_there_is", changed("launches", expected_units=4.5)),
    "vetoed": ("audit_launch_obeys_the_rules", {**SOUND, "applied_rules": [VETO]}),
    "below the floor": ("audit_launch_obeys_the_rules", {**SOUND, "applied_rules": [FLOOR]}),
    "excluded": ("audit_launch_obeys_the_rules", {**SOUND, "applied_rules": [EXCLUDED]}),
    "of its kind": ("audit_launch_partner_is_no_replacement", changed("launch_partners", partner_id="cake")),
    "by chance": ("audit_launch_partner_is_no_replacement", changed("launch_partners", association=0.9)),
    "without evidence": ("audit_launch_partner_is_no_replacement", changed("launch_partners", partner_id="rare")),
    "mute": ("audit_launch_says_why_and_how_likely", changed("launch_audience", reason=" ")),
    "no probability": ("audit_launch_says_why_and_how_likely", changed("launch_audience", expected_probability=1.1)),
    "sold as certain": ("audit_launch_says_why_and_how_likely", changed("launches", is_exploration=False)),
}  # fmt: skip
"""By what is wrong, the check that must find it and the rows."""


def apart(number: int, rows: Rows) -> Rows:
    """Return the rows about products and customers of their own, so that one fault does not touch another."""
    own = ("product_id", "customer_id")
    return {
        table: records
        if table == "applied_rules"
        else [{**row, **{key: f"{row[key]}{number}" for key in own if key in row}} for row in records]
        for table, records in rows.items()
    }


@pytest.fixture(scope="module")
def products(shop: Settings, plant: Plant) -> None:
    kinds = {"milk": "DAIRY", "rare": "SPICE", "cake": "CAKE"}
    kinds |= {f"{name}{n}": "CAKE" for n in range(len(FAULTS) + 1) for name in ("new", "second", "third")}
    rows = [{"product_id": n, "category_path": f"FOOD > {kind}", "price_cents": 100} for n, kind in kinds.items()]
    plant("products", [{**row, "is_active": True} for row in rows])
    plant("stock_levels", [{"product_id": n, "on_hand_units": 5, "counted_at": f"{AS_OF} 08:00+00"} for n in kinds])
    at = {"ordered_at": f"{AS_OF} 08:00:00+00"}
    plant("orders", [{"order_id": f"o{n}", "customer_id": name, **at} for n, name in enumerate(("ann", "bob", "eve"))])
    line = {"quantity": 1, "unit_price_cents": 100}
    lines = [(f"o{n}", place, name) for n in range(3) for place, name in enumerate(("milk", "cake"), start=1)]
    plant("order_items", [{"order_id": o, "line_number": n, "product_id": name, **line} for o, n, name in lines])
    build(shop, AS_OF)


def asked(impressions: int) -> RunParams:
    return RunParams(scenario="launch", launch_audience=2, launch_impressions=impressions, reserve_units=1)


def test_a_sound_launch_passes(shop: Settings, products: None, owner: Connection) -> None:
    assert failed(shop, owner, AS_OF, "sound", asked(2), apart(0, SOUND)) == {}


def test_each_planted_fault_is_found_by_its_own_check(shop: Settings, products: None, owner: Connection) -> None:
    whole: Rows = {}
    for number, (_, rows) in enumerate(FAULTS.values(), start=1):
        for table, records in apart(number, rows).items():
            whole.setdefault(table, []).extend(records)
    spent = len(whole["launch_audience"])
    assert failed(shop, owner, AS_OF, "faulty", asked(spent), whole) == Counter(check for check, _ in FAULTS.values())
    assert failed(shop, owner, AS_OF, "spendthrift", asked(1), apart(0, SOUND)) == {"audit_launch_budget_is_kept": 1}
