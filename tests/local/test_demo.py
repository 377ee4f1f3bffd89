"""Following the chain of DAGs from outside, against a scripted Airflow."""

import io
from typing import Any

import pytest
from rich.console import Console

from local import demo
from local.instance import LocalError

DAY = "2017-12-03"
PLANNED = demo.LEAVES["plan_scenarios"]


class ScriptedAirflow:
    """Answers like Airflow's REST API; a run moves on by one state each time it is asked for."""

    def __init__(self, **runs: list[dict[str, Any]]) -> None:
        self.chain = runs
        self.triggered: list[str] = []
        self.states: dict[str, str] = {}
        self.import_errors: list[dict[str, str]] = []
        self.dags = list(demo.CHAIN)

    def get(self, path: str) -> Any:
        return {
            "/dags": {"dags": [{"dag_id": d} for d in self.dags]},
            "/importErrors": {"import_errors": self.import_errors},
        }[path]

    def trigger(self, dag_id: str, form: dict[str, Any]) -> str:
        self.triggered.append(dag_id)
        for link in demo.CHAIN[demo.CHAIN.index(dag_id) :]:
            self.chain.setdefault(link, []).insert(0, run("new", "success", conf=form))
        return "new"

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return self.chain.get(dag_id, [])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        states = {"load_raw" if dag_id == "load_shop" else "work": self.states.get(dag_id, "success")}
        states |= {"check_invariants": self.states.get("check_invariants", "success")} if dag_id == "load_shop" else {}
        run = {"dag_id": dag_id, "dag_run_id": run_id, "try_number": 1, "map_index": -1}
        return [{**run, "task_id": name, "state": state} for name, state in states.items()]

    def log(self, task: dict[str, Any]) -> str:
        return f"last words of {task['task_id']}"


def run(run_id: str, state: str, **facts: Any) -> dict[str, Any]:
    return {"dag_run_id": run_id, "state": state, "partition_key": None, "conf": {}, **facts}


def follow(api: ScriptedAirflow, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(demo.time, "sleep", lambda seconds: finish(api))
    said = io.StringIO()
    demo.run_chain(api, Console(file=said, width=120), {"source": "complete_journey", "as_of": DAY})  # type: ignore[arg-type]
    return said.getvalue()


def finish(api: ScriptedAirflow) -> None:
    """End what runs, and let each link that ended start the next one."""
    for before, after in zip(demo.CHAIN, demo.CHAIN[1:], strict=False):
        if any(r["state"] == "success" and r["partition_key"] == DAY for r in api.runs(before)) and not api.runs(after):
            api.chain[after] = [run("follows", "running", partition_key=DAY)]
            return
    for runs in api.chain.values():
        for one in runs:
            if one["state"] in ("running", "queued"):
                one["state"] = "success"


def test_the_whole_chain_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    api = ScriptedAirflow()
    said = follow(api, monkeypatch)
    assert api.triggered == ["load_shop"]
    assert all(dag_id in said for dag_id in demo.CHAIN)


def test_a_chain_left_running_by_an_interrupted_call_is_taken_up_not_started_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = ScriptedAirflow(
        load_shop=[run("earlier", "success", conf={"as_of": DAY})],
        build_features=[run("earlier", "running", partition_key=DAY)],
    )
    follow(api, monkeypatch)
    assert api.triggered == []
    assert api.runs("recommend_bundles")[0]["state"] == "success"


def test_a_run_of_another_day_is_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    api = ScriptedAirflow(load_shop=[run("clock", "running", partition_key="2026-01-01")])
    assert demo.running_link(api, DAY) is None  # type: ignore[arg-type]
    assert demo.new_run(api, "load_shop", set(), DAY) is None  # type: ignore[arg-type]


def test_a_failed_task_is_named_with_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    api = ScriptedAirflow(train_models=[run("earlier", "running", partition_key=DAY)])
    api.states["train_models"] = "failed"
    monkeypatch.setattr(api, "runs", lambda dag_id: [{**r, "state": "failed"} for r in api.chain.get(dag_id, [])])
    with pytest.raises(LocalError, match="train_models failed in work:\nlast words of work"):
        demo.is_over(api, "train_models", "earlier")  # type: ignore[arg-type]


def test_a_source_that_has_nothing_ends_the_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    api = ScriptedAirflow()
    api.states["load_shop"] = "skipped"
    with pytest.raises(LocalError, match="nothing to load"):
        follow(api, monkeypatch)


def test_what_does_not_hold_in_the_database_does_not_end_the_wait_for_what_was_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = ScriptedAirflow(load_shop=[run("earlier", "failed")])
    api.states["check_invariants"] = "failed"
    assert demo.is_over(api, "load_shop", "earlier")  # type: ignore[arg-type]


def test_a_dag_file_that_does_not_import_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    api = ScriptedAirflow()
    api.dags = [*demo.CHAIN[:3], "somebody_elses"]
    api.import_errors = [{"filename": "recommend_bundles.py", "stack_trace": "SyntaxError"}]
    with pytest.raises(LocalError, match=r"(?s)recommend_bundles\.py does not import.*SyntaxError"):
        follow(api, monkeypatch)


@pytest.mark.parametrize(
    ("published", "state", "triggered", "is_done"),
    [
        ({"personal", *PLANNED, "measurements"}, "success", [], True),
        ({"personal", "measurements"}, "running", [], False),
        ({"personal", "launch", "measurements"}, "success", ["plan_scenarios"], False),
        ({"personal", *PLANNED}, "success", ["measure_bundles"], False),
        ({"personal"}, "success", ["plan_scenarios", "measure_bundles"], False),
        (set(), "success", ["load_shop"], False),
    ],
)
def test_what_is_missing_is_made_and_what_is_at_work_waited_for(
    monkeypatch: pytest.MonkeyPatch, published: set[str], state: str, triggered: list[str], is_done: bool
) -> None:
    api = ScriptedAirflow(plan_scenarios=[run("earlier", state, partition_key=DAY)])
    done = type("Done", (), {"returncode": 0})()
    for name, double in {
        "AirflowApi": lambda instance: api,
        "published_scopes": lambda instance, as_of: published,
        "environment": lambda instance: {},
        "addresses": lambda instance: "",
    }.items():
        monkeypatch.setattr(demo, name, double)
    monkeypatch.setattr(demo.subprocess, "run", lambda *words, **how: done)
    monkeypatch.setattr(demo.time, "sleep", lambda seconds: finish(api))
    said = io.StringIO()
    demo.demo(None, Console(file=said, width=120))  # type: ignore[arg-type]
    assert ("published already" in said.getvalue()) == is_done
    assert api.triggered == triggered
    assert "running" not in {one["state"] for one in api.runs("plan_scenarios")}
