"""The one kind of task for work in ``ml``: a stage, run by the command line that a person would type."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NoReturn

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from shared.alerts import LATE, note_failure
from shared.as_of import as_of_macro
from shared.assets import emit
from shared.forms import REPOSITORY, stage_arguments

OK, USAGE_ERROR, DATA_ERROR, TRY_AGAIN, SKIP = 0, 2, 65, 75, 99

LONGEST = timedelta(hours=3)
"""A task at work for longer is ended and not tried again: the same data would take as long, and a slot, twice more."""

POOL = "postgres"
"""The pool of tasks that load Postgres. The stack makes it under this name when it starts: ``local/environment.py``,
and in the services ``airflow-init`` of ``docker-compose.yaml``. Airflow lets a task wait for ever whose pool there is
not, so no DAG names another than these two. (The default pool, made smaller, would hold up a person's approval too.)"""
WATCHERS = "watchers"
"""The pool of tasks that hold a worker while they wait for another task. Its slots are fewer than the tasks that may
run at once: were all workers watching, what they wait for could never begin, nor could a task of another run that was
given a slot of Postgres first."""
COMPUTING = {"train_association", "train_preference", "evaluate_policies"}
"""Stages that read once and compute for long: in the pool they would keep the others from Postgres, which is idle."""

GRACE_SECONDS = 3.0
"""Airflow's supervisor kills a task 5 s after asking it to stop; a child that lives longer would be orphaned."""

DAG_DEFAULTS: dict[str, Any] = {
    # Backfills may reach back to the first day of the oldest demo data.
    "start_date": datetime(2015, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "user_defined_macros": {"as_of": as_of_macro},
    "tags": ["bundles"],
    "deadline": LATE,
    "default_args": {
        # After 15 seconds to two minutes, four in all: what was restarted beside it is back by then.
        "retries": 4,
        "retry_delay": timedelta(seconds=15),
        "retry_exponential_backoff": True,
        "on_failure_callback": note_failure,
    },
}


class StageOperator(BaseOperator):
    """Runs an argument list as a child process, without a shell, and streams its lines to the task log.

    Exit code 0 is success and announces the outlets; 65 (wrong data, or no right to write any more) and 2 (a line that
    the stage cannot read) fail without a retry, because it would get the same answer, and so does a stage that is not
    done in time; 99 skips; 75 and anything else (a killed child too) may be retried. The child has a process group of
    its own, which ends with the task.

    Parameters
    ----------
    argv
        Program and arguments; each is templated and arrives verbatim.
    outlets
        Assets that success announces for the run's as-of date.
    """

    template_fields: Sequence[str] = ("argv",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"argv": "json"}
    template_ext: Sequence[str] = ()
    ui_color = "#dbe9ff"

    def __init__(self, *, argv: list[str], outlets: Sequence[Asset] = (), **kwargs: Any) -> None:
        super().__init__(outlets=list(outlets), **kwargs)
        self.argv = argv
        self._child: subprocess.Popen[str] | None = None

    def execute(self, context: Mapping[str, Any]) -> None:
        """Run the child to its end and translate its exit code."""
        self.log.info("stage: %s", self.argv)
        self._child = subprocess.Popen(
            self.argv,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            for line in self._child.stdout or ():
                self.log.info("%s", line.rstrip("\n"))
            code = self._child.wait()
        except AirflowTaskTimeout as error:
            # Airflow would try it again, and say nothing before the last try had taken as long too.
            limit = self.execution_timeout or LONGEST
            raise AirflowFailException(
                f"the stage was not done after {limit / timedelta(hours=1):g} hours and was ended; it waited for a"
                " lock, or has more to compute than before; it is not tried again"
            ) from error
        finally:
            self.on_kill()
        if code != OK:
            _raise_for(code)
        for asset in self.outlets:
            emit(context, asset)

    def on_kill(self) -> None:
        """End the child and all it started: asked first, killed within three seconds."""
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            _signal_group(child, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_SECONDS)
        _signal_group(child, signal.SIGKILL)
        # A limit, because this may run in a signal handler that interrupted the other wait.
        with suppress(subprocess.TimeoutExpired):
            child.wait(1)


def _signal_group(leader: "subprocess.Popen[str]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, number)


def _raise_for(code: int) -> NoReturn:
    if code == SKIP:
        raise AirflowSkipException("the stage found nothing to do (exit 99); its last lines say why")
    if code == DATA_ERROR:
        raise AirflowFailException(
            "the stage refused the data or the right to write (exit 65); its last lines say why; no retry would help"
        )
    if code == USAGE_ERROR:
        raise AirflowFailException("the stage could not read its arguments (exit 2); its last lines say why")
    if code == TRY_AGAIN:
        raise AirflowException("the stage asks to be tried again (exit 75)")
    killed = " (killed by a signal; by 9 mostly for want of memory)" if code < 0 else ""
    raise AirflowException(f"the stage ended with {code}{killed}")


def stage(name: str, form: Mapping[str, Any], scenario: str | None = None, **kwargs: Any) -> StageOperator:
    """Return the task of a stage of ``ml``: task id and stage name are one, the form's values are its arguments."""
    line = [sys.executable, "-m", "ml", name, "--as-of", "{{ as_of() }}", "--started-by", "{{ dag_run.run_id }}"]
    line += ["--scenario", scenario] if scenario else []
    kwargs.setdefault("execution_timeout", LONGEST)
    kwargs.setdefault("pool", "default_pool" if name in COMPUTING else POOL)
    return StageOperator(task_id=name, argv=line + stage_arguments(form), **kwargs)
