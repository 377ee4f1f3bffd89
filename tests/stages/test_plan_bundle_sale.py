"""The sale of the tiny shop: prices that pay, rules obeyed, and a reason where there is no sale."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import ml.stages.evaluate_scenario
import ml.stages.optimise_bundles
import ml.stages.plan_bundle_sale
import ml.stages.propose_candidates
from ml.params import Context, Counts
from ml.settings import Settings
from ml.tables import (
    APPLIED_RULES,
    BUNDLE_PRICE_ITEMS,
    BUNDLE_PRICES,
    CANDIDATES,
    ELASTICITIES,
    PRODUCTS,
    RULE_COSTS,
    SCENARIO_METRICS,
    UNAVAILABLE,
)
from ml.warehouse import Warehouse
from tests.stages.features import rule, set_stock
from tests.stages.runs import CONTEXT, read

pytestmark = pytest.mark.slow


def sale(name: str, **params: Any) -> Context:
    """Return the context of a run of its own."""
    form = {"scenario": "bundle_sale", "assumed_cost_share": 0.4, "sale_bundles": 5, **params}
    return Context(CONTEXT.as_of, name, replace(CONTEXT.params, **form))


@pytest.fixture(scope="module")
def personal(shop: Settings, trained: dict[str, Counts]) -> Settings:
    ml.stages.propose_candidates.run(shop, CONTEXT)
    counts = ml.stages.optimise_bundles.run(shop, CONTEXT)
    assert read(shop, CANDIDATES, counts).height
    return shop


@pytest.fixture(autouse=True)
def usable(personal: Settings, shop_owner: Any) -> Iterator[None]:
    with shop_owner.cursor() as cursor:
        cursor.execute("update ops.runs set status = 'audited' where scope = 'personal'")
    yield
    rule(personal)
    set_stock(personal, None)


def planned(shop: Settings, context: Context) -> tuple[Counts, pl.DataFrame, pl.DataFrame]:
    counts = ml.stages.plan_bundle_sale.run(shop, context)
    return counts, read(shop, BUNDLE_PRICES, counts), read(shop, BUNDLE_PRICE_ITEMS, counts)


def test_a_sale_has_disjoint_bundles_whose_items_add_up(personal: Settings) -> None:
    counts, prices, items = planned(personal, sale("first"))
    assert 0 < prices.height <= 5 and counts["bundle_prices"] == prices.height
    assert not items["product_id"].is_duplicated().any()
    summed = items.group_by("bundle_key").agg(pl.col("price_cents", "list_price_cents").sum())
    both = prices.join(summed, on="bundle_key", suffix="_summed")
    assert both.height == prices.height
    assert (both["bundle_price_cents"] == both["price_cents"]).all()
    assert (both["list_price_cents"] == both["list_price_cents_summed"]).all()
    assert read(personal, ELASTICITIES, counts).height > 20
    assert read(personal, UNAVAILABLE, counts).is_empty()
    products = Warehouse(personal, "ml").read(PRODUCTS, {"as_of": CONTEXT.as_of})
    assumed = set(products.filter(pl.col("cost_cents").is_null())["product_id"])
    assert 0 < len(assumed) < products.height
    holding = set(items.filter(pl.col("product_id").is_in(list(assumed)))["bundle_key"])
    noted = set(prices.drop_nulls("margin_note")["bundle_key"])
    assert noted == holding, "a margin that rests on an assumed cost says so, and no other does"


def test_two_runs_give_the_same_rows(personal: Settings) -> None:
    found = [planned(personal, sale(name)) for name in ("one", "two")]
    assert found[0][1].drop("run_id").equals(found[1][1].drop("run_id"))
    assert found[0][2].drop("run_id").equals(found[1][2].drop("run_id"))


def test_rules_are_obeyed_and_cost_what_solving_without_them_gains(personal: Settings) -> None:
    _, free, items = planned(personal, sale("free"))
    vetoed = items["product_id"][0]
    rule(
        personal,
        {"rule_id": "veto", "rule_kind": "veto", "product_id": vetoed},
        {"rule_id": "pin", "rule_kind": "pin", "product_id": "p23"},
        {"rule_id": "unknown", "rule_kind": "pin", "product_id": "nothing"},
    )
    counts, ruled, items = planned(personal, sale("ruled"))
    assert vetoed not in items["product_id"].to_list()
    assert "p23" in items["product_id"].to_list()
    costs = read(personal, RULE_COSTS, counts)
    assert set(costs["rule_id"]) == {"veto", "pin"}
    assert costs["value_with"].to_list() == pytest.approx([float(counts["expected_margin_cents"])] * 2, abs=0.01)
    applied = dict(read(personal, APPLIED_RULES, counts).select("rule_id", "is_applied").iter_rows())
    assert applied == {"veto": True, "pin": True, "unknown": False}
    assert ruled["objective"][0] <= free["objective"][0] + 1e-6


def test_without_costs_there_are_elasticities_and_one_row_that_says_why_no_price(
    personal: Settings, shop_owner: Any
) -> None:
    with shop_owner.cursor() as cursor:
        cursor.execute("create table kept as select product_id, cost_cents from features.ftr_products")
        cursor.execute("update features.ftr_products set cost_cents = null")
    try:
        counts, prices, items = planned(personal, sale("no costs", assumed_cost_share=None))
    finally:
        with shop_owner.cursor() as cursor:
            cursor.execute(
                "update features.ftr_products as f set cost_cents = kept.cost_cents from kept"
                " where kept.product_id = f.product_id"
            )
            cursor.execute("drop table kept")
    assert prices.is_empty() and items.is_empty()
    assert read(personal, ELASTICITIES, counts).height
    lacking = read(personal, UNAVAILABLE, counts)
    assert lacking["result"].to_list() == ["bundle_prices"]
    assert lacking["reason"][0].startswith("not available: needs products.cost_cents")


def test_without_any_change_of_price_nothing_is_made_up(personal: Settings, shop_owner: Any) -> None:
    with shop_owner.cursor() as cursor:
        cursor.execute("create table kept as select * from features.ftr_product_days")
        cursor.execute("update features.ftr_product_days set revenue_cents = units * price_cents")
    try:
        counts, prices, _ = planned(personal, sale("flat"))
    finally:
        with shop_owner.cursor() as cursor:
            cursor.execute("delete from features.ftr_product_days")
            cursor.execute("insert into features.ftr_product_days select * from kept")
            cursor.execute("drop table kept")
    assert prices.is_empty()
    assert read(personal, UNAVAILABLE, counts)["result"].to_list() == ["bundle_prices", "elasticities"]


def test_no_more_is_expected_than_there_is(personal: Settings) -> None:
    set_stock(personal, 3)
    _, prices, _ = planned(personal, sale("scarce", reserve_units=1))
    assert (prices["units_at_price"] <= 2 + 1e-9).all()


def test_the_models_behind_the_prices_are_judged(personal: Settings) -> None:
    context = sale("judged")
    ml.stages.plan_bundle_sale.run(personal, context)
    counts = ml.stages.evaluate_scenario.run(personal, context)
    metrics = read(personal, SCENARIO_METRICS, counts)
    assert {"own_elasticity_negative", "elasticity"} <= set(metrics["kpi"])
    assert metrics["judged_on"].str.contains("2017-12-03").all()
