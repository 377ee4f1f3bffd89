"""The audit of customer care passes sound cards, and each check finds the faults that are planted for it."""

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
CARD = {
    "customer_id": "ann",
    "visits": 3,
    "interests": ["DAIRY"],
    "suggested_bundle_id": None,
    "lapse_risk": 0.3,
    "lapse_risk_low": 0.2,
    "lapse_risk_high": 0.4,
    "usual_risk": 0.1,
    "talking_points": [],
    "note": None,
}
NOTHING = {**dict.fromkeys(("lapse_risk", "lapse_risk_low", "lapse_risk_high", "usual_risk")), "interests": [],
           "visits": 0, "note": "no purchases yet"}  # fmt: skip
DUE = {"customer_id": "ann", "product_id": "milk", "due_rank": 1, "due_on": AS_OF, "probability": 0.5,
       "baskets": 3, "mean_gap_days": 7.0,
       "last_on": AS_OF}  # fmt: skip
ALERT = {"customer_id": "ann", "kind": "interest_spike", "subject": "DAIRY", "product_id": None, "category": "DAIRY",
         "priority": 1, "at_stake_cents": 9.0, "is_within_cap": True, "detail": "much"}  # fmt: skip
ITEM = {"bundle_id": "b1", "position": 1, "product_id": "wine", "preference": 0.5, "list_price_cents": 100,
        "price_cents": 100, "sources": []}  # fmt: skip
VETO = {"rule_id": "r", "kind": "veto", "product_id": "jam", "category": None, "floor_cents": None,
        "author": "mia", "reason": "why", "is_applied": True, "detail": "1"}  # fmt: skip
Rows = dict[str, list[dict[str, Any]]]
EVERYBODY = ("ann", "bob", "eve", "new")
SOUND: Rows = {
    "customer_cards": [{**CARD, "customer_id": n, **(NOTHING if n == "new" else {})} for n in EVERYBODY],
    "due_repurchases": [DUE],
    "care_alerts": [ALERT, {**ALERT, "customer_id": "bob", "priority": 2, "is_within_cap": False}],
    "applied_rules": [VETO],
}
FAULTY: Rows = {
    "customer_cards": [
        {**CARD, "suggested_bundle_id": "b1"},
        {**CARD, "customer_id": "bob", "lapse_risk": 0.5, "interests": ["WINES"]},
        {**CARD, "customer_id": "new", **NOTHING, "note": None},
    ],
    "due_repurchases": [
        {**DUE, "product_id": name, "due_rank": n} for n, name in enumerate(("jam", "nappies"), start=1)
    ],
    "care_alerts": [
        {**ALERT, "is_within_cap": False},
        {**ALERT, "subject": "wine", "product_id": "wine", "priority": 2},
    ],
    "applied_rules": [VETO, {**VETO, "rule_id": "s", "kind": "price_floor", "product_id": "wine", "floor_cents": 101}],
    "bundle_items": [ITEM],
}
EXPECTED = {
    "audit_care_names_nothing_sensitive": 2,  # the bundle and the alert name one product
    "audit_care_speaks_of_no_sensitive_category": 1,
    "audit_care_cap_is_kept": 2,
    "audit_care_risk_is_a_probability_in_its_interval": 1,
    "audit_care_every_customer_has_a_card": 2,
    "audit_care_obeys_the_rules": 2,
}
ASKED = RunParams(scenario="customer_care", alerts_per_day=1)


@pytest.fixture(scope="module")
def shop_of_four(shop: Settings, plant: Plant) -> None:
    kinds = {"milk": "DAIRY", "jam": "SPREADS", "wine": "WINES", "nappies": "BABY"}
    rows = [{"product_id": n, "category_path": f"FOOD > {kind}", "price_cents": 100} for n, kind in kinds.items()]
    plant("products", [{**row, "is_active": True} for row in rows])
    plant("customers", [{"customer_id": name} for name in EVERYBODY])
    at = {"ordered_at": f"{AS_OF} 08:00:00+00"}
    plant("orders", [{"order_id": f"o{n}", "customer_id": name, **at} for n, name in enumerate(EVERYBODY[:3])])
    line = {"line_number": 1, "product_id": "milk", "quantity": 1, "unit_price_cents": 100}
    plant("order_items", [{"order_id": f"o{n}", **line} for n in range(3)])
    build(shop, AS_OF)


def test_sound_cards_pass(shop: Settings, shop_of_four: None, owner: Connection) -> None:
    assert failed(shop, owner, AS_OF, "sound", ASKED, SOUND) == {}


def test_each_planted_fault_is_found_by_its_own_check(shop: Settings, shop_of_four: None, owner: Connection) -> None:
    assert Counter(failed(shop, owner, AS_OF, "faulty", ASKED, FAULTY)) == Counter(EXPECTED)
