"""The stage on a tiny shop: forecasts and orders of every product, and one row each for what it lacks."""

from collections.abc import Iterator

import polars as pl
import pytest

import ml.stages.optimise_bundles
import ml.stages.plan_replenishment
import ml.stages.propose_candidates
from ml.params import Context, Counts, RunParams
from ml.publishing.audit import Check
from ml.publishing.lease import open_run
from ml.publishing.publish import record
from ml.scenarios.ground import Ground
from ml.scenarios.judged import metric_rows
from ml.scenarios.replenishment.evaluation import evaluate
from ml.settings import Settings
from ml.tables import DEMAND_FORECASTS, REPLENISHMENT, SCENARIO_METRICS, UNAVAILABLE, Table
from ml.warehouse import Warehouse
from tests.stages.features import AS_OF, set_stock
from tests.stages.runs import CONTEXT

pytestmark = pytest.mark.slow
FORM = RunParams(scenario="replenishment")


@pytest.fixture(scope="module")
def personal(shop: Settings, trained: dict[str, Counts]) -> None:
    """An audited run of personal bundles, which scenarios stand on."""
    ml.stages.propose_candidates.run(shop, CONTEXT)
    ml.stages.optimise_bundles.run(shop, CONTEXT)
    record(shop, open_run(shop, CONTEXT), [Check("stands for the audit", 0)])


@pytest.fixture
def stocked(shop: Settings, personal: None) -> Iterator[Settings]:
    set_stock(shop, 4)
    yield shop
    set_stock(shop, None)


def plan(shop: Settings, started_by: str, params: RunParams = FORM) -> Counts:
    return ml.stages.plan_replenishment.run(shop, Context(AS_OF, started_by, params))


def rows(shop: Settings, table: Table, counts: Counts) -> pl.DataFrame:
    return Warehouse(shop, "ml").read(table, {"run_id": counts["run_id"]}).drop("run_id")


def test_every_product_is_forecast_and_answered_once(stocked: Settings) -> None:
    counts = plan(stocked, "stocked")
    forecasts, lines = rows(stocked, DEMAND_FORECASTS, counts), rows(stocked, REPLENISHMENT, counts)
    asked = Warehouse(stocked, "ml").read_view("features.ftr_products", {"as_of": AS_OF}, ["product_id"])
    assert set(lines["product_id"]) == set(forecasts["product_id"]) == set(asked["product_id"])
    assert rows(stocked, UNAVAILABLE, counts).is_empty()
    days = dict(forecasts.group_by("product_id").len().iter_rows())
    assert (days["p00"], days["p01"], days["p02"]) == (3 + 7, 6 + 7, 7)
    known = lines.filter(pl.col("product_id").is_in(["p00", "p01"]))
    assert known["action"].to_list() == ["reorder"] * 2 and known["lead_days"].to_list() == [3, 6]
    assert lines.filter(pl.col("action") == "no_lead_time").height == 22
    assert lines["bundle_units_per_day"].sum() > 0


def test_a_usual_lead_time_lets_every_product_be_reordered(stocked: Settings) -> None:
    counts = plan(stocked, "assumed", RunParams(scenario="replenishment", default_lead_days=5))
    lines = rows(stocked, REPLENISHMENT, counts)
    assert set(lines["action"]) == {"reorder"} and counts["order_units"] == lines["order_units"].sum() > 0
    assert set(lines.filter(pl.col("lead_days") == 5)["lead_note"]) == {"assumed by the form: 5 days"}


def test_stock_for_months_is_sold_off_in_bundles(shop: Settings, personal: None) -> None:
    set_stock(shop, 5000)
    try:
        lines = rows(shop, REPLENISHMENT, plan(shop, "plenty"))
    finally:
        set_stock(shop, None)
    proposed = lines.filter(pl.col("action") == "bundle_instead")
    partners = {row["product_id"]: row["partner_ids"] for row in proposed.iter_rows(named=True)}
    assert partners["p00"][0] == "p01" and partners["p01"][0] == "p00"
    assert set(lines["action"]) <= {"bundle_instead", "enough"}


def test_two_runs_give_the_same_rows(stocked: Settings) -> None:
    first, second = plan(stocked, "once"), plan(stocked, "twice")
    for table in (DEMAND_FORECASTS, REPLENISHMENT):
        assert rows(stocked, table, first).equals(rows(stocked, table, second))


def test_without_stock_counts_demand_is_forecast_and_one_row_says_what_reorders_need(
    shop: Settings, personal: None
) -> None:
    counts = plan(shop, "uncounted")
    assert rows(shop, DEMAND_FORECASTS, counts).height > 0 and rows(shop, REPLENISHMENT, counts).is_empty()
    assert rows(shop, UNAVAILABLE, counts).rows() == [("replenishment", "not available: needs stock_levels")]


def test_without_products_that_sell_each_result_says_so(shop: Settings, personal: None) -> None:
    none = shop.model_copy(update={"min_product_baskets": 1000})
    counts = plan(none, "no demand")
    assert rows(none, DEMAND_FORECASTS, counts).is_empty() and rows(none, REPLENISHMENT, counts).is_empty()
    assert set(rows(none, UNAVAILABLE, counts)["result"]) == {"demand_forecasts", "replenishment"}


def test_forecasts_and_reorders_are_judged_on_weeks_they_have_not_seen(stocked: Settings) -> None:
    judged = evaluate(Ground(stocked, Context(AS_OF, "judged", FORM)))
    found = {(one.kpi, one.variant): one for one in judged}
    assert SCENARIO_METRICS.conform(metric_rows(judged).with_columns(run_id=1)).height == len(judged) == len(found)
    beside = {"mase": "seasonal_naive", "pinball_95": "seasonal_naive", "lead_time_lasted": "order_up_to_by_mean"}
    for kpi, peer in beside.items():
        one = found[kpi, "all"]
        assert one.peer == peer and one.low is not None and one.low <= one.value <= (one.high or 0)
    assert found["mase", "all"].judged_on == "28 days until 2017-12-03" and found["mase", "all"].cases == 24
    assert found["mase", "all"].value < (found["mase", "all"].peer_value or 0), (
        "counts at random: any mean beats last week"
    )


def test_a_shop_without_products_that_sell_is_not_judged(shop: Settings, personal: None) -> None:
    none = shop.model_copy(update={"min_product_baskets": 1000})
    assert evaluate(Ground(none, Context(AS_OF, "none", FORM))) == []
