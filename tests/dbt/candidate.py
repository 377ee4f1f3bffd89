"""A shop of six products, and candidate runs of personal bundles to plant faults in."""

import json
from dataclasses import asdict
from typing import Any

import psycopg2.extensions
import pytest
from psycopg2.extras import execute_values

from ml.params import RunParams
from ml.settings import Settings
from ml.transform import build
from tests.dbt.audits import audit, let_anything_in
from tests.dbt.conftest import AS_OF, Plant

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
    "discovery_products": 2,
}
ABSTAINED = {
    **SOUND,
    "bundle_size": 0,
    "discovery_products": 0,
    "status": "abstained",
    "list_price_cents": 0,
    "bundle_price_cents": 0,
    "reason": None,
    "fallback_reason": "too little evidence",
}
ITEMS = (("milk", 100, 95), ("bread", 200, 195))
SCARCE = (("scarce", 100, 95), ("bread", 200, 195))
PROVEN = {"status": "optimal", "objective": 0.1, "gap_pct": 0.0}


@pytest.fixture(scope="module")
def products(shop: Settings, plant: Plant, owner: Connection) -> None:
    let_anything_in(owner)
    names = ("milk", "bread", "scarce", "sold_out", "retired", "petrol")
    plant(
        "products",
        [
            {
                "product_id": name,
                "price_cents": 100 if name in ("milk", "scarce") else 200,
                "category_path": "FUEL" if name == "petrol" else "FOOD",
                "is_active": name != "retired",
            }
            for name in names
        ],
    )
    counted = {"counted_at": f"{AS_OF} 08:00:00+00"}
    plant("stock_levels", [{"product_id": n, "on_hand_units": 0 if n == "sold_out" else 9, **counted} for n in names])
    # Three baskets of each: as many as the tiny shop asks of a product.
    at = {"ordered_at": f"{AS_OF} 08:00:00+00"}
    plant("given_bundles", [{"bundle_id": "breakfast", "product_id": name} for name in ("milk", "bread")])
    plant("orders", [{"order_id": f"o{n}", "customer_id": name, **at} for n, name in enumerate(("ann", "bob", "eve"))])
    lines = [
        (order, line, name) for order in range(3) for line, name in enumerate(("milk", "bread", "scarce"), start=1)
    ]
    sold = {"quantity": 1, "unit_price_cents": 100}
    plant(
        "order_items",
        [{"order_id": f"o{order}", "line_number": n, "product_id": name, **sold} for order, n, name in lines],
    )
    build(shop, AS_OF)


class Run:
    """A candidate run to write bundles into."""

    def __init__(self, owner: Connection, started_by: str, **asked: object) -> None:
        self.owner = owner
        self.answered: set[str] = set()
        query = "select run_id from ops.open_run('personal', %s, %s, 1, %s, 'abc')"
        params = json.dumps(asdict(RunParams(**asked)))  # type: ignore[arg-type]
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
                    "basket_spread": 1.0,
                }
            ],
        )

        self.given(facts["customer_id"])

    def answer_the_rest(self) -> None:
        """Abstain for the customers of the day of whom the run says nothing yet."""
        for customer in sorted({"ann", "bob", "eve"} - self.answered):
            self.bundle(f"none for {customer}", {**ABSTAINED, "customer_id": customer}, ())

    def given(self, customer: str) -> None:
        """Say of the shop's own bundle why it has no rank, once a customer."""
        if customer not in self.answered:
            reason = {"given_bundle_id": "breakfast", "unranked_reason": "not_worth_showing"}
            self.insert("given_bundle_ranks", [{"customer_id": customer, **reason}])
            self.answered.add(customer)

    def stock(self, product: str, available: int, capacity: int, promised: int, shadow_price: float = 0.0) -> None:
        units = {"available_units": available, "capacity_units": capacity, "promised_units": promised}
        shares = {"expected_units": 0.1, "promised_share": promised / available, "expected_share": 0.1 / available}
        self.insert("shadow_prices", [{"product_id": product, **units, **shares, "shadow_price": shadow_price}])

    def counts(self, **counts: int) -> None:
        self._rows("select ops.note_run(%s, %s)", (self.run_id, json.dumps({"counts": counts})))

    def publish(self) -> None:
        """Let the run be what people read now."""
        with self.owner.cursor() as cursor:
            cursor.execute(
                "insert into ops.published (scope, run_id, as_of) values ('personal', %s, %s)", (self.run_id, AS_OF)
            )

    def listed(self, rank: int, coverage: float, upper_bound: float, gap: float) -> None:
        bundle = {"product_ids": ["milk", "bread"], "bundle_size": 2, "list_price_cents": 300, "customers": 1}
        certificate = {"gain": 0.0, "coverage": coverage, "upper_bound": upper_bound, "gap_pct": gap, "reason": "liked"}
        self.insert("catalogue_bundles", [{"bundle_rank": rank, **bundle, **certificate}])

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self.owner.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()


def failed(shop: Settings, run: Run) -> dict[str, int]:
    run.answer_the_rest()
    return {check.name: check.failures for check in audit(shop, AS_OF, run.run_id) if not check.is_passed}


@pytest.fixture(scope="module")
def live(owner: Connection, products: None) -> None:
    """Four live bundles: of ann, bob, eve and joe."""
    run = Run(owner, "live")
    for customer in ("ann", "bob", "eve", "joe"):
        run.bundle(f"live-{customer}", {**SOUND, "customer_id": customer}, ITEMS)
    run.publish()
