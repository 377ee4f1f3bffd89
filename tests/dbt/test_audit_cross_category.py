"""The audit of a promotion passes a sound one, and each check finds the fault that is planted for it."""

from datetime import timedelta
from typing import Any

import psycopg2.extensions
import pytest

from ml.params import RunParams
from ml.settings import Settings
from ml.transform import build
from tests.dbt.audits import audit, let_anything_in, written
from tests.dbt.conftest import AS_OF, Plant

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
Row = dict[str, Any]
NAMES = ("milk", "bread", "scarce", "busy", "retired", "dear", "wine")
PROMOTED: Row = {
    "category": "FOOD",
    "starts_on": AS_OF + timedelta(days=1),
    "ends_on": AS_OF + timedelta(days=7),
    "discount_share": 0.1,
    "list_price_cents": 100,
    "promoted_price_cents": 90,
    "base_units": 5.0,
    "expected_units": 8.0,
    "discount_cost_cents": 80.0,
    "expected_incremental_margin_cents": 40.0,
    "incremental_margin_low_cents": 10.0,
    "incremental_margin_high_cents": 60.0,
    **dict.fromkeys(("halo_margin_cents", "substituted_margin_cents", "pulled_margin_cents"), 0.0),
    "elasticity": -3.0,
    "elasticity_level": "product",
    "margin_note": None,
    "reason": "sells well",
    "plan_margin_low_cents": 20.0,
    "plan_margin_high_cents": 90.0,
}
WHOLE: Row = {"objective": 80.0, "upper_bound": 100.0, "gap_pct": 20.0}
SOUND = [{"product_id": "milk"}, {"product_id": "bread"}]
INVITED = [("ann", 1, ["milk", "bread"]), ("bob", 2, ["bread"])]


@pytest.fixture(scope="module")
def catalogue(shop: Settings, plant: Plant, owner: Connection) -> None:
    let_anything_in(owner)
    plant(
        "products",
        [
            {
                "product_id": name,
                "price_cents": 100,
                "cost_cents": 89 if name == "dear" else 40,
                "category_path": "DRINKS > WINE" if name == "wine" else "FOOD > MORE",
                "is_active": name != "retired",
            }
            for name in NAMES
        ],
    )
    counted = {"counted_at": f"{AS_OF} 08:00:00+00"}
    plant("stock_levels", [{"product_id": n, "on_hand_units": 7 if n == "scarce" else 99, **counted} for n in NAMES])
    at = {"ordered_at": f"{AS_OF} 08:00:00+00"}
    plant("orders", [{"order_id": f"o{n}", "customer_id": name, **at} for n, name in enumerate(("ann", "bob", "eve"))])
    lines = [(order, line, name) for order in range(3) for line, name in enumerate(NAMES, start=1)]
    sold = {"quantity": 1, "unit_price_cents": 100}
    plant(
        "order_items",
        [{"order_id": f"o{order}", "line_number": n, "product_id": name, **sold} for order, n, name in lines],
    )
    last = PROMOTED["ends_on"]
    plant(
        "promotions",
        [{"promotion_id": "m", "product_id": "busy", "kind": "mailer", "starts_on": last, "ends_on": last}],
    )
    build(shop, AS_OF)


def failed(
    shop: Settings,
    owner: Connection,
    name: str,
    products: list[Row],
    invited: list[tuple[str, int, list[str]]],
    rules: list[Row] = [],  # noqa: B006 - never changed
    reasons: list[str] = [],  # noqa: B006 - never changed
    **asked: Any,
) -> dict[str, int]:
    """Write a run with these rows and return the checks that fail, with how many rows break each."""
    tables: dict[str, list[Row]] = {
        "promotion_products": [{**PROMOTED, **WHOLE, **row} for row in products],
        "promotion_invitations": [
            {"customer_id": who, "invitation_rank": rank, "product_ids": mentioned, "probability": 0.5}
            | {"expected_margin_cents": 3.0}
            for who, rank, mentioned in invited
        ],
        "applied_rules": rules,
        "unavailable": [{"result": result, "reason": "not worth it"} for result in reasons],
    }
    run_id = written(owner, AS_OF, name, RunParams(**{"scenario": "cross_category", **asked}), tables)
    checks = audit(shop, AS_OF, run_id, "cross_category")
    assert len(checks) == 10
    return {check.name: check.failures for check in checks if not check.is_passed}


def rule(kind: str, **about: Any) -> Row:
    usual = {"product_id": None, "category": None, "floor_cents": None, "author": "mia", "reason": "why"}
    return {**usual, "rule_id": kind, "kind": kind, "is_applied": True, "detail": "", **about}


def test_a_sound_promotion_and_a_sound_abstention_pass(shop: Settings, catalogue: None, owner: Connection) -> None:
    obeyed = [rule("pin", product_id="milk"), rule("price_floor", product_id="milk", floor_cents=90)]
    obeyed += [rule("veto", product_id="wine"), rule("exclude_category", category="DRINKS")]
    # What the run could not obey is not held against it.
    obeyed += [{**rule("veto", product_id="bread"), "rule_id": "unobeyed", "is_applied": False}]
    assert failed(shop, owner, "sound", SOUND, INVITED, obeyed) == {}
    both = ["promotion_products", "promotion_invitations"]
    assert failed(shop, owner, "none", [], [], [rule("pin", product_id="milk")], both) == {}


@pytest.mark.parametrize(
    ("check", "given"),
    [
        ("audit_promotion_keeps_its_budget", {"promotion_budget_cents": 159}),
        ("audit_promoted_product_is_in_no_other_promotion", {"products": [SOUND[0], {"product_id": "busy"}]}),
        ("audit_promoted_price_leaves_its_margin", {"products": [SOUND[0], {"product_id": "dear"}]}),
        ("audit_promoted_price_leaves_its_margin", {"products": [SOUND[0], {**SOUND[1], "list_price_cents": 101}]}),
        ("audit_promoted_product_is_not_forbidden", {"products": [SOUND[0], {"product_id": "retired"}]}),
        ("audit_promoted_product_is_not_forbidden", {"rules": [rule("veto", product_id="milk")]}),
        (
            "audit_promoted_product_is_not_forbidden",
            {"rules": [rule("price_floor", product_id="milk", floor_cents=91)]},
        ),
        (
            "audit_promoted_product_is_not_forbidden",
            {"products": [SOUND[0], {"product_id": "wine"}], "rules": [rule("exclude_category", category="DRINKS")]},
        ),
        ("audit_pinned_product_is_promoted", {"rules": [rule("pin", product_id="dear")]}),
        ("audit_no_more_is_promoted_than_asked", {"promotion_audience": 1}),
        ("audit_invitations_name_promoted_products_only", {"invited": [("ann", 1, ["milk", "tea"])]}),
        ("audit_invitations_name_promoted_products_only", {"invited": [("ann", 1, ["milk", "milk"])]}),
        ("audit_no_more_is_promoted_than_asked", {"invited": [("ann", 1, ["milk"]), ("bob", 3, ["milk"])]}),
        ("audit_promotion_sells_no_more_than_stock", {"products": [SOUND[0], {"product_id": "scarce"}]}),
        ("audit_promotion_is_there_or_says_why", {"invited": []}),
        ("audit_promotion_is_there_or_says_why", {"reasons": ["promotion_products"]}),
    ],
)
def test_each_planted_fault_is_found_by_its_own_check(
    shop: Settings, catalogue: None, owner: Connection, check: str, given: dict[str, Any]
) -> None:
    whole = {"products": [*SOUND], "invited": INVITED, **given}
    if check.startswith("audit_invitations") or not whole["invited"]:
        whole["products"] = SOUND
    products, invited = whole.pop("products"), whole.pop("invited")
    named = {row["product_id"] for row in products}
    if "invited" not in given:
        invited = [
            (who, rank, [name for name in mentioned if name in named] or ["milk"]) for who, rank, mentioned in invited
        ]
    assert failed(shop, owner, f"{check} {given}", products, invited, **whole) == {check: 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"objective": 81.0},
        {"upper_bound": 79.0, "gap_pct": -1.2658227848101267},
        {"gap_pct": 21.0},
        {"objective": 0.0, "expected_incremental_margin_cents": 0.0, "gap_pct": 100.0},
        {"expected_units": 4.0},
        {"expected_units": float("nan")},
    ],
)
def test_numbers_that_do_not_hold_together_are_found(
    shop: Settings, catalogue: None, owner: Connection, wrong: Row
) -> None:
    found = failed(shop, owner, f"numbers {wrong}", [{**row, **wrong} for row in SOUND], INVITED)
    assert found.pop("audit_promotion_is_worth_its_numbers") == 2
    assert set(found) <= {"audit_promotion_sells_no_more_than_stock"}, "a number that is none is above any stock"
