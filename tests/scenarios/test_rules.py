"""A merchandiser's rules come to products, fall away with their days, and cost what solving without them gains."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from ml.scenarios.rules import Rules, rule_costs
from ml.tables import APPLIED_RULES, MERCH_RULES, RULE_COSTS

AS_OF = date(2024, 3, 31)
USED_ON = AS_OF + timedelta(days=1)
PRODUCTS = pl.DataFrame(
    {
        "product_id": ["bread", "jam", "tea", "wine"],
        "category": ["BAKERY", "SPREADS", "HOT DRINKS", "WINE"],
        "department": ["FOOD", "FOOD", "DRINKS", "DRINKS"],
        "category_path": ["FOOD > BAKERY", "FOOD > SPREADS", "DRINKS > HOT DRINKS", "DRINKS > WINE"],
    }
)


def rules(*written: dict[str, Any], scenario: str = "launch") -> Rules:
    """Return rules in force on the usual day, each with an author and a reason."""
    whole = [dict.fromkeys(MERCH_RULES.columns) | {"rule_author": "mia", "rule_reason": "why"} | row for row in written]
    return Rules.of(pl.DataFrame(whole, schema=dict(MERCH_RULES.columns)), PRODUCTS, USED_ON, scenario)


def test_each_kind_comes_to_its_products() -> None:
    found = rules(
        {"rule_id": "a", "rule_kind": "pin", "product_id": "bread"},
        {"rule_id": "b", "rule_kind": "veto", "product_id": "tea"},
        {"rule_id": "c", "rule_kind": "must_include", "product_id": "jam"},
        {"rule_id": "d", "rule_kind": "exclude_category", "category": "WINE"},
        {"rule_id": "e", "rule_kind": "price_floor", "product_id": "jam", "floor_cents": 150},
        {"rule_id": "f", "rule_kind": "price_floor", "product_id": "jam", "floor_cents": 120},
    )
    assert (found.pinned, found.must_include, found.excluded) == (("bread",), ("jam",), ("tea", "wine"))
    assert found.floor_cents == {"jam": 150}, "the higher of two floors holds"
    APPLIED_RULES.conform(APPLIED_RULES.frame(found.rows()).with_columns(run_id=1))


def test_a_category_is_named_by_any_of_its_levels() -> None:
    for name, products in (("DRINKS", ("tea", "wine")), ("FOOD > SPREADS", ("jam",))):
        assert rules({"rule_id": "a", "rule_kind": "exclude_category", "category": name}).excluded == products


@pytest.mark.parametrize(
    ("starts_in", "ends_in", "is_in_force"),
    [(None, None, True), (1, 1, True), (2, None, False), (None, 0, False), (0, 5, True)],
)
def test_a_rule_holds_from_its_first_day_to_its_last(
    starts_in: int | None, ends_in: int | None, is_in_force: bool
) -> None:
    days = {
        name: None if n is None else AS_OF + timedelta(days=n)
        for name, n in (("starts_on", starts_in), ("ends_on", ends_in))
    }
    found = rules({"rule_id": "a", "rule_kind": "veto", "product_id": "tea", **days})
    assert found.excluded == (("tea",) if is_in_force else ())


@pytest.mark.parametrize(("starts_in", "ends_in", "binds"), [(10, None, True), (17, None, False), (None, 9, False)])
def test_a_rule_binds_what_is_used_later_by_the_days_of_its_use(
    starts_in: int | None, ends_in: int | None, binds: bool
) -> None:
    first, last = AS_OF + timedelta(days=10), AS_OF + timedelta(days=16)
    days = {
        name: None if n is None else AS_OF + timedelta(days=n)
        for name, n in (("starts_on", starts_in), ("ends_on", ends_in))
    }
    row = dict.fromkeys(MERCH_RULES.columns) | {"rule_author": "mia", "rule_reason": "why"}
    row |= {"rule_id": "a", "rule_kind": "veto", "product_id": "tea", **days}
    written = pl.DataFrame([row], schema=dict(MERCH_RULES.columns))
    assert bool(Rules.of(written, PRODUCTS, first, "cross_category", last).rules) == binds


def test_a_rule_for_another_scenario_is_not_in_force() -> None:
    row = {"rule_id": "a", "rule_kind": "veto", "product_id": "tea", "scenario": "bundle_sale"}
    assert not rules(row).rules
    assert rules(row, scenario="bundle_sale").excluded == ("tea",)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"rule_kind": "pin", "product_id": "cofe"}, "unknown product cofe"),
        ({"rule_kind": "pin"}, "names no product"),
        ({"rule_kind": "exclude_category", "category": "TOYS"}, "no product in category TOYS"),
        ({"rule_kind": "exclude_category"}, "names no category"),
        ({"rule_kind": "price_floor", "product_id": "jam"}, "names no price"),
        ({"rule_kind": "pin", "product_id": "wine"}, "another rule forbids wine"),
    ],
)
def test_a_rule_that_cannot_be_obeyed_says_why_and_binds_nothing(row: dict[str, Any], fault: str) -> None:
    found = rules({"rule_id": "a", **row}, {"rule_id": "z", "rule_kind": "exclude_category", "category": "WINE"})
    (first, _) = found.rows()
    assert (first["is_applied"], first["detail"]) == (False, fault)
    assert not found.pinned
    assert not found.floor_cents
    assert found.excluded == ("wine",)


def test_a_rule_costs_what_the_choice_without_it_is_worth_more() -> None:
    worth = {"bread": 300.0, "jam": 200.0, "tea": 500.0}

    def best(under: Rules) -> float:
        return max(value for product, value in worth.items() if product not in under.excluded)

    found = rules(
        {"rule_id": "a", "rule_kind": "veto", "product_id": "tea"},
        {"rule_id": "b", "rule_kind": "veto", "product_id": "jam"},
    )
    costs = rule_costs(best, found, "expected_margin_cents", "the best product")
    assert {row["rule_id"]: row["cost"] for row in costs} == {"a": 200.0, "b": 0.0}
    RULE_COSTS.conform(RULE_COSTS.frame(costs).with_columns(run_id=1))
