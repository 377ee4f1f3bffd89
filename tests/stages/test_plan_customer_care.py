"""Cards and alerts of a tiny shop: everybody has a card, nothing sensitive is named, and two runs say the same."""

from collections.abc import Iterator

import polars as pl
import pytest

import ml.stages.optimise_bundles
import ml.stages.plan_customer_care
import ml.stages.propose_candidates
from ml.params import Context, Counts, RunParams
from ml.publishing.audit import Check
from ml.publishing.lease import open_run
from ml.publishing.publish import record
from ml.scenarios.evaluations import EVALUATIONS
from ml.scenarios.ground import Ground
from ml.scenarios.judged import metric_rows
from ml.settings import Settings
from ml.tables import (
    APPLIED_RULES,
    BUNDLE_ITEMS,
    CARE_ALERTS,
    CUSTOMER_CARDS,
    CUSTOMERS,
    DUE_REPURCHASES,
    RULE_COSTS,
    SCENARIO_METRICS,
    UNAVAILABLE,
)
from ml.warehouse import Warehouse
from tests.stages.features import AS_OF, COLD, rule, set_stock
from tests.stages.runs import read

PERSONAL = Context(AS_OF, "before care", RunParams())


def context(name: str, **asked: object) -> Context:
    return Context(AS_OF, name, RunParams(scenario="customer_care", **asked))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ready(shop: Settings, trained: dict[str, Counts]) -> Iterator[Settings]:
    """The shop with a personal run of the day that passed its audit."""
    ml.stages.propose_candidates.run(shop, PERSONAL)
    ml.stages.optimise_bundles.run(shop, PERSONAL)
    record(shop, open_run(shop, PERSONAL), [Check("stands for the audit", 0)])
    yield shop
    rule(shop)


def test_everybody_has_a_card_and_two_runs_say_the_same(ready: Settings) -> None:
    one, other = (ml.stages.plan_customer_care.run(ready, context(f"again {n}")) for n in range(2))
    for table in (CUSTOMER_CARDS, DUE_REPURCHASES, CARE_ALERTS):
        first, second = (read(ready, table, run).drop("run_id") for run in (one, other))
        assert first.equals(second)
    cards = read(ready, CUSTOMER_CARDS, one)
    customers = Warehouse(ready, "ml").read(CUSTOMERS, {"as_of": AS_OF})
    assert set(cards["customer_id"]) == set(customers["customer_id"])
    (cold,) = cards.filter(pl.col("customer_id") == COLD).iter_rows(named=True)
    assert "no purchases yet" in cold["note"] and cold["lapse_risk"] is None
    missing = read(ready, UNAVAILABLE, one)
    assert missing["result"].to_list() == ["care_alerts"], "the tiny shop does not count its stock"


def test_what_the_list_names_is_on_no_card(ready: Settings) -> None:
    set_stock(ready, 0)
    try:
        counts = ml.stages.plan_customer_care.run(ready, context("sensitive", alerts_per_day=3))
    finally:
        set_stock(ready, None)
    cards, due, alerts = (read(ready, table, counts) for table in (CUSTOMER_CARDS, DUE_REPURCHASES, CARE_ALERTS))
    assert counts["sensitive_products"] == 2
    assert alerts.filter(pl.col("kind") == "favourite_sold_out").height > 3
    assert alerts["is_within_cap"].sum() == 3 and counts["alerts_beyond_cap"] == alerts.height - 3
    private = ["p07", "p19", "CATEGORY 7"]
    assert not due["product_id"].is_in(private).any()
    assert not alerts["subject"].is_in(private).any()
    assert not cards["interests"].explode().is_in(private).any()
    said = " ".join(cards["talking_points"].explode().drop_nulls())
    assert "Product 7 " not in said and "Product 19 " not in said and "Product 8" in said
    items = Warehouse(ready, "ml").read(
        BUNDLE_ITEMS, {"bundle_id": cards["suggested_bundle_id"].drop_nulls().to_list()}
    )
    assert items.height and not items["product_id"].is_in(private).any()
    assert read(ready, UNAVAILABLE, counts).is_empty()


def test_a_veto_is_obeyed_and_its_cost_is_told(ready: Settings) -> None:
    plain = ml.stages.plan_customer_care.run(ready, context("plain"))
    shown = read(ready, CUSTOMER_CARDS, plain)["suggested_bundle_id"].drop_nulls().to_list()
    items = Warehouse(ready, "ml").read(BUNDLE_ITEMS, {"bundle_id": shown})
    vetoed = items.group_by("product_id").len().sort("len", "product_id", descending=[True, False])["product_id"][0]
    rule(ready, {"rule_id": "v", "rule_kind": "veto", "product_id": vetoed})
    counts = ml.stages.plan_customer_care.run(ready, context("vetoed"))
    shown = read(ready, CUSTOMER_CARDS, counts)["suggested_bundle_id"].drop_nulls().to_list()
    items = Warehouse(ready, "ml").read(BUNDLE_ITEMS, {"bundle_id": shown})
    assert vetoed not in items["product_id"]
    assert vetoed not in read(ready, DUE_REPURCHASES, counts)["product_id"]
    assert read(ready, APPLIED_RULES, counts)["is_applied"].to_list() == [True]
    (cost,) = read(ready, RULE_COSTS, counts)["cost"]
    assert cost > 0


def test_the_tiny_shop_is_judged_where_it_can_be(ready: Settings) -> None:
    found = EVALUATIONS["customer_care"](Ground(ready, context("judged")))
    SCENARIO_METRICS.conform(metric_rows(found).with_columns(run_id=1))
    assert all(one.peer for one in found)
