"""A task that failed for good and a run that is late become an incident, by the line a person would type."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "dags"))
from shared import alerts
from shared.stages import DAG_DEFAULTS


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    said: list[list[str]] = []
    monkeypatch.setattr(alerts.subprocess, "run", lambda line, **_: said.append(line))
    return said


def failed(exception: object = "exit 65", key: str | None = "2017-12-03") -> dict[str, Any]:
    task = SimpleNamespace(dag_id="load_shop", task_id="load_raw", try_number=3, run_id="manual__1")
    return {"task_instance": task, "exception": exception, "partition_key": key, "params": {}}


def test_every_task_notes_its_failure_and_every_run_has_a_deadline() -> None:
    assert DAG_DEFAULTS["default_args"]["on_failure_callback"] is alerts.note_failure
    assert DAG_DEFAULTS["deadline"] is alerts.LATE
    assert alerts.LATE.callback.path == "shared.alerts.note_late"


def test_a_failed_task_is_named_with_its_day_and_run(lines: list[list[str]]) -> None:
    alerts.note_failure(failed())
    assert lines[0][1:5] == ["-m", "ml", "note_incident", "--kind"]
    assert set(lines[0][5:]) == {
        "task_failed", "--subject=load_shop.load_raw", "--detail=try 3: exit 65", "--started-by=manual__1",
        "--as-of=2017-12-03",
    }  # fmt: skip


def test_a_task_that_was_killed_is_noted_though_airflow_knows_no_reason(lines: list[list[str]]) -> None:
    alerts.note_failure(failed(None))
    assert f"--detail=try 3: {alerts.NO_WORD}" in lines[0]


def test_no_text_of_an_error_keeps_its_incident_from_being_noted(lines: list[list[str]]) -> None:
    alerts.note_failure(failed("a\0b" + "c" * 200_000))
    (detail,) = [word for word in lines[0] if word.startswith("--detail=")]
    assert detail.startswith("--detail=try 3: abcc") and len(detail) < 5_000


def test_what_ended_with_dbt_is_noted_once_by_the_task_that_ran_it(lines: list[list[str]]) -> None:
    """Airflow would tell of each task that watched a model."""
    alerts.note_failure(failed("The dbt build command failed in producer task. Please check the log of task dbt"))
    assert lines == []
    alerts.note_failure(failed("Model 'model.bundles.fct_bundles' finished with status 'error'"))
    assert len(lines) == 1


def test_what_is_no_day_is_left_out(lines: list[list[str]]) -> None:
    alerts.note_failure(failed(key="tomorrow; drop table"))
    assert not [word for word in lines[0] if word.startswith("--as-of")]


def test_a_late_run_is_named_from_what_airflow_sends(lines: list[list[str]]) -> None:
    run = {"dag_id": "load_shop", "dag_run_id": "scheduled__1", "state": "running", "partition_key": "2017-12-03"}
    alerts.note_late({"dag_run": run, "deadline": {"id": "1"}})
    assert {"run_late", "--subject=load_shop", "--started-by=scheduled__1", "--as-of=2017-12-03"} <= set(lines[0])


def test_a_late_run_by_hand_is_of_the_day_that_was_asked_for(lines: list[list[str]]) -> None:
    run = {"dag_id": "load_shop", "dag_run_id": "manual__1", "state": "queued", "partition_key": None}
    alerts.note_late({"dag_run": {**run, "conf": {"as_of": "2017-12-03"}}})
    alerts.note_late({"dag_run": {**run, "conf": None, "run_after": "2017-12-06T04:30:00Z"}})
    assert "--as-of=2017-12-03" in lines[0]
    assert "--as-of=2017-12-05" in lines[1], "without a word in the form it is of the day before"
    for unknown in ({}, {"run_after": None}, {"run_after": "soon"}):
        alerts.note_late({"dag_run": {**run, "conf": None, **unknown}})
        assert not [word for word in lines[-1] if word.startswith("--as-of")], "no day is better than no incident"


def test_an_incident_that_cannot_be_noted_does_not_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(line: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(75, line)

    monkeypatch.setattr(alerts.subprocess, "run", refuses)
    alerts.note_failure(failed())
