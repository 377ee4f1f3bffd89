"""The main job on real data: drive the chain of DAGs through the scheduler and show what was published."""

import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from local.airflow_api import AirflowApi
from local.environment import MLFLOW_USER, environment
from local.instance import REPOSITORY, Instance, LocalError
from local.programs import programs
from local.stack import server

LEAVES = {
    "plan_scenarios": {"cross_category", "bundle_sale", "replenishment", "launch", "customer_care"},
    "measure_bundles": {"measurements"},
}
"""What starts when bundles were published, and the scopes that each publishes."""
CHAIN = ("load_shop", "build_features", "train_models", "recommend_bundles", *LEAVES)
DEMO_DAY = "2017-12-03"
"""Day 337 of Complete Journey: the four weeks after it stay untouched, as the test of the benchmarks."""
LOAD = "load_raw"
CHAIN_SECONDS = 3600
DAGS_SECONDS = 180
SPEAK_SECONDS = 10
"""Between two lines where there is no terminal for a moving bar."""
OVER = {"success", "failed", "skipped", "upstream_failed", "removed"}


def demo(instance: Instance, console: Console, source: str = "complete_journey", as_of: str = DEMO_DAY) -> None:
    """Run what is missing of the chain for ``as_of``, wait for what is at work, then report.

    Raises
    ------
    LocalError
        When a task fails; the message ends with its log.
    """
    api = AirflowApi(instance)
    wait_for_dags(api)
    published = published_scopes(instance, as_of)
    missing = [leaf for leaf in LEAVES if running_link(api, as_of, [leaf]) or not published >= LEAVES[leaf]]
    if "personal" not in published:
        run_chain(api, console, {"source": source, "as_of": as_of})
    elif not missing:
        console.print(f"The bundles and scenarios of {as_of} are published already.")
    else:
        for leaf in missing:
            run_chain(api, console, {"as_of": as_of}, [leaf])
    report = [sys.executable, "-m", "ml", "report"]
    if subprocess.run(report, env=environment(instance), cwd=REPOSITORY, check=False).returncode:
        raise LocalError("the report failed; its message stands above")
    console.print(addresses(instance), highlight=False, soft_wrap=True)


def published_scopes(instance: Instance, as_of: str) -> set[str]:
    """Return the scopes of which ``as_of`` or a later day is published."""
    query = "select scope from ops.published where as_of >= :'as_of'"
    done = subprocess.run(
        [programs() / "psql", "-At", "-v", f"as_of={as_of}"],
        input=query,
        env=server(instance).client_environment("bundles_publisher", "shop"),
        capture_output=True,
        text=True,
        check=False,
    )
    return set(done.stdout.split())


def run_chain(api: AirflowApi, console: Console, form: dict[str, Any], dags: Sequence[str] = CHAIN) -> None:
    """Trigger the first of ``dags``, or take up what an interrupted call left running, and wait until all ended well.

    Raises
    ------
    LocalError
        When the DAGs do not appear, a run fails, the source has nothing, or the chain takes longer than an hour.
    """
    wait_for_dags(api)
    known = {dag_id: {run["dag_run_id"] for run in api.runs(dag_id)} for dag_id in dags}
    start, first = running_link(api, form["as_of"], dags) or (dags[0], api.trigger(dags[0], form))
    deadline = time.monotonic() + CHAIN_SECONDS
    columns = (TextColumn("{task.description:<18}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for dag_id in dags[dags.index(start) :]:
            bar = progress.add_task(dag_id, total=None, now="waiting")
            run_id = first if dag_id == start else None
            spoke = 0.0
            while True:
                run_id = run_id or new_run(api, dag_id, known[dag_id], form["as_of"])
                if run_id:
                    tasks = api.tasks(dag_id, run_id)
                    over = [task for task in tasks if task["state"] in OVER]
                    progress.update(bar, total=max(len(tasks), 1), completed=len(over), now=at_work(tasks))
                    if not console.is_terminal and time.monotonic() - spoke > SPEAK_SECONDS:
                        console.print(
                            f"{dag_id}: {len(over)} of {len(tasks)} tasks, now {at_work(tasks)}", highlight=False
                        )
                        spoke = time.monotonic()
                    if is_over(api, dag_id, run_id):
                        progress.update(bar, now="done")
                        break
                if time.monotonic() > deadline:
                    raise LocalError(f"{dag_id} has not ended after {CHAIN_SECONDS} s; look at it in the Airflow UI")
                time.sleep(1)


def at_work(tasks: list[dict[str, Any]], width: int = 60) -> str:
    """Return the names of the tasks that run, without the one that only drives dbt, cut to ``width``."""
    names = sorted(task["task_id"].removeprefix("dbt.") for task in tasks if task["state"] == "running")
    text = ", ".join(name for name in names if name != "dbt_producer_watcher") or ", ".join(names)
    return text if len(text) <= width else text[: width - 3] + "..."


def wait_for_dags(api: AirflowApi) -> None:
    """Return when the DAGs of the chain are known to the scheduler.

    Raises
    ------
    LocalError
        When a DAG file does not import, or they do not appear in time.
    """
    deadline = time.monotonic() + DAGS_SECONDS
    while not {dag["dag_id"] for dag in api.get("/dags")["dags"]} >= set(CHAIN):
        errors = api.get("/importErrors")["import_errors"]
        if errors:
            raise LocalError(f"{errors[0]['filename']} does not import:\n{errors[0]['stack_trace']}")
        if time.monotonic() > deadline:
            raise LocalError("the DAGs have not appeared; see the log of airflow-dag-processor")
        time.sleep(1)


def running_link(api: AirflowApi, as_of: str, dags: Sequence[str] = CHAIN) -> tuple[str, str] | None:
    """Return DAG and run id of the furthest of ``dags`` that is at work for ``as_of``; None when all stand still."""
    for dag_id in reversed(dags):
        for run in api.runs(dag_id):
            day = run.get("partition_key") or (run.get("conf") or {}).get("as_of")
            if day == as_of and run["state"] in ("running", "queued"):
                return dag_id, str(run["dag_run_id"])
    return None


def new_run(api: AirflowApi, dag_id: str, known: set[str], as_of: str) -> str | None:
    """Return the id of the run that the chain started for ``as_of``; None while there is none."""
    for run in api.runs(dag_id):
        if run["dag_run_id"] not in known and run.get("partition_key") in (None, as_of):
            run_id: str = run["dag_run_id"]
            return run_id
    return None


def is_over(api: AirflowApi, dag_id: str, run_id: str) -> bool:
    """Tell whether a run has succeeded.

    Raises
    ------
    LocalError
        When it failed, with the end of the first failed task's log.
    """
    state = next(run["state"] for run in api.runs(dag_id) if run["dag_run_id"] == run_id)
    if dag_id == CHAIN[0]:
        # What follows waits for the load alone; the invariants beside it are about the night before.
        loads = [task for task in api.tasks(dag_id, run_id) if task["task_id"] == LOAD]
        if any(task["state"] == "skipped" for task in loads):
            raise LocalError(f"{dag_id} found nothing to load, so nothing follows:\n{api.log(loads[0])}")
        if any(task["state"] == "success" for task in loads):
            return True
    if state == "failed":
        failed = [task for task in api.tasks(dag_id, run_id) if task["state"] == "failed"]
        blame = f"{failed[0]['task_id']}:\n{api.log(failed[0])}" if failed else "no task"
        raise LocalError(f"{dag_id} failed in {blame}")
    return bool(state == "success")


def addresses(instance: Instance) -> str:
    """Return where the three user interfaces are and how to log in."""
    ports, secrets = instance.ports(), instance.secrets()
    return (
        f"\nAirflow   http://127.0.0.1:{ports['airflow']}   user admin, password {secrets['AIRFLOW_ADMIN_PASSWORD']}\n"
        f"MLflow    http://127.0.0.1:{ports['mlflow']}   user {MLFLOW_USER}, password "
        f"{secrets['MLFLOW_TRACKING_PASSWORD']}\n"
        f"Dashboard http://127.0.0.1:{ports['dashboard']}   sign in with the analyst's password\n"
        f"Postgres  host 127.0.0.1 port {ports['postgres']} database shop user bundles_analyst "
        f"password {secrets['BUNDLES_WAREHOUSE__ANALYST_PASSWORD']}   (or: make psql)\n"
        "The stack stays up; `make down` stops it."
    )
