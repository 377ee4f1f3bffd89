"""The audit tests pass a sound run, and each finds the one fault that is planted for it."""

import json
from typing import Any

import psycopg2.extensions
import pytest
from psycopg2.extras import execute_values

from ml.settings import Settings
from ml.transform import audit, build
from tests.dbt.conftest import AS_OF, Plant

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
SOUND = {
    "customer_id": "ann",
    "bundle_rank": 1,
    "policy": "expected_joint_purchase",
    "solver": "exact",
    "candidate_set": "all",
    "candidates": 9,
    "bundle_size": 2,
    "objective": 0.08,
    "upper_bound": 0.10,
    "gap_pct": 20.0,
    "status": "feasible",
    "joint_probability": 0.1,
    "list_price_cents": 300,
    "bundle_price_cents": 290,
    "expected_revenue_cents": 29.0,
    "reason": "often together",
    "fallback_reason": None,
    "held_back_by": None,
    "is_kept": False,
}
ABSTAINED = {
    **SOUND,
    "bundle_size": 0,
    "status": "abstained",
    "list_price_cents": 0,
    "bundle_price_cents": 0,
    "reason": None,
    "fallback_reason": "too little evidence",
}
ITEMS = (("milk", 100, 95), ("bread", 200, 195))
SCARCE = (("scarce", 100, 95), ("bread", 200, 195))
PROVEN = {"status": "optimal", "objective": 0.1, "gap_pct": 0.0}
FAULTS: dict[str, tuple[dict[str, Any], tuple[tuple[str, int, int], ...]]] = {
    "audit_product_stands_once_in_a_bundle": ({}, (("milk", 100, 95), ("milk", 200, 195))),
    "audit_bundle_size_is_counted_and_allowed": ({"bundle_size": 3}, ITEMS),
    "audit_prices_are_the_sum_of_the_items": ({"bundle_price_cents": 291}, ITEMS),
    "audit_item_price_is_positive_and_not_above_list": ({}, (("milk", 100, 0), ("bread", 200, 290))),
    "audit_bound_is_not_below_the_objective": ({"objective": 0.1000001, "gap_pct": 0.0}, ITEMS),
    "audit_gap_follows_from_the_bound": ({"gap_pct": 19.0}, ITEMS),
    "audit_item_is_bundleable": ({}, (("milk", 100, 95), ("retired", 200, 195))),
    "audit_item_is_in_stock": ({}, (("milk", 100, 95), ("sold_out", 200, 195))),
    "audit_offered_bundle_says_why": ({"reason": " "}, ITEMS),
    "audit_numbers_are_finite": ({"expected_revenue_cents": float("nan")}, ITEMS),
    "audit_held_back_bundle_is_not_called_optimal": ({**PROVEN, "held_back_by": "stock"}, ITEMS),
}
"""What is wrong with a bundle, by the check that must find it: columns of the bundle, and its items."""


@pytest.fixture(scope="module")
def products(shop: Settings, plant: Plant) -> None:
    names = ("milk", "bread", "scarce", "sold_out", "retired", "petrol")
    plant(
        "products",
        [
            {
                "product_id": name,
                "price_cents": 100,
                "category_path": "FUEL" if name == "petrol" else "FOOD",
                "is_active": name != "retired",
            }
            for name in names
        ],
    )
    counted = {"counted_at": f"{AS_OF} 08:00:00+00"}
    plant("stock_levels", [{"product_id": n, "on_hand_units": 0 if n == "sold_out" else 9, **counted} for n in names])
    plant("orders", [{"order_id": "o1", "customer_id": "ann", "ordered_at": f"{AS_OF} 08:00:00+00"}])
    plant(
        "order_items",
        [{"order_id": "o1", "line_number": 1, "product_id": "milk", "quantity": 1, "unit_price_cents": 100}],
    )
    build(shop, AS_OF)


class Run:
    """A candidate run to write bundles into."""

    def __init__(self, owner: Connection, started_by: str, promise_quantile: float | None = None) -> None:
        self.owner = owner
        query = "select run_id from ops.open_run('personal', %s, %s, 1, %s, 'abc')"
        params = json.dumps({"promise_quantile": promise_quantile})
        ((self.run_id,),) = self._rows(query, (AS_OF, started_by, params))

    def insert(self, table: str, records: list[dict[str, Any]]) -> None:
        with self.owner.cursor() as cursor:
            columns = ["run_id", *records[0]]
            values = [(self.run_id, *record.values()) for record in records]
            execute_values(cursor, f"insert into ml.{table} ({', '.join(columns)}) values %s", values)

    def bundle(self, bundle_id: str, facts: dict[str, Any], items: tuple[tuple[str, int, int], ...]) -> None:
        self.insert("bundles", [{"bundle_id": bundle_id, **facts}])
        if items:
            self.insert(
                "bundle_items",
                [
                    {
                        "bundle_id": bundle_id,
                        "position": n,
                        "product_id": product,
                        "preference": 0.3,
                        "list_price_cents": list_price,
                        "price_cents": price,
                        "sources": ["history"],
                    }
                    for n, (product, list_price, price) in enumerate(items, start=1)
                ],
            )
        self.insert(
            "candidates",
            [
                {
                    "customer_id": facts["customer_id"],
                    "product_id": f"of {bundle_id}",
                    "preference": 0.3,
                    "sources": ["history"],
                    "candidate_rank": 1,
                }
            ],
        )

    def stock(self, product: str, available: int, capacity: int, promised: int, shadow_price: float = 0.0) -> None:
        units = {"available_units": available, "capacity_units": capacity, "promised_units": promised}
        shares = {"expected_units": 0.1, "promised_share": promised / available, "expected_share": 0.1 / available}
        self.insert("shadow_prices", [{"product_id": product, **units, **shares, "shadow_price": shadow_price}])

    def listed(self, rank: int, coverage: float, upper_bound: float, gap: float) -> None:
        bundle = {"product_ids": ["milk", "bread"], "bundle_size": 2, "list_price_cents": 300, "customers": 1}
        certificate = {"gain": 0.0, "coverage": coverage, "upper_bound": upper_bound, "gap_pct": gap}
        self.insert("catalogue_bundles", [{"bundle_rank": rank, **bundle, **certificate}])

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self.owner.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()


def test_a_sound_run_passes_every_check(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "sound")
    run.bundle("b1", SOUND, ITEMS)
    run.bundle("b2", {**SOUND, **PROVEN, "customer_id": "bob"}, ITEMS)
    run.bundle("b3", {**ABSTAINED, "customer_id": "eve"}, ())
    run.bundle("b4", {**SOUND, "customer_id": "bob", "bundle_rank": 2, "held_back_by": "stock"}, SCARCE)
    run.bundle("b5", {**SOUND, "customer_id": "joe", "held_back_by": "change_budget", "is_kept": True}, SCARCE)
    run.stock("scarce", available=9, capacity=2, promised=2, shadow_price=0.02)
    run.stock("bread", available=9, capacity=9, promised=4)
    run.stock("milk", available=9, capacity=9, promised=2)
    run.listed(1, coverage=2.0, upper_bound=4.0, gap=25.0)
    run.listed(2, coverage=3.0, upper_bound=4.0, gap=25.0)
    checks = audit(shop, AS_OF, run.run_id)
    assert [check for check in checks if not check.is_passed] == []
    assert len(checks) == 21


def test_each_planted_fault_is_found_by_its_own_check(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "faulty")
    for check, (facts, items) in FAULTS.items():
        run.bundle(f"of {check}", {**SOUND, "customer_id": check, **facts}, items)
    run.bundle("first offer", {**SOUND, "customer_id": "quick"}, SCARCE)
    run.bundle("one too many", {**SOUND, "customer_id": "late"}, SCARCE)
    run.stock("scarce", available=9, capacity=1, promised=1)
    run.stock("bread", available=9, capacity=99, promised=9)
    run.stock("sugar", available=9, capacity=9, promised=0, shadow_price=-0.01)
    run.stock("petrol", available=9, capacity=9, promised=0, shadow_price=float("nan"))
    run.listed(1, coverage=2.0, upper_bound=4.0, gap=24.9)
    run.listed(2, coverage=1.9, upper_bound=4.0, gap=25.0)
    run.listed(3, coverage=3.0, upper_bound=2.9, gap=0.0)
    run.listed(4, coverage=3.0, upper_bound=4.0, gap=25.0)
    run.bundle("claimed proof", {**SOUND, "customer_id": "claimed", "status": "optimal"}, ITEMS)
    run.bundle("petrol", {**SOUND, "customer_id": "driver"}, (("milk", 100, 95), ("petrol", 200, 195)))
    run.bundle("abstained", {**ABSTAINED, "customer_id": "eve"}, ())
    run.bundle("and offered", {**SOUND, "customer_id": "eve"}, ITEMS)
    run.bundle("silent", {**ABSTAINED, "customer_id": "mute", "fallback_reason": ""}, ())
    candidate = {"product_id": "milk", "preference": 0.3, "sources": [], "candidate_rank": 1}
    run.insert("candidates", [{"customer_id": "forgotten", **candidate}])
    with owner.cursor() as cursor:
        cursor.execute("insert into ml.bundle_items select run_id, 'nobody', 1, 'milk', .3, 1, 1, '{}' from ops.runs"
                       " where run_id = %s", (run.run_id,))  # fmt: skip
        cursor.execute("insert into ml.associations values (%s, 'a', 'a', 1, 1, 1, 1, 1, 1)", (run.run_id,))
    found = {check.name: check.failures for check in audit(shop, AS_OF, run.run_id) if not check.is_passed}
    assert found == {
        **dict.fromkeys(FAULTS, 1),
        "audit_item_price_is_positive_and_not_above_list": 2,
        "audit_gap_follows_from_the_bound": 2,
        "audit_item_is_bundleable": 2,
        "audit_item_is_not_on_the_list_of_exclusions": 1,
        "audit_abstention_stands_alone_and_says_why": 2,
        "audit_every_customer_is_answered": 1,
        "audit_item_has_its_bundle": 1,
        "audit_association_is_finite_and_ordered": 1,
        "audit_no_product_is_over_promised": 2,
        "audit_shadow_price_is_not_negative": 2,
        "audit_catalogue_bundle_covers_what_it_says": 3,
    }


def test_expected_demand_may_promise_more_offers_than_there_are_units(
    shop: Settings, products: None, owner: Connection
) -> None:
    run = Run(owner, "by demand", promise_quantile=0.95)
    run.bundle("b1", SOUND, SCARCE)
    run.stock("scarce", available=9, capacity=40, promised=1)
    assert [check for check in audit(shop, AS_OF, run.run_id) if not check.is_passed] == []


def test_an_empty_run_is_not_a_sound_one(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "empty")
    found = {check.name for check in audit(shop, AS_OF, run.run_id) if not check.is_passed}
    assert found == {"audit_run_has_bundles"}
