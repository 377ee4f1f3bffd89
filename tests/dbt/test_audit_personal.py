"""The audit tests of a merchandiser's rules and of discovery: each finds what is planted for it, and nothing else."""

from typing import Any

import psycopg2.extensions
import pytest

from ml.settings import Settings
from tests.dbt.candidate import ITEMS, SCARCE, SOUND, Run, failed, live, products

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
__all__ = ["live", "products"]  # fixtures
RULE = {"author": "mia", "reason": "as planned", "is_applied": True, "detail": "1 product(s)"}
COST = {"measure": "expected_revenue_cents", "value_with": 29.0, "value_without": 30.0, "cost": 1.0, "detail": "again"}
FORBIDDEN, LACKING = "audit_no_bundle_holds_what_a_rule_forbids", "audit_bundle_holds_what_rules_want"


def ruled(owner: Connection, name: str, *rules: dict[str, Any], costs: dict[str, Any] | None = None) -> Run:
    """Return a run with two bundles, milk with bread and scarce with bread, under rules that all have a cost."""
    run = Run(owner, name, couples_stock=False)
    run.bundle("b1", SOUND, ITEMS)
    run.bundle("b2", {**SOUND, "customer_id": "bob"}, SCARCE)
    columns = dict.fromkeys(("kind", "product_id", "category", "floor_cents"))
    run.insert("applied_rules", [{"rule_id": f"r{n}", **columns, **RULE, **rule} for n, rule in enumerate(rules)])
    run.insert("rule_costs", [{"rule_id": f"r{n}", **COST, **(costs or {})} for n in range(len(rules))])
    return run


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"kind": "veto", "product_id": "sold_out"}, {}),
        ({"kind": "veto", "product_id": "milk"}, {FORBIDDEN: 1}),
        ({"kind": "veto", "product_id": "bread"}, {FORBIDDEN: 2}),
        ({"kind": "exclude_category", "category": "FUEL"}, {}),
        ({"kind": "exclude_category", "category": "FOOD"}, {FORBIDDEN: 4}),
        ({"kind": "price_floor", "product_id": "milk", "floor_cents": 100}, {}),
        ({"kind": "price_floor", "product_id": "milk", "floor_cents": 101}, {FORBIDDEN: 1}),
        ({"kind": "pin", "product_id": "bread"}, {}),
        ({"kind": "pin", "product_id": "milk"}, {LACKING: 1}),
        ({"kind": "must_include", "product_id": "scarce"}, {LACKING: 1}),
    ],
)
def test_a_bundle_against_a_rule_is_found(
    shop: Settings, owner: Connection, rule: dict[str, Any], found: dict[str, int]
) -> None:
    assert failed(shop, ruled(owner, f"under {rule}", rule)) == found


@pytest.mark.usefixtures("products")
def test_one_of_several_must_includes_is_enough(shop: Settings, owner: Connection) -> None:
    both = [{"kind": "must_include", "product_id": product} for product in ("milk", "scarce")]
    assert failed(shop, ruled(owner, "one of two", *both)) == {}
    pins = [{"kind": "pin", "product_id": product} for product in ("milk", "bread")]
    assert failed(shop, ruled(owner, "two of two", *pins)) == {LACKING: 1}


@pytest.mark.usefixtures("products")
def test_a_rule_that_was_not_obeyed_binds_nothing_and_has_no_cost(shop: Settings, owner: Connection) -> None:
    noted = {"kind": "veto", "product_id": "milk", "is_applied": False, "detail": "unknown product"}
    assert failed(shop, ruled(owner, "noted, yet priced", noted)) == {"audit_rule_has_its_cost": 1}
    fine = {"kind": "veto", "product_id": "sold_out"}
    assert failed(shop, ruled(owner, "no difference", fine, costs={"cost": 2.0})) == {"audit_rule_has_its_cost": 1}
    assert failed(shop, ruled(owner, "silent", {**fine, "detail": " "})) == {"audit_rule_has_its_cost": 1}


@pytest.mark.usefixtures("products")
def test_a_listed_bundle_keeps_to_the_rules_too(shop: Settings, owner: Connection) -> None:
    run = ruled(owner, "listed", {"kind": "veto", "product_id": "milk"})
    run.listed(1, coverage=2.0, upper_bound=4.0, gap=50.0)
    assert failed(shop, run) == {FORBIDDEN: 2}


@pytest.mark.usefixtures("products")
def test_products_new_to_the_customer_are_counted_anew(shop: Settings, owner: Connection) -> None:
    run = Run(owner, "miscounted", couples_stock=False)
    run.bundle("b1", {**SOUND, "discovery_products": 1}, ITEMS)
    run.bundle("b2", {**SOUND, "customer_id": "bob", "discovery_products": None}, SCARCE)
    assert failed(shop, run) == {"audit_discoveries_are_counted": 2}


@pytest.mark.usefixtures("live")
def test_live_bundles_that_went_for_the_share_of_discovery_do_not_use_up_the_change_budget(
    shop: Settings, owner: Connection
) -> None:
    run = Run(owner, "shortened", couples_stock=False, max_change_share=0.0)
    run.bundle("new-ann", {**SOUND, "lost_to": ["discovery"]}, SCARCE)
    for customer in ("bob", "eve", "joe"):
        run.bundle(f"new-{customer}", {**SOUND, "customer_id": customer}, ITEMS)
    assert failed(shop, run) == {}
