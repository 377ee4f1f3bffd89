"""The one dbt process of a build, which a lost connection and a restart of Airflow do not end."""

import json
import re
import time
from collections.abc import Callable
from typing import Any, NoReturn

import airflow  # noqa: F401 - before cosmos, whose imports are circular otherwise
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from cosmos.operators._watcher.state import is_dbt_node_status_success, is_dbt_node_status_terminal
from cosmos.operators.local import DbtLocalBaseOperator
from cosmos.operators.watcher import DbtProducerWatcherOperator

from shared.alerts import TOLD_BY_DBT

LOST = re.compile(
    r"connection to server|could not connect|server closed the connection|timeout expired|terminating connection"
    r"|connection (?:already|is) closed|the database system is|SSL connection has been closed unexpectedly"
    r"|SSL SYSCALL error|could not receive data from server|no connection to the server|lock timeout"
    r"|deadlock detected|tuple concurrently updated",
    re.I,
)
"""What is said when a connection or a lock is not to be had, or gone; as in ``ml/transform.py``."""
WAITS = (15, 30)
"""Seconds before the second and the third build; a Postgres that was killed is back within them."""

Tell = Callable[[str, Any], None]


class DbtBuild(DbtProducerWatcherOperator):
    """Builds and tests all models, and builds them again where Postgres, or a lock, was not to be had.

    The data decide every other failure that dbt comes to tell of, so those are final. It is done here and not by a
    retry of the task, because the tasks that watch single models take a failure for final. What is left to a retry is a
    dbt that was killed, or lost the process that watches over it: nobody heard a word of a failure then.

    Those tasks take a success for final too: a model that the first build made is green whatever the second one does
    with it. After a second build only the task of this operator tells the truth.
    """

    _held: list[tuple[Tell, str, Any]]

    def execute(self, context: Any, **kwargs: Any) -> Any:
        """Build, in a later try too.

        Cosmos skips later tries and lets each watching task make its model alone, without tests: after a scheduler
        that died, features would be announced that nobody tested. A second build replaces what the first one did.
        """
        try:
            if context["ti"].try_number == 1:
                return super().execute(context, **kwargs)
            return DbtLocalBaseOperator.execute(self, context, **kwargs)
        except (AirflowFailException, AirflowSkipException):
            raise
        except (Exception, AirflowTaskTimeout) as error:
            raise AirflowFailException(f"dbt is not tried again: {type(error).__name__}: {error}") from error

    def run_dbt_runner(self, command: list[str], env: dict[str, str], cwd: str, **kwargs: Any) -> Any:
        """Run dbt, again while Postgres is lost or locked, then tell the watching tasks what failed."""
        for wait in (*WAITS, None):
            self._held, self._dbt_runner_callbacks = [], None
            self._upstream_failure_skipped_ids.clear()
            result = super().run_dbt_runner(command, env, cwd, **kwargs)
            if wait is None or not was_lost(result):
                break
            self.log.warning("Postgres or a lock was not to be had; dbt builds again in %s s", wait)
            time.sleep(wait)
        for tell, line, extra in self._held:
            tell(line, extra)
        return result

    def _make_parse_callable(self) -> Tell:
        """Return what hears each of dbt's events: failures are kept back until they are final."""
        tell = super()._make_parse_callable()

        def hear(line: str, extra: Any) -> None:
            status = json.loads(line).get("data", {}).get("node_info", {}).get("node_status")
            if is_dbt_node_status_terminal(status) and not is_dbt_node_status_success(status):
                self._held.append((tell, line, extra))
            else:
                tell(line, extra)

        return hear


def only_watch(task: Any) -> None:
    """Let a task that watches a model never make it.

    Cosmos would, in a later try and where dbt ended without a word of the model: alone and untested, some eighty times.
    """
    task._handle_retry = lambda try_number, producer_task_state, context: None
    task._fallback_to_non_watcher_run = _refuse


def _refuse(try_number: int, context: Any) -> NoReturn:
    raise AirflowFailException(f"dbt {TOLD_BY_DBT}, without a word of this model; start the DAG again for the day")


def was_lost(result: Any) -> bool:
    """Tell whether a run of dbt failed because a connection or a lock was not to be had."""
    if result.success:
        return False
    said = [str(result.exception or ""), *(str(one.message or "") for one in getattr(result.result, "results", ()))]
    return any(LOST.search(text) for text in said)
