"""The audit of a bundle sale passes a sound one, and each check finds the faults that are planted for it."""

import json
from dataclasses import asdict
from typing import Any

import psycopg2.extensions
import pytest
from psycopg2.extras import execute_values

from ml.params import RunParams
from ml.settings import Settings
from ml.transform import build
from tests.dbt.audits import audit
from tests.dbt.conftest import AS_OF, Plant

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
ASKED = RunParams(scenario="bundle_sale", max_discount_share=0.3, min_margin_share=0.1, reserve_units=1)
PRICE, COST, STOCK = 100, 50, 9
BUNDLE = {
    "bundle_rank": 1,
    "bundle_size": 2,
    "is_discounted": True,
    "list_price_cents": 200,
    "bundle_price_cents": 180,
    "discount_cents": 20,
    "discount_share": 0.1,
    "bundle_margin_cents": 80.0,
    "customers": 3,
    "units_at_list": 4.0,
    "units_at_price": 6.0,
    "attach_at_list": 0.4,
    "attach_at_price": 0.6,
    "cannibalised_units": 4.0,
    "diverted_units": 0.5,
    "pull_forward_units": 0.5,
    "incremental_units": 1.0,
    "units_sensitive": 2.0,
    "units_insensitive": 4.0,
    "expected_incremental_margin_cents": 12.0,
    "margin_low_cents": -3.0,
    "margin_high_cents": 30.0,
    "elasticity_level": "product",
    "demand_source": "recent_mean",
    "reason": "liked together",
    "objective": 12.0,
    "upper_bound": 12.0,
    "gap_pct": 0.0,
}
AT_LIST = {
    "is_discounted": False,
    "bundle_price_cents": 200,
    "discount_cents": 0,
    "discount_share": 0.0,
    "cannibalised_units": 0.0,
    "units_at_price": 4.0,
    "diverted_units": 0.0,
    "pull_forward_units": 0.0,
    "incremental_units": 0.0,
    "units_sensitive": 0.0,
    "expected_incremental_margin_cents": 0.0,
}
FAULTS: dict[str, tuple[str, dict[str, Any], tuple[int, int]]] = {
    "a cent too much": ("audit_sale_prices_are_exact_to_the_cent", {}, (90, 91)),
    "another discount": ("audit_sale_prices_are_exact_to_the_cent", {"discount_cents": 19}, (90, 90)),
    "below the floor": (
        "audit_sale_margin_floor_is_kept",
        {"bundle_price_cents": 108, "discount_cents": 92, "discount_share": 0.3},
        (54, 54),
    ),
    "beyond the largest discount": ("audit_sale_margin_floor_is_kept", {"discount_share": 0.31}, (90, 90)),
    "at a loss": ("audit_sale_margin_floor_is_kept", {"expected_incremental_margin_cents": -0.5}, (90, 90)),
    "more than there is": (
        "audit_sale_stock_is_not_over_promised",
        {"units_at_price": 8.5, "incremental_units": 3.5, "units_sensitive": 4.5},
        (90, 90),
    ),
    "units that do not add up": ("audit_sale_numbers_fit_together", {"incremental_units": 1.5}, (90, 90)),
    "segments that do not add up": ("audit_sale_numbers_fit_together", {"units_sensitive": 2.5}, (90, 90)),
    "a bound below": ("audit_sale_numbers_fit_together", {"upper_bound": 11.0}, (90, 90)),
    "mute": ("audit_sale_numbers_fit_together", {"reason": " "}, (90, 90)),
    "a discount at list price": ("audit_sale_numbers_fit_together", {"is_discounted": False}, (90, 90)),
    "below the floor at list price": ("audit_sale_margin_floor_is_kept", AT_LIST, (100, 100)),
}
"""By what is wrong: the check that must find it, columns of the bundle, and what is paid for its two products."""
ROWS_OF_FAULT = {"more than there is": 2}


def names(number: int) -> list[str]:
    return [f"p{number}a", f"p{number}b"]


@pytest.fixture(scope="module")
def products(shop: Settings, plant: Plant) -> None:
    every = [name for number in range(len(FAULTS) + 4) for name in names(number)]
    facts = {"price_cents": PRICE, "cost_cents": COST, "category_path": "FOOD > TEA", "is_active": True}
    dear = names(list(FAULTS).index("below the floor at list price"))
    plant("products", [{"product_id": n, **facts} | ({"cost_cents": 95} if n in dear else {}) for n in every])
    plant("stock_levels", [{"product_id": n, "on_hand_units": STOCK, "counted_at": f"{AS_OF} 08:00+00"} for n in every])
    plant("orders", [{"order_id": "o", "customer_id": "ann", "ordered_at": f"{AS_OF} 08:00:00+00"}])
    line = {"order_id": "o", "quantity": 1, "unit_price_cents": PRICE}
    plant("order_items", [{"line_number": n, "product_id": name, **line} for n, name in enumerate(every, start=1)])
    build(shop, AS_OF)


class Run:
    """A candidate run of the sale to write into."""

    def __init__(self, owner: Connection, name: str) -> None:
        self.owner = owner
        with owner.cursor() as cursor:
            query = "select run_id from ops.open_run('bundle_sale', %s, %s, 1, %s, 'abc')"
            cursor.execute(query, (AS_OF, name, json.dumps(asdict(ASKED))))
            ((self.run_id,),) = cursor.fetchall()

    def insert(self, table: str, *records: dict[str, Any]) -> None:
        columns, values = ["run_id", *records[0]], [(self.run_id, *record.values()) for record in records]
        with self.owner.cursor() as cursor:
            execute_values(cursor, f"insert into ml.{table} ({', '.join(columns)}) values %s", values)

    def bundle(self, number: int, paid: tuple[int, int] = (90, 90), key: str | None = None, **facts: Any) -> None:
        own = names(number)
        name = key or f"key {number}"
        self.insert("bundle_prices", {"bundle_key": name, "product_ids": own, **BUNDLE, **facts})
        full = {"list_price_cents": PRICE}
        self.insert(
            "bundle_price_items",
            *(
                {
                    "bundle_key": name,
                    "position": n,
                    "product_id": p,
                    **full,
                    "price_cents": c,
                    "discount_cents": PRICE - c,
                }
                for n, (p, c) in enumerate(zip(own, paid, strict=True), start=1)
            ),
        )

    def rule(self, kind: str, product: str | None = None, **facts: Any) -> None:
        whole = {"product_id": product, "category": None, "floor_cents": None, **facts}
        said = {"author": "mia", "reason": "why", "is_applied": True, "detail": "1 product"}
        self.insert("applied_rules", {"rule_id": f"{kind} {product}", "kind": kind, **whole, **said})

    def failed(self, shop: Settings) -> dict[str, int]:
        checks = audit(shop, AS_OF, self.run_id, "bundle_sale")
        assert len(checks) == 7
        return {check.name: check.failures for check in checks if not check.is_passed}


def test_a_sound_sale_passes(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "sound")
    run.bundle(0)
    run.bundle(1, (100, 100), **AT_LIST)
    run.rule("veto", "p9a")
    run.rule("pin", "p1b")
    run.rule("must_include", "p0a")
    run.rule("must_include", "p1a")
    run.rule("price_floor", "p0b", floor_cents=90)
    assert run.failed(shop) == {}


def test_each_planted_fault_is_found_by_its_own_check(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "faulty")
    expected: dict[str, int] = {}
    for number, (fault, (check, facts, paid)) in enumerate(FAULTS.items()):
        run.bundle(number, paid, **facts)
        expected[check] = expected.get(check, 0) + ROWS_OF_FAULT.get(fault, 1)
    assert run.failed(shop) == expected


def test_a_product_stands_in_one_bundle_and_has_the_price_of_the_day(
    shop: Settings, products: None, owner: Connection
) -> None:
    run = Run(owner, "twice")
    run.bundle(0)
    run.bundle(0, key="again at another price", paid=(89, 91))
    run.bundle(1)
    with owner.cursor() as cursor:
        cursor.execute(
            "update ml.bundle_price_items set list_price_cents = 101, discount_cents = 11"
            " where run_id = %s and product_id = 'p1a'",
            (run.run_id,),
        )
        cursor.execute("update ml.bundle_prices set list_price_cents = 201, discount_cents = 21 where run_id = %s"
                       " and bundle_key = 'key 1'", (run.run_id,))  # fmt: skip
    assert run.failed(shop) == {
        "audit_sale_bundles_are_disjoint_and_of_one_price": 2,
        "audit_sale_item_is_paid_with_a_cent_to_its_list_price": 1,
    }


@pytest.mark.parametrize(
    ("kind", "facts", "rows"),
    [
        ("veto", {"product": "p0a"}, 1),
        ("exclude_category", {"category": "TEA"}, 2),
        ("price_floor", {"product": "p0a", "floor_cents": 95}, 1),
        ("pin", {"product": "p9a"}, 1),
        ("must_include", {"product": "p9a"}, 1),
    ],
)
def test_a_broken_rule_is_found(
    shop: Settings, products: None, owner: Connection, kind: str, facts: dict[str, Any], rows: int
) -> None:
    run = Run(owner, f"breaks {kind}")
    run.bundle(0)
    run.rule(kind, **facts)
    assert run.failed(shop) == {"audit_sale_obeys_the_rules": rows}
