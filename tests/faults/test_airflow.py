"""A real Airflow whose supervisor or scheduler is killed, and runs that meet: each publishes once, or is refused.

The runs of a day share the scope of what people read, so everything here is about one pointer and one lease.
"""

import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

import psutil
import psycopg2
import pytest
import requests

from local.instance import LocalError
from local.keeper import UNWELL_SECONDS
from local.postgres import Server
from local.processes import Component
from local.stack import components, server
from ml.settings import DbtSettings
from tests.conftest import settings_of
from tests.faults.conftest import Report
from tests.faults.content import broken_invariants, compiled_invariants
from tests.stack import CHAIN, CHAIN_SECONDS, Stack

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.faults]
DAG = "recommend_bundles"
DBT = "dbt.dbt_producer_watcher"
Broken = Callable[[], list[str]]
SILENT_SECONDS = 75
"""Longer than three heartbeats of a task, after which Airflow's supervisor ends it, and than it waits for an answer."""
LEASE = "select epoch from ops.leases where scope = 'personal' and holder = '{}'"


@pytest.fixture(scope="module", autouse=True)
def older(stack: Stack) -> tuple[str, set[str]]:
    """A day before the published one, whose backfill goes on beside the next tests; scenarios are not needed here."""
    stack.pause("plan_scenarios")
    stack.pause("measure_bundles")
    day = (date.fromisoformat(stack.pointer()[1]) - timedelta(days=1)).isoformat()
    known = {run["dag_run_id"] for dag_id in CHAIN for run in stack.api.runs(dag_id)}
    moment = f"{day}T00:00:00Z"
    asked = {"dag_id": "load_shop", "from_date": moment, "to_date": moment, "max_active_runs": 1}
    stack.api.post(
        "/backfills", {**asked, "reprocess_behavior": "completed", "dag_run_conf": {"source": "simulated_shop"}}
    )
    return day, known


@pytest.fixture(scope="module")
def broken(stack: Stack) -> Broken:
    """Tell which invariants do not hold now."""
    postgres = server(stack.instance)
    whole = settings_of(postgres, "shop").model_copy(
        update={"dbt": DbtSettings(target_dir=stack.instance.home / "dbt" / "faults")}
    )
    checks = compiled_invariants(whole, date.fromisoformat(stack.pointer()[1]))
    where = {"host": "127.0.0.1", "port": postgres.port, "dbname": "shop", "user": "postgres"}

    def check() -> list[str]:
        with closing(psycopg2.connect(password=postgres.passwords["POSTGRES_PASSWORD"], **where)) as connection:  # type: ignore[call-overload]
            return broken_invariants(connection, checks)

    return check


@pytest.fixture(scope="module")
def first(stack: Stack, broken: Broken) -> str:
    """A run of the published day, begun by hand once the invariants are compiled, which takes longer than its start."""
    return stack.api.trigger(DAG, {"as_of": stack.pointer()[1]})


@pytest.fixture(scope="module")
def second(stack: Stack, first: str) -> str:
    """Another one, begun while the first is at work."""
    wait_until(lambda: state(stack, first) == "running", 120, "the first run is at work")
    return stack.api.trigger(DAG, {"as_of": stack.pointer()[1]})


def test_a_dbt_that_is_killed_builds_again(
    stack: Stack, older: tuple[str, set[str]], broken: Broken, report: Report
) -> None:
    """In the backfill of the older day, whose end is waited for below."""
    day, known = older

    def dbt() -> dict[str, object]:
        runs = [run for run in stack.api.runs("build_features") if run["dag_run_id"] not in known]
        tasks = [task for run in runs for task in stack.api.tasks("build_features", run["dag_run_id"])]
        return next((task for task in tasks if task["task_id"] == DBT), {"state": None, "try_number": 0})

    wait_until(lambda: dbt()["state"] == "running", CHAIN_SECONDS, f"dbt builds {day}")
    at_work = "select 1 from pg_stat_activity where application_name = 'dbt' and state = 'active'"
    wait_until(lambda: bool(stack.rows(at_work, role="transformer")), 120, "dbt is at work")
    (its_task,) = supervisor_of(dbt()["id"]).children()
    its_task.kill()
    wait_until(lambda: (dbt()["state"], dbt()["try_number"]) == ("running", 2), 180, "dbt is tried again")
    wrong = broken()
    report("dbt killed in Airflow", "tried again", wrong)
    assert wrong == []


def test_a_supervisor_killed_with_both_tries_alive_publishes_once(
    stack: Stack, first: str, second: str, broken: Broken, report: Report
) -> None:
    asleep, epoch = stopped_with_the_lease(stack, first, "optimise_bundles")
    task = task_of(stack, first, "optimise_bundles")
    supervisor_of(task["id"]).kill()
    # Five minutes pass without a heartbeat.
    stack.airflow_rows(
        f"update task_instance set last_heartbeat_at = last_heartbeat_at - interval '301 s' where id = '{task['id']}'"
    )
    wait_until(lambda: lease(stack, first) > epoch, 180, "a second try has taken the lease")
    assert asleep.status() == psutil.STATUS_STOPPED, "the first try is still there"
    assert task_of(stack, first, "optimise_bundles")["try_number"] == 2
    hold = f"select ops.hold_lease('personal', (select run_id from ops.leases where holder = '{first}'), {epoch})"
    with pytest.raises(psycopg2.Error, match="fenced"):
        stack.rows(hold, role="ml")
    # Awake, it writes and is told the same, or its task ends it before: no supervisor takes a line from that any more.
    asleep.resume()
    wait_until(lambda: ended(asleep), 120, "the first try has ended")
    stack.wait_for_run(DAG, CHAIN_SECONDS, dag_run_id=first)
    refusals = fenced(server(stack.instance), epoch)
    wrong = broken()
    report("supervisor killed in Airflow, both tries alive", f"{published(stack, first)}, {refusals}x fenced", wrong)
    assert (published(stack, first), wrong) == (["publish"], [])


def test_a_second_run_of_the_day_waits_for_the_first(stack: Stack, first: str, second: str) -> None:
    ended, began = (stack.api.get(f"/dags/{DAG}/dagRuns/{quote(one, safe='')}") for one in (first, second))
    assert ended["state"] == "success"
    assert began["start_date"] is None or began["start_date"] >= ended["end_date"]


def test_a_killed_scheduler_is_started_again_and_the_run_publishes_once(
    stack: Stack, second: str, broken: Broken, report: Report
) -> None:
    wait_until(lambda: stage_of(second, "optimise_bundles") is not None, CHAIN_SECONDS, "the stage is at work")
    scheduler = components(stack.instance)["airflow-scheduler"]
    at_work = killed(stack, scheduler)
    up = stack.command("up", check=False)
    assert up.returncode == 0, up.stdout + up.stderr
    left = [process for process in at_work if process.is_running()]
    stack.wait_for_run(DAG, CHAIN_SECONDS, dag_run_id=second)
    wrong = broken()
    outcome = f"{published(stack, second)}, {len(left)} of {len(at_work)} processes left behind"
    report("scheduler killed in Airflow while a stage runs", outcome, wrong)
    assert (published(stack, second), left, wrong) == (["publish"], [], [])


def test_a_backfill_of_an_older_day_never_moves_the_pointer_back(
    stack: Stack, older: tuple[str, set[str]], broken: Broken, report: Report
) -> None:
    """It went on beside the above, and its dbt was killed once."""
    day, known = older
    deadline = time.monotonic() + CHAIN_SECONDS
    runs = {
        dag_id: stack.wait_for_run(dag_id, deadline - time.monotonic(), known, partition_key=day) for dag_id in CHAIN
    }
    came = published(stack, runs[DAG]["dag_run_id"])
    built = next(
        task
        for task in stack.api.tasks("build_features", runs["build_features"]["dag_run_id"])
        if task["task_id"] == DBT
    )
    assert (built["state"], built["try_number"]) == ("success", 2), "it was killed above"
    days = stack.rows(
        "select as_of from ops.publish_log where scope = 'personal' and action = 'publish' order by publish_id"
    )
    wrong = broken()
    report("backfill of an older day beside runs of the newest", f"{came}, pointer at {stack.pointer()[1]}", wrong)
    assert (came, wrong) == (["superseded"], [])
    assert stack.pointer()[1] > day and days == sorted(days)
    assert stack.tasks(DAG, runs[DAG]["dag_run_id"])["publish_bundles"] == "skipped"


def test_a_run_from_the_command_line_takes_over_and_airflows_own_is_refused(
    stack: Stack, broken: Broken, report: Report
) -> None:
    """After the backfill, whose run would take the lease in its turn."""
    day = stack.pointer()[1]
    run = stack.api.trigger(DAG, {"as_of": day})
    asleep, _ = stopped_with_the_lease(stack, run, "optimise_bundles")
    ours = f"from the command line beside {run}"
    by_hand(stack, "propose_candidates", day, ours)
    asleep.resume()
    wait_until(lambda: state(stack, run) == "failed", 180, "the run is refused")
    task = task_of(stack, run, "optimise_bundles")
    assert "fenced" in stack.api.log(task, 60) and task["try_number"] == 1, "no retry would help"
    for stage in ("optimise_bundles", "list_bundles", "audit_bundles", "publish_bundles"):
        by_hand(stack, stage, day, ours)
    wrong = broken()
    outcome = f"Airflow's run {published(stack, run)}, the other {published(stack, ours)}"
    report("a run from the command line while Airflow's is at work", outcome, wrong)
    assert (published(stack, run), published(stack, ours), wrong) == ([], ["publish"], [])


def test_after_a_crash_of_postgres_all_is_at_work_again_without_a_hand(
    stack: Stack, broken: Broken, report: Report
) -> None:
    """One backend dies, Postgres ends all others, and what of Airflow was amid a query ends of it too.

    A scheduler that was amid none goes on, and one whose workers are at work first waits for them, until the keeper
    ends it: whether it ends, and when, is a matter of the moment.
    """
    run = stack.api.trigger(DAG, {"as_of": stack.pointer()[1]})
    wait_until(lambda: stage_of(run, "optimise_bundles") is not None, CHAIN_SECONDS, "the stage is at work")
    postgres = server(stack.instance).process()
    assert postgres is not None
    backends = [one for one in postgres.children() if "airflow airflow" in title(one)]
    backends[0].kill()
    crash = datetime.now(UTC)
    wait_until(lambda: not any(one.is_running() for one in backends), 30, "Postgres has ended the others")
    wait_until(lambda: is_well_since(stack, crash), UNWELL_SECONDS + 300, "all parts are at work again")
    stack.wait_for_run(DAG, CHAIN_SECONDS, dag_run_id=run)
    wrong = broken()
    report("Postgres crashes beneath Airflow", f"all up again, {published(stack, run)}", wrong)
    assert (published(stack, run), wrong) == (["publish"], [])


@pytest.mark.parametrize("stage", ["optimise_bundles", "publish_bundles"])
def test_an_api_server_that_is_silent_while_a_stage_ends_costs_a_try_at_most(
    stack: Stack, stage: str, broken: Broken, report: Report
) -> None:
    """Tasks tell it that they live and how they ended. It hangs, since the keeper starts again what is killed."""
    run = stack.api.trigger(DAG, {"as_of": stack.pointer()[1]})
    wait_until(lambda: stage_of(run, stage) is not None, CHAIN_SECONDS, f"{stage} is at work")
    process = stage_of(run, stage)
    server_of_all = components(stack.instance)["airflow-api-server"].process(stack.instance)
    assert process is not None and server_of_all is not None
    silent = [server_of_all, *server_of_all.children(recursive=True)]
    try:
        for one in silent:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        wait_until(lambda: ended(process), CHAIN_SECONDS, f"{stage} has ended")
        time.sleep(SILENT_SECONDS)
    finally:
        for one in silent:
            with suppress(psutil.NoSuchProcess):
                one.resume()
    stack.wait_for_run(DAG, CHAIN_SECONDS, dag_run_id=run)
    wrong = broken()
    report(f"an API server silent at the end of {stage}", f"run {published(stack, run)}", wrong)
    assert (published(stack, run), wrong) == (["publish"], [])


def test_nothing_is_left_at_work_and_the_operator_is_told_that_all_is_well(stack: Stack) -> None:
    told = stack.command("exec", sys.executable, "-m", "ml", "check_invariants", check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert stack.airflow_rows("select dag_id, run_id from dag_run where state in ('running', 'queued')") == []


def test_a_run_that_is_late_is_noted_by_the_scheduler(stack: Stack, broken: Broken, report: Report) -> None:
    """Of a DAG that is switched off, so that the run stands still; then its six hours pass."""
    day = stack.pointer()[1]
    run = stack.api.trigger("plan_scenarios", {"as_of": day})
    mine = f"from dag_run as r where r.id = d.dagrun_id and r.run_id = '{run}'"
    try:
        ((hours,),) = stack.airflow_rows(
            "select extract(epoch from d.deadline_time - r.queued_at) / 3600 from deadline as d, "
            + mine.removeprefix("from ")
        )
        stack.airflow_rows(f"update deadline as d set deadline_time = now() - interval '1 s' {mine}")
        late = f"select kind, subject, as_of::text from marts.fct_incidents where started_by = '{run}'"
        wait_until(lambda: bool(stack.rows(late, role="analyst")), 90, "the late run is noted")
        found = stack.rows(late, role="analyst")
    finally:
        address = f"{stack.airflow}/api/v2/dags/plan_scenarios/dagRuns/{quote(run, safe='')}"
        requests.delete(address, headers=stack.api._headers, timeout=30).raise_for_status()
    report("a run is late in Airflow", f"noted as {found[0][0]}", broken())
    assert (float(hours), found) == (6.0, [("run_late", "plan_scenarios", day)])


def stopped_with_the_lease(stack: Stack, run: str, stage: str) -> tuple[psutil.Process, int]:
    """Stop a stage that has taken the lease and written nothing, and return its process and epoch."""
    wait_until(lambda: stage_of(run, stage) is not None, CHAIN_SECONDS, f"{stage} has begun")
    process = stage_of(run, stage)
    assert process is not None
    # Still while it is asked which lease was there before it; its imports take longer than finding it.
    process.suspend()
    before = lease(stack, run)
    process.resume()
    wait_until(lambda: lease(stack, run) > before, 120, f"{stage} has taken the lease")
    process.suspend()
    written = "select count(*) from ml.bundles as b join ops.runs as r on b.run_id = r.run_id where r.started_by = '{}'"
    assert stack.rows(written.format(run)) == [(0,)], "it was stopped too late"
    return process, lease(stack, run)


def stage_of(run: str, stage: str) -> psutil.Process | None:
    """Return the newest process of a stage of a run."""
    found = [one for one in psutil.process_iter(["cmdline"]) if {stage, run} <= set(one.info["cmdline"] or ())]
    return max(found, key=lambda one: one.create_time(), default=None)


def ended(process: psutil.Process) -> bool:
    """Tell whether a process has ended, though nobody asked for its code yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def supervisor_of(task_id: str) -> psutil.Process:
    """Return the worker that watches over a try; it is named after it."""
    title = f"LocalExecutor: {task_id}"
    (found,) = [one for one in psutil.process_iter(["cmdline"]) if title in " ".join(one.info["cmdline"] or ())]
    return found


def is_well_since(stack: Stack, moment: datetime) -> bool:
    """Tell whether all parts are up and the scheduler has been at work since a moment."""
    if stack.command("status", check=False).returncode != 0:
        return False
    try:
        told = stack.api.get("/monitor/health")["scheduler"]["latest_scheduler_heartbeat"]
    except LocalError:
        return False
    return told is not None and datetime.fromisoformat(told) > moment


def title(process: psutil.Process) -> str:
    """Return a process's line; nothing of one that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def killed(stack: Stack, component: Component) -> list[psutil.Process]:
    """Kill a component and return what it leaves behind."""
    process = component.process(stack.instance)
    assert process is not None
    family = process.children(recursive=True)
    process.kill()
    process.wait(30)
    return family


def lease(stack: Stack, run: str) -> int:
    """Return the epoch under which a run holds the lease; 0 when it does not."""
    return int((stack.rows(LEASE.format(run)) or [(0,)])[0][0])


def fenced(postgres: Server, epoch: int) -> int:
    """Return how often Postgres refused a write under an epoch."""
    log = (postgres.data.parent / "postgres.log").read_text("utf-8", "replace")
    return sum("fenced: scope personal" in line and line.endswith(f"epoch {epoch}") for line in log.splitlines())


def published(stack: Stack, run: str) -> list[str]:
    """Return what publishing did for a run, each time."""
    return [
        action
        for (action,) in stack.rows(f"select action from ops.publish_log where actor = '{run}' order by publish_id")
    ]


def state(stack: Stack, run: str) -> str:
    found: str = stack.api.get(f"/dags/{DAG}/dagRuns/{quote(run, safe='')}")["state"]
    return found


def task_of(stack: Stack, run: str, task_id: str) -> dict[str, object]:
    return next(task for task in stack.api.tasks(DAG, run) if task["task_id"] == task_id)


def by_hand(stack: Stack, stage: str, day: str, started_by: str) -> None:
    line = (sys.executable, "-m", "ml", stage, "--as-of", day, "--started-by", started_by)
    done = stack.command("exec", *line, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def wait_until(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
