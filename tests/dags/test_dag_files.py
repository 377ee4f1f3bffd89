"""The DAG files load, chain as drawn, and run exactly the lines a person would type."""

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = [
    (["load_shop"], ["load_raw", "check_invariants"]),
    (["build_features"], ["check_freshness"]),
    (["train_models"], ["train_association", "train_preference", "evaluate_policies"]),
    (["recommend_bundles"], ["propose_candidates", "optimise_bundles", "audit_bundles", "publish_bundles"]),
]
PLANNED = ("cross_category", "bundle_sale", "replenishment", "launch", "customer_care")
DAGS = ("load_shop", "build_features", "train_models", "recommend_bundles", "plan_scenarios", "measure_bundles")
MEASURED = (
    "measure_experiment",
    "measure_off_policy",
    "measure_drift",
    "report_measurements",
    "audit_scenario",
    "publish_bundles",
    "check_invariants",
)
STAGES = [(dag_id, stage) for (dag_id,), stages in LINE for stage in stages]


@pytest.fixture(scope="module")
def bag(manifest: Path) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    assert manifest.exists()
    return DagBag(str(ROOT / "dags"))


def test_the_dags_load_without_an_error(bag: Any) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == set(DAGS)


@pytest.mark.parametrize(("dag_id", "stage"), STAGES)
def test_a_stage_task_runs_the_line_a_person_would_type(bag: Any, dag_id: str, stage: str) -> None:
    argv = bag.dags[dag_id].get_task(stage).argv
    assert argv[:8] == [
        sys.executable, "-m", "ml", stage, "--as-of", "{{ as_of() }}", "--started-by", "{{ dag_run.run_id }}",
    ]  # fmt: skip
    names = [word.partition("=")[0] for word in argv[8:]]
    asked = set(bag.dags[dag_id].params) - {"as_of", "needs_approval"}
    assert sorted(names) == sorted(f"--{name.replace('_', '-')}" for name in asked)


def test_each_link_waits_for_the_asset_of_the_one_before(bag: Any) -> None:
    from airflow.sdk import PartitionedAssetTimetable

    clocks = {dag_id: dag.timetable for dag_id, dag in bag.dags.items() if dag_id != "load_shop"}
    assert all(isinstance(clock, PartitionedAssetTimetable) for clock in clocks.values())
    waits_for = {dag_id: clock.asset_condition.name for dag_id, clock in clocks.items()}
    assert waits_for == {
        "build_features": "raw",
        "train_models": "features",
        "recommend_bundles": "models",
        "plan_scenarios": "bundles",
        "measure_bundles": "bundles",
    }
    speaks = {task.outlets[0].name: task.task_id for dag in bag.dags.values() for task in dag.tasks if task.outlets}
    assert speaks == {
        "raw": "load_raw",
        "features": "emit_features",
        "models": "emit_models",
        "bundles": "publish_bundles",
    }


def test_only_load_shop_has_a_clock_and_it_means_yesterday(bag: Any) -> None:
    from airflow.sdk import CronPartitionTimetable

    clocked = {dag_id for dag_id, dag in bag.dags.items() if isinstance(dag.timetable, CronPartitionTimetable)}
    assert clocked == {"load_shop"}
    clock = bag.dags["load_shop"].timetable
    assert (clock.expression, clock.run_offset, clock.key_format) == ("0 0 * * *", -1, "%Y-%m-%d")


@pytest.mark.parametrize("dag_id", DAGS)
def test_one_day_runs_at_a_time_and_nothing_is_caught_up_by_itself(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert dag.max_active_runs == 1
    assert dag.catchup is False


@pytest.mark.parametrize("dag_id", DAGS)
def test_an_operator_is_told_what_is_read_and_written_and_what_to_do(bag: Any, dag_id: str) -> None:
    for word in ("**Reads**", "**Writes**", "**Starts**", "**When it fails**", "**Rerun**"):
        assert word in bag.dags[dag_id].doc_md, word


def test_every_dbt_model_is_a_task_and_dbt_runs_once(bag: Any) -> None:
    models = {path.stem for path in (ROOT / "dbt_project" / "models").rglob("*.sql")}
    dag = bag.dags["build_features"]
    watched = {
        task_id.removeprefix("dbt.").removesuffix("_run") for task_id in dag.task_ids if task_id.endswith("_run")
    }
    assert watched == models
    producer = dag.get_task("dbt.dbt_producer_watcher")
    made_alone = {dag.get_task(f"dbt.{model}_run")._fallback_to_non_watcher_run.__module__ for model in models}
    assert made_alone == {"shared.dbt_build"}, "a task that watches a model never makes it"
    assert type(producer).__module__ == "shared.dbt_build"
    assert producer.env["BUNDLES_AS_OF"] == "{{ as_of() }}"
    assert not producer.vars
    assert "test" in producer.dbt_cmd_flags, "the build runs the tests between a model and its children"
    assert producer.exclude == "tag:audit", "audits belong to a run of bundles, not to a build of features"


def test_a_task_that_watches_dbt_is_not_retried_and_dbt_itself_is_when_it_was_killed(bag: Any) -> None:
    group = {task.task_id: task for task in bag.dags["build_features"].tasks if task.task_id.startswith("dbt.")}
    assert group.pop("dbt.dbt_producer_watcher").retries == 2
    assert {task.retries for name, task in group.items() if not name.endswith("_done")} == {0}


def test_what_loads_postgres_waits_for_a_slot_of_the_pool_that_the_stack_makes(bag: Any) -> None:
    from local.environment import POOLS

    pools = {(dag_id, task.task_id): task.pool for dag_id, dag in bag.dags.items() for task in dag.tasks}
    made = {pool["name"] for pool in POOLS}
    assert set(pools.values()) == {*made, "default_pool"}, "a task waits for ever for a pool there is not"
    heavy = {name for name, pool in pools.items() if pool == "postgres"}
    assert ("build_features", "dbt.dbt_producer_watcher") in heavy
    for dag_id in ("load_shop", "recommend_bundles", "plan_scenarios", "measure_bundles"):
        stages = {(dag_id, task.task_id) for task in bag.dags[dag_id].tasks if hasattr(task, "argv")}
        assert stages and stages <= heavy, dag_id


def test_tasks_that_wait_for_another_one_never_hold_all_workers(bag: Any) -> None:
    """Else what they wait for never begins, nor what another run was given a slot of Postgres for first."""
    from airflow.sdk import BaseSensorOperator

    from local.environment import AIRFLOW_SETTINGS, POOLS

    waiting = [
        task
        for dag in bag.dags.values()
        for task in dag.tasks
        if isinstance(task, BaseSensorOperator) and not getattr(task, "deferrable", False)
    ]
    assert waiting and {task.pool for task in waiting} == {"watchers"}
    workers = int(AIRFLOW_SETTINGS["AIRFLOW__CORE__PARALLELISM"])
    (watchers,) = (int(pool["slots"]) for pool in POOLS if pool["name"] == "watchers")
    assert watchers < workers


def test_no_task_waits_for_a_worker_once_it_has_a_slot(bag: Any) -> None:
    """Its right to begin, given with the slot, ends after ``task_queued_timeout``; and alerts take a worker too."""
    from local.environment import AIRFLOW_SETTINGS, POOLS

    computing = [
        task for dag in bag.dags.values() for task in dag.tasks if hasattr(task, "argv") and task.pool == "default_pool"
    ]
    slots = sum(int(pool["slots"]) for pool in POOLS)
    assert slots + len(computing) < int(AIRFLOW_SETTINGS["AIRFLOW__CORE__PARALLELISM"])
    assert int(AIRFLOW_SETTINGS["AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT"]) >= 6 * 3600


def test_every_task_that_works_has_a_limit_of_time(bag: Any) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            if hasattr(task, "argv") or (task.task_id.startswith("dbt.") and not task.task_id.endswith("_done")):
                assert task.execution_timeout, task.task_id


def test_features_are_announced_only_after_every_model_and_test(bag: Any) -> None:
    dag = bag.dags["build_features"]
    before = dag.get_task("emit_features").get_flat_relative_ids(upstream=True)
    assert before == {task_id for task_id in dag.task_ids if task_id != "emit_features"}


def test_a_run_without_training_still_announces_its_models(bag: Any) -> None:
    rules = {task.task_id: task.trigger_rule for task in bag.dags["train_models"].tasks}
    assert rules["emit_models"] == rules["evaluate_policies"] == "none_failed"


def test_a_missing_manifest_does_not_break_the_dag_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.transform import manifest as found_or_made

    monkeypatch.setenv("BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD", "unused")
    assert found_or_made(tmp_path).exists()


def test_dag_files_only_wire() -> None:
    for path in (ROOT / "dags").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        assert not [n for n in nodes if isinstance(n, ast.If | ast.For | ast.While | ast.Try)], path
        assert "environ" not in path.read_text(), path


@pytest.mark.parametrize("scenario", PLANNED)
def test_each_scenario_is_planned_judged_audited_and_published_for_itself(bag: Any, scenario: str) -> None:
    dag = bag.dags["plan_scenarios"]
    stages = (f"plan_{scenario}", "evaluate_scenario", "audit_scenario", "publish_bundles")
    for name, following in zip(stages, (*stages[1:], None), strict=True):
        task = dag.get_task(f"{scenario}.{name}")
        assert task.argv[3] == name
        assert task.argv[8:10] == ["--scenario", scenario]
        assert task.downstream_task_ids == ({f"{scenario}.{following}"} if following else set())


def test_measurements_are_made_one_by_one_audited_and_published_for_themselves(bag: Any) -> None:
    dag = bag.dags["measure_bundles"]
    assert set(dag.task_ids) == set(MEASURED)
    asked = {f"--{name.replace('_', '-')}" for name in set(dag.params) - {"as_of"}}
    for name, following in zip(MEASURED, (*MEASURED[1:], None), strict=True):
        task = dag.get_task(name)
        assert task.argv[3] == name and task.argv[8:10] == ["--scenario", "measurements"]
        assert {word.partition("=")[0] for word in task.argv[10:]} == asked
        assert task.downstream_task_ids == ({following} if following else set())


def test_personal_bundles_come_before_what_stands_on_them(bag: Any) -> None:
    dag = bag.dags["plan_scenarios"]
    assert dag.get_task("choose_personal").downstream_task_ids == {"personal.propose_candidates", "choose_scenarios"}
    others = dag.get_task("choose_scenarios")
    assert others.upstream_task_ids == {"choose_personal", "personal.publish_bundles"}
    assert others.trigger_rule == "none_failed"
    assert others.downstream_task_ids == {f"{scenario}.plan_{scenario}" for scenario in PLANNED}


@pytest.mark.parametrize(
    ("asked", "first", "then"),
    [
        (["launch", "personal", "launch"], ["personal.propose_candidates"], ["launch.plan_launch"]),
        (["launch"], ["choose_scenarios"], ["launch.plan_launch"]),
        (["personal"], ["personal.propose_candidates"], []),
    ],
)
def test_a_run_starts_what_its_form_names(bag: Any, asked: list[str], first: list[str], then: list[str]) -> None:
    dag = bag.dags["plan_scenarios"]
    for name, starts in (("choose_personal", first), ("choose_scenarios", then)):
        assert dag.get_task(name).choose_branch({"params": {"scenarios": asked}}) == starts


@pytest.mark.parametrize("nothing", [[], None, [""]])
def test_a_run_that_names_no_scenario_is_refused(bag: Any, nothing: list[str] | None) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="at least one"):
        bag.dags["plan_scenarios"].get_task("choose_personal").choose_branch({"params": {"scenarios": nothing}})


def test_values_of_a_form_reach_a_task_as_arguments_of_their_own_only(bag: Any) -> None:
    """No template that holds one is a command line, a query, an environment or a path."""
    told = 0
    for dag in bag.dags.values():
        for task in dag.tasks:
            for field in task.template_fields:
                for text in texts_in(getattr(task, field, None)):
                    if "params" not in text and ".conf" not in text:
                        continue
                    assert (type(task).__name__, field) == ("StageOperator", "argv"), (task.task_id, field, text)
                    assert re.fullmatch(r"--[a-z-]+=\{\{ params\.[^{}]+ \}\}", text), (task.task_id, text)
                    told += 1
    assert told > 100


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts_in(one)]
    return [text for one in value for text in texts_in(one)] if isinstance(value, list | tuple | set) else []
