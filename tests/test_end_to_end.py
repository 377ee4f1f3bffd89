"""A tiny shop through real Postgres, dbt, MLflow and a real Airflow scheduler: the promises of the whole."""

import sys
import time
from datetime import date, timedelta

import pytest

from local.instance import LocalError
from tests.stack import AS_OF, CHAIN, CHAIN_SECONDS, PLANNED, Stack

pytestmark = [pytest.mark.slow, pytest.mark.stack]

BACKFILLED = [(date.fromisoformat(AS_OF) + timedelta(days=n)).isoformat() for n in (1, 2, 3)]


@pytest.fixture(scope="module", autouse=True)
def _no_more_scenarios(stack: Stack) -> None:
    """The days published here need neither scenarios nor measurements; theirs would take the cores."""
    stack.pause("plan_scenarios")
    stack.pause("measure_bundles")


@pytest.mark.smoke
def test_one_trigger_leads_to_published_bundles(stack: Stack) -> None:
    run_id, as_of = stack.pointer()
    assert as_of == AS_OF
    ((bundles, customers, unproven),) = stack.rows(
        "select count(*), count(distinct customer_id), count(*) filter (where upper_bound < objective - 1e-9)"
        " from marts.fct_bundles where status <> 'abstained'",
        role="analyst",
    )
    assert bundles >= customers > 0
    assert unproven == 0
    ((items, strangers),) = stack.rows(
        "select count(*), count(*) filter (where b.bundle_id is null)"
        " from marts.fct_bundle_items as i left join marts.fct_bundles as b on b.bundle_id = i.bundle_id",
        role="analyst",
    )
    assert items >= 2 * bundles
    assert strangers == 0
    assert stack.rows(f"select count(*) from ops.audits where run_id = {run_id} and not is_passed") == [(0,)]
    ((given, ranked),) = stack.rows(
        "select count(*), count(bundle_rank) from marts.fct_given_bundle_ranks", role="analyst"
    )
    assert given > ranked > 0
    ((metrics,),) = stack.rows("select count(*) from marts.fct_policy_metrics", role="analyst")
    assert metrics > 0


@pytest.mark.smoke
def test_the_as_of_date_travelled_down_the_chain(stack: Stack) -> None:
    for dag_id in CHAIN[1:]:
        assert [run["partition_key"] for run in stack.api.runs(dag_id)].count(AS_OF) >= 1, dag_id


@pytest.mark.smoke
def test_a_day_without_anything_new_is_skipped_and_starts_nothing(stack: Stack) -> None:
    """The clock asks for yesterday as soon as the DAG is switched on; the demo data end long before."""
    (clocked,) = [run for run in stack.api.runs("load_shop") if run["run_type"] == "scheduled"]
    run = stack.wait_for_run("load_shop", 120, dag_run_id=clocked["dag_run_id"])
    assert stack.tasks("load_shop", run["dag_run_id"]) == {"load_raw": "skipped", "check_invariants": "success"}
    assert run["partition_key"] not in [other["partition_key"] for other in stack.api.runs("build_features")]


@pytest.mark.parametrize(
    ("dag_id", "form"),
    [
        ("load_shop", {"source": "otto"}),
        ("load_shop", {"source": "simulated_shop; rm -rf /"}),
        ("load_shop", {"as_of": "the third of December"}),
        ("load_shop", {"as_of": "2017-02-31"}),
        ("load_shop", {"seed": "'; drop table raw.orders; --"}),
        ("build_features", {"as_of": 20171203}),
        ("train_models", {"retrain": "yes"}),
        ("recommend_bundles", {"bundle_size": 0}),
        ("recommend_bundles", {"bundle_size": "3"}),
        ("recommend_bundles", {"solver": "oracle"}),
        ("recommend_bundles", {"policy": ["expected_joint_purchase"]}),
        ("recommend_bundles", {"budget_cents": -5}),
        ("recommend_bundles", {"cost_per_product": 1e9}),
        ("recommend_bundles", {"needs_approval": "$(true)"}),
    ],
)
def test_a_bad_form_value_is_refused_before_anything_starts(stack: Stack, dag_id: str, form: dict[str, object]) -> None:
    before = len(stack.api.runs(dag_id))
    with pytest.raises(LocalError, match=r"Airflow answered 4\d\d"):
        stack.api.trigger(dag_id, form)
    assert len(stack.api.runs(dag_id)) == before


def test_running_a_day_again_publishes_the_same_content(stack: Stack) -> None:
    first, _ = stack.pointer()
    content = stack.content(first)
    stack.run_chain(AS_OF)
    second, as_of = stack.pointer()
    assert (second != first, as_of) == (True, AS_OF)
    assert stack.content(second) == content


def test_a_backfill_publishes_its_days_in_order_and_ends_at_the_newest(stack: Stack) -> None:
    stack.api.post(
        "/backfills",
        {
            "dag_id": "load_shop",
            "from_date": f"{BACKFILLED[0]}T00:00:00Z",
            "to_date": f"{BACKFILLED[-1]}T00:00:00Z",
            "max_active_runs": 1,
            "dag_run_conf": {"source": "simulated_shop"},
        },
    )
    deadline = time.monotonic() + 3 * CHAIN_SECONDS
    for day in BACKFILLED:
        for dag_id in CHAIN:
            stack.wait_for_run(dag_id, deadline - time.monotonic(), partition_key=day)
    published = stack.rows("select as_of from ops.publish_log where action = 'publish' order by publish_id")
    assert [day.isoformat() for (day,) in published][-3:] == BACKFILLED
    assert stack.pointer()[1] == BACKFILLED[-1]


def test_a_failed_audit_stops_the_run_and_leaves_the_bundles_of_before(stack: Stack) -> None:
    """A fault between optimiser and audit, planted where only the owner can: every price is a cent too high."""
    shown = stack.pointer()
    content = stack.content(shown[0])
    stack.rows(
        "create function ml.spoil() returns trigger language plpgsql as"
        " 'begin new.bundle_price_cents := new.bundle_price_cents + 1; return new; end';"
        "create trigger spoil before insert on ml.bundles for each row execute function ml.spoil()",
        role="owner",
    )
    try:
        run_id = stack.api.trigger("recommend_bundles", {"as_of": shown[1]})
        with pytest.raises(AssertionError, match="audit_prices_are_the_sum_of_the_items"):
            stack.wait_for_run("recommend_bundles", CHAIN_SECONDS, dag_run_id=run_id)
    finally:
        stack.rows("drop trigger spoil on ml.bundles; drop function ml.spoil()", role="owner")
    states = stack.tasks("recommend_bundles", run_id)
    assert (states["audit_bundles"], states["publish_bundles"]) == ("failed", "upstream_failed")
    audit = next(task for task in stack.api.tasks("recommend_bundles", run_id) if task["task_id"] == "audit_bundles")
    assert audit["try_number"] == 1, "wrong data are not tried again"
    assert stack.pointer() == shown
    assert stack.content(shown[0]) == content
    ((readable,),) = stack.rows("select count(*) from marts.fct_bundles", role="analyst")
    assert readable > 0


def test_a_run_that_asks_for_approval_waits_and_a_refusal_publishes_nothing(stack: Stack) -> None:
    shown = stack.pointer()
    run_id = stack.api.trigger("recommend_bundles", {"as_of": shown[1], "needs_approval": True})
    stack.wait_for_task("recommend_bundles", run_id, "approve_bundles", "awaiting_input", CHAIN_SECONDS)
    stack.answer("recommend_bundles", run_id, "approve_bundles", "Reject")
    stack.wait_for_run("recommend_bundles", CHAIN_SECONDS, dag_run_id=run_id)
    assert stack.tasks("recommend_bundles", run_id)["publish_bundles"] == "skipped"
    assert stack.pointer() == shown


def test_the_report_shows_the_run_ten_bundles_and_the_comparison(stack: Stack) -> None:
    report = stack.command("exec", sys.executable, "-m", "ml", "report").stdout
    run_id, as_of = stack.pointer()
    assert "Published run" in report
    assert str(run_id) in report
    assert as_of in report
    assert "proven optimal" in report
    assert "frequently_bought_together" in report.replace("\n", "")
    assert all(scenario in report for scenario in PLANNED)
