"""The audit tests of replenishment pass a sound plan, and each finds the fault that is planted for it."""

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import psycopg2.extensions
import pytest
from psycopg2.extras import execute_values

from ml.params import RunParams
from ml.settings import Settings
from ml.transform import build
from tests.dbt.audits import audit, let_anything_in
from tests.dbt.conftest import AS_OF, Plant

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
NAMES = ("jam", "milk", "rum", "tea")
FORECAST = {
    "forecast_on": AS_OF + timedelta(days=1),
    "base_units": 1.0,
    "bundle_units": 0.1,
    "q10_units": 0,
    "q50_units": 1,
    "q90_units": 3,
    "model": "trees",
}
ENOUGH = {
    "available_units": 9,
    "lead_days": 3,
    "lead_note": "given by the shop",
    "daily_units": 1.1,
    "bundle_units_per_day": 0.1,
    "lead_demand_units": 4.4,
    "reorder_point_units": 8,
    "order_up_to_units": 16,
    "order_units": 0,
    "cover_days": 8.2,
    "action": "enough",
    "partner_ids": [],
    "reason": "stock of 9 is above the reorder point of 8",
    "model": "trees",
    "demand_class": "smooth",
}
REORDER = {"action": "reorder", "reorder_point_units": 9, "order_up_to_units": 17, "order_units": 8}
SOLD_OFF = {"action": "bundle_instead", "cover_days": 90.0, "partner_ids": ["tea"]}
SOUND: dict[str, dict[str, Any]] = {
    "jam": SOLD_OFF,
    "milk": REORDER,
    "rum": {"action": "no_lead_time", **dict.fromkeys(("lead_days", "lead_demand_units"))}
    | dict.fromkeys(("reorder_point_units", "order_up_to_units")),
    "tea": {},
}


THIN = "fig"
"""In stock and never sold, so that it has a line without a forecast."""
NO_FORECAST = {"action": "too_few_sales", "model": "none", "demand_class": "thin"} | dict.fromkeys(
    ("lead_days", "lead_demand_units", "reorder_point_units", "order_up_to_units", "cover_days")
)


@pytest.fixture(scope="module")
def products(shop: Settings, plant: Plant, owner: Connection) -> None:
    let_anything_in(owner)
    plant(
        "products",
        [{"product_id": name, "price_cents": 100, "category_path": f"FOOD > {name}"} for name in (*NAMES, THIN)],
    )
    counted = {"on_hand_units": 9, "counted_at": f"{AS_OF} 06:00:00+00"}
    plant("stock_levels", [{"product_id": name, **counted} for name in (*NAMES, THIN)])
    plant("customers", [{"customer_id": "ann"}])
    days = [(f"o{n}", f"{AS_OF - timedelta(days=n)} 08:00:00+00") for n in range(3)]
    plant("orders", [{"order_id": name, "customer_id": "ann", "ordered_at": at} for name, at in days])
    sold = {"quantity": 1, "unit_price_cents": 100}
    lines = [(name, line, product) for name, _ in days for line, product in enumerate(NAMES, start=1)]
    plant("order_items", [{"order_id": o, "line_number": n, "product_id": p, **sold} for o, n, p in lines])
    build(shop, AS_OF)


class Run:
    """A plan to be audited, standing on a personal run in which jam and tea complete each other."""

    def __init__(self, owner: Connection, started_by: str) -> None:
        self.owner = owner
        personal = self._opened("personal", started_by)
        self.run_id = personal
        known = {"pair_baskets": 9, "expected_baskets": 3.0, "lift": 3.0, "lift_high": 5.0, "association": 3.0}
        pairs = (("jam", "tea", 1.5, "undecided"), ("jam", "rum", 0.9, "undecided"), ("jam", "milk", 2.0, "substitute"))
        self.insert(
            "associations",
            [
                {"product_a": a, "product_b": b, **known, "lift_low": low, "relation": relation}
                for a, b, low, relation in pairs
            ],
        )
        self.run_id = self._opened("replenishment", started_by)
        self._call("select ops.note_run(%s, %s)", (self.run_id, json.dumps({"counts": {"personal_run": personal}})))

    def insert(self, table: str, records: list[dict[str, Any]]) -> None:
        columns = ["run_id", *records[0]]
        values = [(self.run_id, *record.values()) for record in records]
        with self.owner.cursor() as cursor:
            execute_values(cursor, f"insert into ml.{table} ({', '.join(columns)}) values %s", values)

    def forecast(self, product: str, **facts: object) -> None:
        self.insert("demand_forecasts", [{"product_id": product, **FORECAST, **facts}])

    def line(self, product: str, **facts: object) -> None:
        self.insert("replenishment", [{"product_id": product, **ENOUGH, **facts}])

    def rule(self, kind: str, **about: object) -> None:
        said = {"author": "mia", "reason": "why", "is_applied": True, "detail": "1 product(s)"}
        self.insert("applied_rules", [{"rule_id": kind, "kind": kind, **about, **said}])

    def planned(self, **changed: dict[str, Any]) -> None:
        """Write the sound plan with some lines changed."""
        for name in NAMES:
            self.forecast(name)
            self.line(name, **SOUND[name])
        self.line(THIN, **NO_FORECAST)
        for name, facts in changed.items():
            with self.owner.cursor() as cursor:
                cursor.execute(
                    "delete from ml.replenishment where run_id = %s and product_id = %s", (self.run_id, name)
                )
            self.line(name, **{**SOUND[name], **facts})

    def _opened(self, scope: str, started_by: str) -> int:
        params = json.dumps(asdict(RunParams(scenario=scope)))
        query = "select run_id from ops.open_run(%s, %s, %s, 1, %s, 'abc')"
        return int(self._call(query, (scope, AS_OF, started_by, params))[0][0])

    def _call(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self.owner.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()


def failed(shop: Settings, run: Run) -> dict[str, int]:
    checks = audit(shop, AS_OF, run.run_id, "replenishment")
    assert len(checks) == 7
    return {check.name: check.failures for check in checks if not check.is_passed}


def test_a_sound_plan_passes_every_check(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "sound")
    run.planned()
    assert failed(shop, run) == {}


def test_each_planted_fault_is_found_by_its_own_check(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "faulty")
    run.planned(
        jam={"partner_ids": ["tea", "rum", "milk"]},
        milk={**REORDER, "order_units": 7},
        rum={"action": "bundle_instead", "cover_days": 60.0, "partner_ids": ["rum"]},
        tea={**REORDER, "reorder_point_units": 8},
    )
    run.forecast("gin", q10_units=2)
    run.forecast("ale", base_units=float("nan"))
    run.line("wine", available_units=0, reorder_point_units=None, order_up_to_units=None)
    assert failed(shop, run) == {
        "audit_forecasts_are_finite_and_ordered": 2,
        "audit_every_product_with_demand_is_answered": 3,
        "audit_reorder_is_due_and_fills_up": 3,
        "audit_only_slow_movers_are_sold_off": 1,
        "audit_sell_off_partners_are_complements_in_stock": 3,
    }


def test_a_product_of_few_sales_has_a_line_that_says_so(shop: Settings, products: None, owner: Connection) -> None:
    for name, action in (("mute", None), ("as if forecast", "enough")):
        run = Run(owner, name)
        run.planned()
        with owner.cursor() as cursor:
            cursor.execute("delete from ml.replenishment where run_id = %s and product_id = %s", (run.run_id, THIN))
        if action:
            run.line(THIN, **{**NO_FORECAST, "action": action})
        assert failed(shop, run) == {"audit_every_product_with_demand_is_answered": 1}


def test_an_order_that_is_due_is_not_forgotten(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "forgotten")
    run.planned(tea={"reorder_point_units": 9}, milk={})
    assert failed(shop, run) == {"audit_reorder_is_due_and_fills_up": 1}


def test_a_pinned_product_may_be_filled_up_before_it_is_due(shop: Settings, products: None, owner: Connection) -> None:
    early = {**REORDER, "reorder_point_units": 8}
    for name, found in (("unpinned", {"audit_reorder_is_due_and_fills_up": 1}), ("pinned", {})):
        run = Run(owner, name)
        run.planned(milk=early)
        if name == "pinned":
            run.rule("pin", product_id="milk")
        assert failed(shop, run) == found


@pytest.mark.parametrize(
    ("kind", "about", "is_broken"),
    [
        ("veto", {"product_id": "jam"}, True),
        ("veto", {"product_id": "tea"}, True),
        ("veto", {"product_id": "milk"}, False),
        ("exclude_category", {"category": "tea"}, True),
        ("must_include", {"product_id": "tea"}, False),
        ("must_include", {"product_id": "rum"}, True),
    ],
)
def test_what_a_rule_forbids_is_not_sold_off(
    shop: Settings, products: None, owner: Connection, kind: str, about: dict[str, str], is_broken: bool
) -> None:
    run = Run(owner, f"{kind} {about}")
    run.planned()
    run.rule(kind, **about)
    assert failed(shop, run) == ({"audit_no_forbidden_product_is_sold_off": 1} if is_broken else {})


def test_a_shop_without_stock_counts_says_so(shop: Settings, products: None, owner: Connection) -> None:
    silent, honest = Run(owner, "silent"), Run(owner, "honest")
    for run in (silent, honest):
        for name in NAMES:
            run.forecast(name)
    honest.insert("unavailable", [{"result": "replenishment", "reason": "not available: needs stock_levels"}])
    assert failed(shop, honest) == {}
    assert failed(shop, silent) == {
        "audit_run_answers_or_says_why": 1,
        "audit_every_product_with_demand_is_answered": 5,
    }
