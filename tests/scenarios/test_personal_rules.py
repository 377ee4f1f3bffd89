"""A merchandiser's rules beside a form: what is obeyed, what is noted, what contradicts, and what each rule costs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ml.errors import DataError
from ml.optimizer.limits import Limits
from ml.params import RunParams
from ml.scenarios.personal_rules import broken_rules, closed_by, obeyed_beside, under
from ml.scenarios.rule_prices import RulePrices
from ml.scenarios.rules import Rule, Rules
from ml.scenarios.slates import Desk, solved
from tests.scenarios.shop import customers, desk

PRICES = {"bread": 300, "butter": 200, "jam": 400}


def made(*written: dict[str, Any]) -> Rules:
    """Return rules about single products; what they forbid or want is known."""
    nothing = {"author": "mia", "reason": "why", "product_id": None, "category": None, "floor_cents": None}
    return Rules(
        tuple(
            Rule(**{**nothing, "rule_id": f"r{n}", "product_ids": (one.get("product_id") or "",), **one})
            for n, one in enumerate(written)
        )
    )


def test_a_pin_or_must_include_that_nobody_can_be_offered_is_noted() -> None:
    rules = made(
        {"kind": "pin", "product_id": "tea"},
        {"kind": "must_include", "product_id": "butter"},
        {"kind": "pin", "product_id": "jam"},
        {"kind": "price_floor", "product_id": "jam", "floor_cents": 401},
    )
    found = obeyed_beside(RunParams(context_basket=("butter",)), rules, PRICES)
    assert [rule.fault for rule in found.rules] == [
        "not offered by the shop: tea has no price, is not bundleable or sold too rarely",
        "in the basket already: butter",
        "another rule allows jam from 401 cents on only, not at 400",
        None,
    ]
    assert found.rules[3].detail == "1 product(s): jam; not offered, as its price is 400 cents"


def test_pins_beyond_the_places_of_a_bundle_are_noted_in_order_and_the_forms_own_count() -> None:
    rules = made(*({"kind": "pin", "product_id": product} for product in ("butter", "bread", "jam")))
    free = obeyed_beside(RunParams(bundle_size=2), rules, PRICES)
    assert [rule.fault is None for rule in free.rules] == [True, True, False]
    with_form = obeyed_beside(RunParams(bundle_size=2, pinned=("bread",)), rules, PRICES)
    assert [rule.fault is None for rule in with_form.rules] == [True, True, False], "bread has its place already"
    assert "holds at most 2 products" in (with_form.rules[2].fault or "")


def test_what_forbids_is_obeyed_wherever_the_product_is() -> None:
    rules = made({"kind": "veto", "product_id": "tea"}, {"kind": "veto", "product_id": "jam"})
    found = obeyed_beside(RunParams(), rules, PRICES)
    assert found.obeyed == found.rules and found.rules[0].detail.endswith("not offered by the shop anyway")
    assert closed_by(found, PRICES) == ("jam",)
    low = made({"kind": "price_floor", "product_id": "jam", "floor_cents": 400})
    assert closed_by(low, PRICES) == () and closed_by(low, {"jam": 399}) == ("jam",)


@pytest.mark.parametrize(
    ("asked", "rule", "said"),
    [
        ({"pinned": ("jam",)}, {"kind": "veto", "product_id": "jam"}, "the form pins jam, which rule r0 of mia"),
        ({"exclude": ("jam",)}, {"kind": "pin", "product_id": "jam"}, "the form excludes jam, which rule r0 of mia"),
        ({"must_include": ("jam",)}, {"kind": "veto", "product_id": "jam"}, "nothing is left of must_include, jam"),
        ({"exclude": ("jam",)}, {"kind": "must_include", "product_id": "jam"}, "the form excludes all of jam"),
        ({"must_include": ("jam", "bread")}, {"kind": "veto", "product_id": "jam"}, None),
        ({"exclude": ("bread",)}, {"kind": "must_include", "product_id": "jam"}, None),
    ],
)
def test_a_form_and_a_rule_that_cannot_both_be_kept_are_refused(
    asked: dict[str, Any], rule: dict[str, Any], said: str | None
) -> None:
    if said is None:
        assert obeyed_beside(RunParams(**asked), made(rule), PRICES).obeyed
        return
    with pytest.raises(DataError, match=said):
        obeyed_beside(RunParams(**asked), made(rule), PRICES)


def test_each_rule_that_a_bundle_breaks_is_named() -> None:
    rules = made(
        {"kind": "pin", "product_id": "bread"},
        {"kind": "price_floor", "product_id": "jam", "floor_cents": 500},
        {"kind": "must_include", "product_id": "butter"},
    )
    assert list(broken_rules(rules, ["jam", "tea"], PRICES)) == [
        "rule r0 of mia (why) wants bread in every bundle",
        "rule r1 of mia (why) forbids jam below 500 cents",
        "one of butter must be in every bundle: rule r2 of mia (why)",
    ]
    assert list(broken_rules(rules, ["bread", "butter"], PRICES)) == []


KINDS = (
    {"kind": "veto", "product_id": "p01"},
    {"kind": "exclude_category", "category": "two", "product_ids": ("p02", "p03")},
    {"kind": "price_floor", "product_id": "p04", "floor_cents": 10**6},
    {"kind": "must_include", "product_id": "p05"},
    {"kind": "must_include", "product_id": "p06"},
    {"kind": "pin", "product_id": "p07"},
)


def priced(rng: np.random.Generator, rules: Rules, **more: Any) -> tuple[Desk, Desk, RunParams]:
    """Return a desk without rules, the same under them, and the form."""
    params = RunParams(cost_per_product=0.0, min_joint_probability=0.0, max_per_category=3)
    free = desk(rng, Limits(), bundles=2, **more)
    free = under(replace(free, limits=Limits()), params, Rules())
    return free, under(free, params, rules), params


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_a_rule_costs_what_everybodys_bundles_without_it_are_worth_more(number: int) -> None:
    rng = np.random.default_rng(41)
    rules = made(*KINDS[: number + 1])
    free, ruled, params = priced(rng, rules)
    slates = [solved(slate, ruled) for slate in customers(rng, free, 15, candidates=12 if number == 5 else 9)]
    prices = RulePrices(ruled, params)
    prices.take(slates[:7])
    prices.take(slates[7:])
    rows = prices.rows()
    assert {row["rule_id"] for row in rows} == {rule.rule_id for rule in rules.obeyed}

    def revenue(shop: Desk) -> float:
        cents = shop.shelf.price_cents
        again = [solved(slate, shop) for slate in slates]
        return sum(
            one.joint_probability * cents[slate.product[list(one.items)]].sum() for slate in again
            for one in slate.solutions if one.items
        )  # fmt: skip

    for row in rows:
        assert row["measure"] == "expected_revenue_cents"
        assert row["value_with"] == pytest.approx(revenue(ruled))
        assert row["value_without"] == pytest.approx(revenue(under(ruled, params, rules.without(row["rule_id"]))))
        assert row["cost"] == pytest.approx(row["value_without"] - row["value_with"])
    assert any(abs(row["cost"]) > 1e-9 for row in rows)


def test_only_customers_whom_a_rule_touches_are_solved_again() -> None:
    rng = np.random.default_rng(42)
    rules = made({"kind": "veto", "product_id": "p01"}, {"kind": "veto", "product_id": "p00"})
    free, ruled, params = priced(rng, rules)
    slates = [solved(slate, ruled) for slate in customers(rng, free, 20, candidates=5)]
    prices = RulePrices(ruled, params)
    prices.take(slates)
    touched = {code: sum(code in slate.product for slate in slates) for code in (0, 1)}
    assert prices.touched == {"r0": touched[1], "r1": touched[0]} and 0 < touched[1] < 20
    assert prices.rows()[0]["detail"].startswith(f"bundles of {touched[1]} customers")


def test_margin_is_the_measure_where_every_cost_is_known() -> None:
    rng = np.random.default_rng(43)
    rules = made({"kind": "veto", "product_id": "p01"})
    _, ruled, params = priced(rng, rules, margin_cents=list(range(10, 22)))
    slates = [solved(slate, ruled) for slate in customers(rng, ruled, 5)]
    prices = RulePrices(ruled, params)
    prices.take(slates)
    (row,) = prices.rows()
    margin = np.arange(10, 22)
    expected = sum(
        one.joint_probability * margin[slate.product[list(one.items)]].sum()
        for slate in slates for one in slate.solutions if one.items
    )  # fmt: skip
    assert (row["measure"], row["value_with"]) == ("expected_margin_cents", pytest.approx(expected))
