"""A build whose connection was lost is built again; one that the data refused is not; a later try builds too."""

import inspect
import json
from types import SimpleNamespace
from typing import Any

import airflow  # noqa: F401 - before cosmos, whose imports are circular otherwise
import pytest
from airflow.exceptions import AirflowException
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout
from cosmos.operators._watcher import base
from cosmos.operators.watcher import DbtRunWatcherOperator

from ml.transform import OUT_OF_REACH
from shared import dbt_build
from shared.alerts import TOLD_BY_DBT
from shared.dbt_build import WAITS, DbtBuild, only_watch, was_lost

KILLED = "Database Error in model stg_orders\n  terminating connection due to administrator command"
WRONG = "Got 3 results, configured to fail if != 0"
Event = tuple[str, str]


def event(name: str, status: str) -> str:
    return json.dumps({"data": {"node_info": {"unique_id": f"model.bundles.{name}", "node_status": status}}})


def ended(*messages: str, exception: object = None, success: bool = False) -> SimpleNamespace:
    results = SimpleNamespace(results=[SimpleNamespace(message=text) for text in messages])
    return SimpleNamespace(success=success, exception=exception, result=None if exception else results)


def operator() -> DbtBuild:
    return DbtBuild(task_id="built", project_dir="/nowhere", profile_config=None)


class Watched:
    """Stands for dbt and for the tasks that watch it: what each call of dbt says, and what is heard of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *runs: tuple[list[Event], SimpleNamespace]) -> None:
        self.runs, self.heard, self.waited = list(runs), [], []  # type: ignore[var-annotated]
        self.told_at_the_end: list[str] = []
        self.build = operator()
        parent = DbtBuild.__mro__[1]
        monkeypatch.setattr(
            parent, "_make_parse_callable", lambda _: lambda line, _: self.heard.append(json.loads(line))
        )
        monkeypatch.setattr(parent, "run_dbt_runner", self.run)
        monkeypatch.setattr(dbt_build.time, "sleep", self.waited.append)

    def run(self, *_: Any, **__: Any) -> SimpleNamespace:
        assert not self.build._dbt_runner_callbacks, "an event heard twice is told twice"
        said, result = self.runs.pop(0)
        hear = self.build._make_parse_callable()
        for name, status in said:
            hear(event(name, status), {})
        self.told_at_the_end = self.told
        return result

    @property
    def told(self) -> list[str]:
        infos = [one["data"]["node_info"] for one in self.heard]
        return [f"{info['unique_id'].rsplit('.', 1)[-1]} {info['node_status']}" for info in infos]


@pytest.mark.parametrize(
    ("result", "lost"),
    [
        (ended(KILLED), True),
        (ended("fine", "server closed the connection unexpectedly"), True),
        (ended("FATAL: the database system is starting up"), True),
        (ended("connection already closed"), True),
        (ended("SSL connection has been closed unexpectedly"), True),
        (ended("SSL SYSCALL error: EOF detected"), True),
        (ended("could not receive data from server: Connection reset by peer"), True),
        (ended("no connection to the server"), True),
        (ended(exception=RuntimeError('connection to server at "127.0.0.1" failed')), True),
        (ended(WRONG), False),
        (ended("division by zero"), False),
        (ended(KILLED, success=True), False),
        (ended(exception=ValueError("Compilation Error")), False),
    ],
)
def test_only_a_lost_connection_is_mended_by_trying_again(result: SimpleNamespace, lost: bool) -> None:
    assert was_lost(result) is lost


def test_a_lost_connection_is_built_again_and_nobody_heard_of_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ([("stg_orders", "success"), ("stg_items", "error"), ("ftr_pairs", "skipped")], ended(KILLED))
    second = ([("stg_orders", "success"), ("stg_items", "success"), ("ftr_pairs", "success")], ended(success=True))
    watched = Watched(monkeypatch, first, second)
    assert watched.build.run_dbt_runner([], {}, "").success
    assert watched.waited == [WAITS[0]]
    assert watched.told == ["stg_orders success", "stg_orders success", "stg_items success", "ftr_pairs success"]


def test_what_the_data_refused_is_told_and_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, ([("stg_orders", "success"), ("ftr_pairs", "error")], ended(WRONG)))
    assert not watched.build.run_dbt_runner([], {}, "").success
    assert (watched.told_at_the_end, watched.waited) == (["stg_orders success"], [])
    assert watched.told == ["stg_orders success", "ftr_pairs error"]


def test_a_postgres_that_stays_away_is_given_up_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, *[([("stg_orders", "error")], ended(KILLED))] * 3)
    assert not watched.build.run_dbt_runner([], {}, "").success
    assert (watched.told, watched.waited) == (["stg_orders error"], list(WAITS))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_try_builds_and_tests(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Cosmos would skip the second, and have each model made by a task of its own, untested."""
    build = operator()
    asked: list[list[str]] = []
    monkeypatch.setattr(DbtBuild, "build_and_run_cmd", lambda _, context, cmd_flags, **__: asked.append(cmd_flags))
    for name in ("safe_xcom_push", "_init_xcom_backup", "_delete_xcom_backup_variable", "get_dataset_namespace"):
        monkeypatch.setattr(f"cosmos.operators.watcher.{name}", lambda *_, **__: None)
    build.execute({"ti": SimpleNamespace(try_number=number)})
    assert len(asked) == 1


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    "error", [AirflowException("dbt command failed"), AirflowTaskTimeout("three hours"), MemoryError()]
)
def test_a_failure_that_dbt_came_to_tell_of_is_not_tried_again(
    number: int, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    build = operator()
    monkeypatch.setattr(DbtBuild, "build_and_run_cmd", fail)
    for name in ("safe_xcom_push", "_init_xcom_backup", "_delete_xcom_backup_variable", "get_dataset_namespace"):
        monkeypatch.setattr(f"cosmos.operators.watcher.{name}", lambda *_, **__: None)
    with pytest.raises(AirflowFailException, match=type(error).__name__):
        build.execute({"ti": SimpleNamespace(try_number=number)})


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("dbt", "said", "comes"),
    [
        ("success", "success", True),
        ("success", "error", AirflowException),
        ("running", None, False),
        ("running", "success", True),
        ("failed", None, AirflowFailException),
        ("skipped", None, AirflowFailException),
    ],
)
def test_a_task_that_watches_a_model_never_makes_it(
    monkeypatch: pytest.MonkeyPatch, number: int, dbt: str, said: str | None, comes: Any
) -> None:
    """In a later try too, which is begun when a scheduler died: what dbt said of the model stands."""
    node = {"dbt_node_config": {"unique_id": "model.bundles.ftr_pairs"}}
    task = DbtRunWatcherOperator(task_id="watched", project_dir="/nowhere", profile_config=None, extra_context=node)
    only_watch(task)
    monkeypatch.setattr(task, "_get_producer_task_status", lambda _: dbt)
    monkeypatch.setattr(task, "_get_node_status", lambda *_: said)
    monkeypatch.setattr(task, "_cache_compiled_sql", lambda *_: None)
    monkeypatch.setattr("cosmos.operators._watcher.base.get_xcom_val", lambda *_, **__: None)
    monkeypatch.setattr(task, "build_and_run_cmd", lambda *_, **__: pytest.fail("it made the model"))
    context = {"ti": SimpleNamespace(try_number=number, xcom_pull=lambda **_: None)}
    if isinstance(comes, bool):
        assert task.poke(context) is comes
    else:
        with pytest.raises(comes):
            task.poke(context)


def test_what_a_watching_task_says_of_a_dbt_that_ended_is_known_to_the_alerts() -> None:
    assert TOLD_BY_DBT in inspect.getsource(base)


def test_a_build_and_a_stage_know_a_lost_connection_by_the_same_words() -> None:
    assert dbt_build.LOST == OUT_OF_REACH
