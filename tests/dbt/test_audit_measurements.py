"""The audit of measurements passes sound rows, and each check finds the faults that are planted for it."""

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
Rows = dict[str, list[dict[str, Any]]]

ENDS = (("", 5.0), ("_low", 1.0), ("_high", 9.0))
TOLD = {f"{p}difference{end}_cents": value for p in ("", "adjusted_") for end, value in ENDS}
READOUT = {
    "measure": "revenue", "arm": "bundles", "control": "control", "customers": 200, "control_customers": 200,
    "crossed_customers": 0, "planned_share": 0.5, "sample_ratio_p": 0.5, "exposed_from": AS_OF, "exposed_to": AS_OF,
    "mean_cents": 105.0, "control_mean_cents": 100.0, **TOLD, "refusal_reason": None,
}  # fmt: skip
REFUSED = {**READOUT, **dict.fromkeys(("mean_cents", "control_mean_cents", *TOLD)), "measure": "margin",
           "refusal_reason": "no cost"}  # fmt: skip
VALUED = {
    "target": "uniform", "reward": "click", "estimator": "ips", "logged_policies": ["uniform"], "log_from": AS_OF,
    "log_to": AS_OF, "impressions": 900, "left_out_impressions": 0, "customers": 300, "observed": 0.2,
    "effective_impressions": 900.0, "mean_weight": 1.0, "max_weight": 1.0, "max_weight_share": 0.01,
    "unseen_share": 0.0, "value": 0.2, "low": 0.1, "high": 0.3, "refusal_reason": None,
}  # fmt: skip
UNTOLD = {**VALUED, "reward": "add", "value": None, "low": None, "high": None, "refusal_reason": "weak overlap"}
CHECK = {"kind": "feature", "subject": "cents", "measure": "psi", "value": 0.31, "limit_value": 0.25,
         "check_p_value": 1e-9, "reference_rows": 900, "now_rows": 900, "verdict": "drifted",
         "reason": "cents psi 0.31 > 0.25"}  # fmt: skip
OLD = {**CHECK, "kind": "freshness", "subject": "baskets", "measure": "age_days", "value": 4.0, "limit_value": 3.0,
       "check_p_value": None}  # fmt: skip
SOUND: Rows = {
    "experiment_readouts": [READOUT, REFUSED],
    "off_policy_values": [VALUED, UNTOLD],
    "drift_checks": [CHECK, OLD, {**CHECK, "subject": "by chance", "check_p_value": 0.5, "verdict": "steady"}],
}
FAULTY: Rows = {
    "experiment_readouts": [
        {**READOUT, "difference_low_cents": 6.0},
        {**REFUSED, "mean_cents": 7.0},
        {**REFUSED, "arm": "b", "refusal_reason": ""},
    ],
    "off_policy_values": [{**VALUED, "high": None}],
    "drift_checks": [{**CHECK, "verdict": "steady"}, {**OLD, "value": 2.0}],
    "unavailable": [{"result": "off_policy_values", "reason": "not available: needs bundle_feedback"}],
}
EXPECTED = {
    "audit_measured_value_lies_in_its_interval": 2,
    "audit_refused_row_has_a_reason_and_no_value": 2,
    "audit_drift_verdict_follows_from_its_numbers": 2,
    "audit_measurement_is_there_or_says_why": 1,
}
ASKED = RunParams(scenario="measurements")


@pytest.fixture(scope="module")
def shop_of_one(shop: Settings, plant: Plant) -> None:
    plant("products", [{"product_id": "milk", "category_path": "FOOD > DAIRY", "price_cents": 100, "is_active": True}])
    plant("customers", [{"customer_id": "ann"}])
    plant("orders", [{"order_id": "o", "customer_id": "ann", "ordered_at": f"{AS_OF} 08:00:00+00"}])
    line = {"line_number": 1, "product_id": "milk", "quantity": 1, "unit_price_cents": 100}
    plant("order_items", [{"order_id": "o", **line}])
    build(shop, AS_OF)


def test_sound_measurements_pass(shop: Settings, shop_of_one: None, owner: Connection) -> None:
    assert failed(shop, owner, AS_OF, "sound", ASKED, SOUND) == {}


def test_each_planted_fault_is_found_by_its_own_check(shop: Settings, shop_of_one: None, owner: Connection) -> None:
    assert Counter(failed(shop, owner, AS_OF, "faulty", ASKED, FAULTY)) == Counter(EXPECTED)


def test_a_result_that_is_neither_there_nor_excused_is_found(
    shop: Settings, shop_of_one: None, owner: Connection
) -> None:
    assert failed(shop, owner, AS_OF, "empty", ASKED, {}) == {"audit_measurement_is_there_or_says_why": 3}
