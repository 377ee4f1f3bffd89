"""A day's launch: rules are obeyed, expectations add up, and a rule costs what planning again without it gains."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml.demand.launches import Conversion
from ml.scenarios.launch.budget import BudgetParams, Trial
from ml.scenarios.launch.interest import Interested
from ml.scenarios.launch.plan import LaunchFacts, LaunchParams, Plan, measure_of, plan_launches
from ml.scenarios.rules import Rules, rule_costs
from ml.tables import LAUNCH_AUDIENCE, LAUNCH_PARTNERS, LAUNCHES, MERCH_RULES

AS_OF = date(2024, 3, 31)
USED_ON = AS_OF + timedelta(days=1)
PARAMS = LaunchParams(2, BudgetParams(3, 2, 2, seed=1))
PRODUCTS = pl.DataFrame(
    [("n1", 100, 40, True), ("n2", 200, 90, True), ("a", 300, 100, False), ("b", 400, 150, False)],
    schema=["product_id", "price_cents", "margin_cents", "is_new"],
    orient="row",
).with_columns(
    title=pl.col("product_id").str.to_uppercase(),
    **{name: pl.format("kind {}", "product_id") for name in ("category", "department", "category_path")},
    launched_on=pl.lit(AS_OF),
    first_sold_on=pl.lit(None, pl.Date),
    available_units=pl.lit(None, pl.Int32),
)


def facts(
    conversion: Conversion | None, capacity: float | None = None, products: pl.DataFrame = PRODUCTS
) -> LaunchFacts:
    estimate = {"evidence": "category", "pair_baskets": 0, "association_low": 1.0, "association_high": 4.0}
    pairs = [("n1", "a", 2.0, 0.2), ("n1", "b", 1.5, 0.1), ("n2", "b", 3.0, 0.1)]
    pool = [{"product_id": n, "partner_id": p, "association": a, "basket_share": s, **estimate} for n, p, a, s in pairs]
    found = Interested(["n1", "n2"], ["ann", "bob"], np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0]),
                       np.array([3.0, 1.0, 2.0, 0.5]))  # fmt: skip
    preferences = pl.DataFrame({"customer_id": ["ann"], "product_id": ["a"], "preference": [0.31]})
    bought = {"customer_id": ["bob"], "category": ["kind n2"], "times": [4], "days_since_last": [9]}
    return LaunchFacts(
        products.filter("is_new"), products, pl.DataFrame(pool), found,
        {name: Trial(conversion, 2.0, capacity, is_pinned=False) for name in ("n1", "n2")},
        preferences, pl.DataFrame(bought),
    )  # fmt: skip


def rules(*written: dict[str, Any]) -> Rules:
    whole = [dict.fromkeys(MERCH_RULES.columns) | {"rule_author": "mia", "rule_reason": "why"} | row for row in written]
    return Rules.of(pl.DataFrame(whole, schema=dict(MERCH_RULES.columns)), PRODUCTS, USED_ON, "launch")


def rule(kind: str, product: str | None = None, **more: object) -> dict[str, Any]:
    return {"rule_id": f"{kind} {product or more}", "rule_kind": kind, "product_id": product, **more}


KNOWN = Conversion(10.0, 90.0, 4)


def of(plan: Plan, product: str) -> dict[str, Any]:
    return next(row for row in plan.launches if row["product_id"] == product)


def test_expectations_add_up_and_rows_fit_their_tables() -> None:
    plan = plan_launches(facts(KNOWN), rules(), PARAMS)
    for table, rows in ((LAUNCHES, plan.launches), (LAUNCH_PARTNERS, plan.partners), (LAUNCH_AUDIENCE, plan.audience)):
        table.conform(table.frame(rows).with_columns(run_id=1))
    assert sum(row["impressions"] for row in plan.launches) == len(plan.audience) == 3
    for row in plan.launches:
        own = [one["expected_probability"] for one in plan.audience if one["product_id"] == row["product_id"]]
        assert row["expected_units"] == pytest.approx(2.0 * sum(own))
        assert row["expected_revenue_cents"] == pytest.approx(row["expected_units"] * row["list_price_cents"])
    one, other = of(plan, "n1")["expected_units"], of(plan, "n2")["expected_units"]
    assert plan.value == pytest.approx(one * (40 + 0.4 * 100 + 0.15 * 150) + other * (90 + 0.3 * 150))
    assert measure_of(facts(KNOWN)) == "expected_margin_cents"


def test_reasons_name_what_the_customer_bought_and_will_buy() -> None:
    plan = plan_launches(facts(KNOWN), rules(), LaunchParams(2, BudgetParams(4, 2, 2)))
    reasons = {(row["product_id"], row["customer_id"]): row["reason"] for row in plan.audience}
    assert (
        reasons["n1", "ann"] == "Likely to buy its partner A next (P 0.31); interest 3.0 times the average customer's"
    )
    assert reasons["n2", "bob"] == (
        "Bought from kind n2 4 time(s), last 9 day(s) ago; interest 2.0 times the average customer's"
    )


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (rule("veto", "n1"), "not launched: rule veto n1 (why)"),
        (rule("exclude_category", category="kind n1"), "(why)"),
        (rule("price_floor", "n1", floor_cents=101), "1.00, is below 1.01"),
        (rule("must_include", "n2"), "none of the products that rules must include goes with it"),
    ],
)
def test_a_rule_keeps_a_new_product_back(written: dict[str, Any], words: str) -> None:
    plan = plan_launches(facts(KNOWN), rules(written), PARAMS)
    assert not of(plan, "n1")["is_launched"] and words in of(plan, "n1")["reason"]
    assert of(plan, "n1")["expected_units"] is None
    assert of(plan, "n2")["is_launched"]
    assert {row["product_id"] for row in plan.audience} == {"n2"}
    assert {row["product_id"] for row in plan.partners} == {"n2"}


def test_a_pin_gives_a_new_product_its_audience_first() -> None:
    plan = plan_launches(facts(KNOWN), rules(rule("pin", "n2")), LaunchParams(2, BudgetParams(2, 2, 2)))
    assert [row["product_id"] for row in plan.audience] == ["n2", "n2"]
    assert of(plan, "n2")["is_pinned"] and not of(plan, "n1")["is_pinned"]


def test_a_must_include_product_is_among_the_partners_of_all_that_are_launched() -> None:
    plan = plan_launches(facts(KNOWN), rules(rule("must_include", "b")), LaunchParams(1, PARAMS.budget))
    assert [(row["product_id"], row["partner_id"]) for row in plan.partners] == [("n1", "b"), ("n2", "b")]


def test_without_stock_nothing_is_launched_and_without_past_launches_nothing_is_claimed() -> None:
    plan = plan_launches(facts(KNOWN, capacity=0.0), rules(), PARAMS)
    assert {row["reason"] for row in plan.launches} == {"not launched: no unit in stock beside the reserve"}
    silent = plan_launches(facts(None), rules(), PARAMS)
    assert silent.value is None
    assert all(row["expected_units"] is None and row["conversion"] is None for row in silent.launches)
    assert all(row["expected_probability"] is None for row in silent.audience)


def test_a_rule_costs_what_planning_without_it_gains() -> None:
    written = rules(rule("veto", "n1"), rule("veto", "a"))
    rows = rule_costs(
        lambda own: plan_launches(facts(KNOWN), own, PARAMS).value or 0.0, written, "expected_margin_cents", ""
    )
    assert all(row["cost"] > 0 for row in rows if row["rule_id"] == "veto n1")
    assert next(row["cost"] for row in rows if row["rule_id"] == "veto a") == 0.0, "n1 is kept back anyway"


def test_where_a_cost_is_unknown_revenue_is_the_measure() -> None:
    unknown = PRODUCTS.with_columns(margin_cents=pl.when(pl.col("product_id") != "a").then("margin_cents"))
    assert measure_of(facts(KNOWN, products=unknown)) == "expected_revenue_cents"
