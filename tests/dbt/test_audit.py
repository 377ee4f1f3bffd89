"""The audit tests pass a sound run, and each finds the one fault that is planted for it."""

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
FAULTS: dict[str, tuple[dict[str, Any], tuple[tuple[str, int, int], ...]]] = {
    "audit_product_stands_once_in_a_bundle": (
        {"list_price_cents": 200, "bundle_price_cents": 190},
        (("milk", 100, 95), ("milk", 100, 95)),
    ),
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
    assert len(checks) == 30


def test_each_planted_fault_is_found_by_its_own_check(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "faulty", couples_stock=False)
    for check, (facts, items) in FAULTS.items():
        run.bundle(f"of {check}", {**SOUND, "customer_id": check, **facts}, items)
    run.bundle("first offer", {**SOUND, "customer_id": "quick"}, SCARCE)
    run.bundle("one too many", {**SOUND, "customer_id": "late"}, SCARCE)
    run.stock("scarce", available=9, capacity=1, promised=2)
    run.stock("bread", available=9, capacity=99, promised=14)
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
    run.bundle("yesterday's price", {**SOUND, "customer_id": "late riser"}, (("milk", 101, 95), ("bread", 199, 195)))
    run.bundle("silent", {**ABSTAINED, "customer_id": "mute", "fallback_reason": ""}, ())
    candidate = {
        "product_id": "milk",
        "preference": 0.3,
        "sources": [],
        "candidate_rank": 1,
        "basket_spread": 1.0,
    }
    run.insert("candidates", [{"customer_id": "forgotten", **candidate}])
    with owner.cursor() as cursor:
        cursor.execute("insert into ml.bundle_items select run_id, 'nobody', 1, 'milk', .3, 1, 1, '{}' from ops.runs"
                       " where run_id = %s", (run.run_id,))  # fmt: skip
        cursor.execute(
            "insert into ml.associations values (%s, 'a', 'a', 1, 1, 1, 1, 1, 1, 'undecided')", (run.run_id,)
        )
    found = {check.name: check.failures for check in audit(shop, AS_OF, run.run_id) if not check.is_passed}
    assert found == {
        **dict.fromkeys(FAULTS, 1),
        # One without a price, one dearer than its list price, two of another day's list price, and that of no bundle.
        "audit_item_price_is_positive_and_not_above_list": 5,
        "audit_gap_follows_from_the_bound": 2,
        "audit_item_is_bundleable": 2,
        "audit_item_is_not_on_the_list_of_exclusions": 1,
        "audit_abstention_stands_alone_and_says_why": 2,
        # Ann and bob, who have candidates in other runs only, and whoever is forgotten.
        "audit_every_customer_is_answered": 3,
        "audit_given_bundle_is_ranked_or_says_why": 1,
        "audit_item_has_its_bundle": 1,
        "audit_association_is_finite_and_ordered": 1,
        "audit_no_product_is_over_promised": 1,
        "audit_shadow_price_is_not_negative": 2,
        "audit_catalogue_bundle_covers_what_it_says": 3,
    }


def failed(shop: Settings, run: Run) -> dict[str, int]:
    run.answer_the_rest()
    return {check.name: check.failures for check in audit(shop, AS_OF, run.run_id) if not check.is_passed}


def test_stock_is_counted_anew_whatever_the_run_says_of_it(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "generous", reserve_units=8)
    run.bundle("b1", SOUND, SCARCE)
    run.bundle("b2", {**SOUND, "customer_id": "bob"}, SCARCE)
    for product, units in (("scarce", 2), ("bread", 2), ("milk", 0)):
        run.stock(product, available=9, capacity=9, promised=units)
    assert failed(shop, run) == {
        "audit_stock_is_enough_for_what_is_promised": 2,
        "audit_every_counted_product_has_its_shadow_price": 3,
    }


def test_a_run_that_shares_out_stock_tells_the_truth_of_every_counted_product(
    shop: Settings, products: None, owner: Connection
) -> None:
    run = Run(owner, "silent of milk")
    run.bundle("b1", SOUND, ITEMS)
    run.stock("scarce", available=8, capacity=8, promised=0)
    run.stock("bread", available=9, capacity=9, promised=0)
    assert failed(shop, run) == {"audit_every_counted_product_has_its_shadow_price": 3}


def pairs(run: Run) -> None:
    """Let bread and milk be bought apart; bread and scarce may be, for all that is known."""
    evidence = {
        "pair_baskets": 5,
        "expected_baskets": 9.0,
        "lift": 0.6,
        "lift_low": 0.4,
        "association": 0.7,
        "relation": "undecided",
    }
    known = (("bread", "milk", 0.9), ("bread", "scarce", 1.1))
    run.insert("associations", [{"product_a": a, "product_b": b, **evidence, "lift_high": up} for a, b, up in known])


def test_substitutes_do_not_meet_where_complements_were_asked_for(
    shop: Settings, products: None, owner: Connection
) -> None:
    run = Run(owner, "substitutes", couples_stock=False)
    run.bundle("b1", SOUND, ITEMS)
    run.bundle("b2", {**SOUND, "customer_id": "bob"}, SCARCE)
    pairs(run)
    assert failed(shop, run) == {"audit_no_bundle_holds_substitutes": 1}


def test_a_pair_of_which_nothing_was_expected_is_no_substitute(
    shop: Settings, products: None, owner: Connection
) -> None:
    run = Run(owner, "strangers", couples_stock=False)
    run.bundle("b1", SOUND, ITEMS)
    nothing = dict.fromkeys(("pair_baskets", "expected_baskets", "lift", "lift_low", "lift_high"), 0)
    pair = {"product_a": "bread", "product_b": "milk", **nothing, "association": 1.0, "relation": "undecided"}
    run.insert("associations", [pair])
    assert failed(shop, run) == {}


def test_substitutes_do_not_meet_however_wide_their_interval(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "told apart", couples_stock=False)
    run.bundle("b1", SOUND, ITEMS)
    told = {
        "pair_baskets": 1,
        "expected_baskets": 5.0,
        "lift": 0.2,
        "lift_low": 0.1,
        "lift_high": 1.1,
        "association": 0.0,
    }
    run.insert("associations", [{"product_a": "bread", "product_b": "milk", **told, "relation": "substitute"}])
    assert failed(shop, run) == {"audit_no_bundle_holds_substitutes": 1}


def test_a_run_is_not_held_to_what_its_form_did_not_ask(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "unbound", couples_stock=False, reserve_units=9, complements_only=False)
    run.bundle("b1", SOUND, ITEMS)
    run.bundle("b2", {**SOUND, "customer_id": "bob"}, SCARCE)
    pairs(run)
    assert failed(shop, run) == {}


def test_expected_demand_may_promise_more_offers_than_there_are_units(
    shop: Settings, products: None, owner: Connection
) -> None:
    run = Run(owner, "by demand", promise_quantile=0.95)
    run.bundle("b1", SOUND, SCARCE)
    for product, units in (("scarce", 1), ("bread", 1), ("milk", 0)):
        run.stock(product, available=9, capacity=40, promised=units)
    assert failed(shop, run) == {}


def test_a_shop_that_counts_no_stock_may_promise_what_it_likes(
    shop: Settings, products: None, owner: Connection
) -> None:
    run = Run(owner, "uncounted")
    run.bundle("b1", SOUND, ITEMS)
    with owner.cursor() as cursor:
        cursor.execute("create temp table counted as select product_id, available_units from features.ftr_products")
        cursor.execute("update features.ftr_products set available_units = null")
        try:
            assert failed(shop, run) == {}
        finally:
            cursor.execute("update features.ftr_products p set available_units = c.available_units"
                           " from counted as c where c.product_id = p.product_id")  # fmt: skip


def test_an_empty_run_is_not_a_sound_one(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "empty", couples_stock=False)
    found = {check.name: check.failures for check in audit(shop, AS_OF, run.run_id) if not check.is_passed}
    assert found == {"audit_run_has_bundles": 1, "audit_every_customer_is_answered": 3}


def test_who_asked_to_be_left_out_is_owed_no_answer(shop: Settings, products: None, owner: Connection) -> None:
    run = Run(owner, "left out", couples_stock=False)
    for customer in ("ann", "eve"):
        run.bundle(f"of {customer}", {**SOUND, "customer_id": customer}, ITEMS)
    with owner.cursor() as cursor:
        cursor.execute("insert into ops.erasures (customer_id, asked_by) values ('bob', 'test')")
        try:
            assert {check.name for check in audit(shop, AS_OF, run.run_id) if not check.is_passed} == set()
        finally:
            cursor.execute("delete from ops.erasures")


@pytest.fixture(scope="module")
def live(owner: Connection, products: None) -> None:
    """Four live bundles: of ann, bob, eve and joe."""
    run = Run(owner, "live")
    for customer in ("ann", "bob", "eve", "joe"):
        run.bundle(f"live-{customer}", {**SOUND, "customer_id": customer}, ITEMS)
    run.publish()


@pytest.mark.parametrize(
    ("share", "forced", "found"),
    [(0.75, 0, {}), (0.74, 2, {"audit_change_budget_is_kept": 1}), (0.0, 3, {})],
)
def test_no_more_live_bundles_go_than_the_run_may_replace(
    shop: Settings, live: None, owner: Connection, share: float, forced: int, found: dict[str, int]
) -> None:
    """Ann keeps hers under another name; bob's is another, eve's is joined by one more product, joe has none."""
    run = Run(owner, f"changed {share} {forced}", couples_stock=False, max_change_share=share)
    run.bundle("new-ann", SOUND, ITEMS[::-1])
    run.bundle("new-bob", {**SOUND, "customer_id": "bob", "is_kept": True}, SCARCE)
    more = {"customer_id": "eve", "bundle_size": 3, "list_price_cents": 400, "bundle_price_cents": 385}
    run.bundle("new-eve", {**SOUND, **more, "discovery_products": 3}, (*ITEMS, ("scarce", 100, 95)))
    run.bundle("new-joe", {**ABSTAINED, "customer_id": "joe"}, ())
    run.counts(forced_replacements=forced)
    assert failed(shop, run) == found


def test_live_bundles_that_find_no_unit_left_do_not_use_up_the_change_budget(
    shop: Settings, live: None, owner: Connection
) -> None:
    run = Run(owner, "sold out", max_change_share=0.0, reserve_units=8)
    run.bundle("new-ann", SOUND, ITEMS)
    for customer in ("bob", "eve", "joe"):
        run.bundle(f"new-{customer}", {**ABSTAINED, "customer_id": customer}, ())
    run.stock("milk", available=9, capacity=1, promised=1)
    run.stock("bread", available=9, capacity=1, promised=1)
    run.stock("scarce", available=9, capacity=1, promised=0)
    assert failed(shop, run) == {}
