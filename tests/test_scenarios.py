"""The scenarios of a published day, planned through the scheduler on the simulated shop, and read by an analyst."""

import pytest

from tests.stack import AS_OF, PLANNED, Stack

pytestmark = [pytest.mark.slow, pytest.mark.stack]

MARTS = {
    "cross_category": ("fct_promotions", "fct_promotion_invitations"),
    "bundle_sale": ("fct_bundle_prices", "fct_bundle_price_items", "fct_elasticities"),
    "replenishment": ("fct_replenishment", "fct_demand_forecasts"),
    "launch": ("fct_launches", "fct_launch_partners", "fct_launch_audience"),
    "customer_care": ("fct_customer_cards", "fct_care_alerts"),
}
CHOSEN = {
    "personal": "select product_id from marts.fct_bundle_items",
    "cross_category": "select product_id from marts.fct_promotions",
    "bundle_sale": "select product_id from marts.fct_bundle_price_items",
    "replenishment": "select product_id from marts.fct_replenishment where action = 'reorder'",
    "launch": "select product_id from marts.fct_launches",
    "customer_care": "select unnest(due_product_ids) from marts.fct_customer_cards",
}
"""The products that each scenario is about."""


def test_a_published_day_plans_all_but_the_personal_bundles(stack: Stack) -> None:
    (run,) = [run for run in stack.api.runs("plan_scenarios") if run["partition_key"] == AS_OF]
    states = stack.tasks("plan_scenarios", run["dag_run_id"])
    skipped = {task for task, state in states.items() if state == "skipped"}
    assert skipped == {task for task in states if task.startswith("personal.")}
    assert {state for task, state in states.items() if task not in skipped} == {"success"}
    published = dict(stack.rows("select scope, as_of::text from ops.published where scope <> 'personal'"))
    assert published == dict.fromkeys((*PLANNED, "measurements"), AS_OF)


@pytest.mark.parametrize("mart", [mart for marts in MARTS.values() for mart in marts])
def test_the_mart_of_a_shop_that_has_everything_is_filled(stack: Stack, mart: str) -> None:
    rows = stack.rows(f"select to_jsonb(t) ->> 'unavailable_reason' from marts.{mart} as t", role="analyst")
    assert rows
    # A promotion that would lose money is not made, and its row says so: an answer, not a want of data.
    assert all(reason is None or reason.startswith("not worth it") for (reason,) in rows), rows


def test_the_six_scenarios_give_different_answers_on_one_world(stack: Stack) -> None:
    chosen = {
        scenario: frozenset(product for (product,) in stack.rows(query, role="analyst") if product)
        for scenario, query in CHOSEN.items()
    }
    empty = {scenario for scenario, products in chosen.items() if not products}
    assert empty <= {"cross_category"}, "all but a promotion that is not worth it are about some products"
    assert len(set(chosen.values())) == len(chosen)


@pytest.mark.parametrize("scenario", PLANNED)
def test_each_scenario_is_judged_in_the_mart_and_in_mlflow(stack: Stack, scenario: str) -> None:
    query = f"select kpi, value, mlflow_run_id from marts.fct_scenario_metrics where scenario = '{scenario}'"
    rows = stack.rows(query, role="analyst")
    assert rows
    assert all(run_id for _, _, run_id in rows)
