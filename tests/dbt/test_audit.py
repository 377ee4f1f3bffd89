"""The audit tests pass a sound run, and each finds the one fault that is planted for it."""

from typing import Any

import psycopg2.extensions
import pytest

from ml.settings import Settings
from tests.dbt.audits import audit
from tests.dbt.candidate import ABSTAINED, ITEMS, PROVEN, SCARCE, SOUND, Run, failed, live, products
from tests.dbt.conftest import AS_OF

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
__all__ = ["live", "products"]  # fixtures
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
