"""What is done when a task failed for good, and when a run is late: an incident is written down and told.

Both by the command line, like all work in ``ml``; neither fails when it cannot, since nothing would be mended by that.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DeadlineAlert, DeadlineReference, SyncCallback
from airflow.sdk.exceptions import AirflowFailException

from shared.as_of import as_of
from shared.forms import REPOSITORY

HOURS = 6
"""A run that has not ended after as long is late: the longest chain of a night takes a fraction of it."""
SECONDS = 60
"""Postgres, a webhook and a mail server are waited for, then given up."""

NO_WORD = "it was killed, or the process that watches over it was: its log ends without a reason"
TOLD_BY_DBT = "failed in producer task"
"""What each task says that watches a dbt which ended: its own incident is enough, there are dozens of those."""

LONGEST = 4_000
"""Characters of an incident's text: enough to tell, and few enough for a line of arguments."""

log = logging.getLogger(__name__)


def note_failure(context: Mapping[str, Any]) -> None:
    """Note that a task failed and will not be tried again."""
    task = context["task_instance"]
    said = str(context.get("exception") or NO_WORD)
    if TOLD_BY_DBT in said:
        return
    _note("task_failed", f"{task.dag_id}.{task.task_id}", f"try {task.try_number}: {said}", _day(context), task.run_id)


def note_late(context: Mapping[str, Any]) -> None:
    """Note that a run has not ended in time; it may still run, or stand still."""
    # Airflow sends the run as JSON, not as the object that a task sees.
    run = context["dag_run"]
    detail = f"{run['state']}: it has not ended {HOURS} hours after it was queued"
    asked = {"partition_key": run.get("partition_key"), "params": run.get("conf") or {}}
    with suppress(KeyError, TypeError, ValueError):
        asked["dag_run"] = SimpleNamespace(run_after=datetime.fromisoformat(run["run_after"]))
    _note("run_late", run["dag_id"], detail, _day(asked), run["dag_run_id"])


def _day(context: Mapping[str, Any]) -> str | None:
    """Return the as-of date of a run; none where it has no valid one, which must not keep the incident untold."""
    with suppress(AirflowFailException, KeyError, AttributeError, TypeError):
        return as_of(context)
    return None


def _note(kind: str, subject: str, detail: str, day: str | None, run_id: str) -> None:
    # No argument may hold a NUL.
    said = detail.replace("\0", "")[:LONGEST]
    line = [sys.executable, "-m", "ml", "note_incident", "--kind", kind, f"--subject={subject}", f"--detail={said}"]
    line += [f"--started-by={run_id}", *([f"--as-of={day}"] if day else [])]
    try:
        subprocess.run(line, cwd=REPOSITORY, env=os.environ, check=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        log.error("the incident could not be noted: %s", error)


LATE = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT,
    interval=timedelta(hours=HOURS),
    callback=SyncCallback("shared.alerts.note_late"),
)
