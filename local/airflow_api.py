"""The few calls of Airflow's REST API that drive a run from outside."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode

from local.instance import Instance, LocalError


class AirflowApi:
    """A logged-in client of the instance's Airflow.

    Raises
    ------
    LocalError
        When Airflow refuses a call; the message holds its answer.
    """

    def __init__(self, instance: Instance) -> None:
        self._base = f"http://127.0.0.1:{instance.ports()['airflow']}"
        self._headers = {"Content-Type": "application/json"}
        credentials = {"username": "admin", "password": instance.secrets()["AIRFLOW_ADMIN_PASSWORD"]}
        self._headers["Authorization"] = f"Bearer {self._call('POST', '/auth/token', credentials)['access_token']}"

    def get(self, path: str, **query: object) -> Any:
        """Return the answer to a GET below ``/api/v2``."""
        return self._call("GET", f"/api/v2{path}?{urlencode(query)}")

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the answer to a POST below ``/api/v2``."""
        return self._call("POST", f"/api/v2{path}", body)

    def trigger(self, dag_id: str, form: dict[str, Any]) -> str:
        """Start a run with the form's values and return its id."""
        run_id: str = self.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": form})["dag_run_id"]
        return run_id

    def pause(self, dag_id: str, is_paused: bool) -> None:
        """Let no further run of a DAG start, or let them start again."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": is_paused})

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, newest first."""
        runs: list[dict[str, Any]] = self.get(f"/dags/{dag_id}/dagRuns", order_by="-id", limit=50)["dag_runs"]
        return runs

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        tasks: list[dict[str, Any]] = self.get(path, limit=200)["task_instances"]
        return tasks

    def log(self, task: dict[str, Any], lines: int = 25) -> str:
        """Return the last lines of a task's log."""
        path = f"/dags/{task['dag_id']}/dagRuns/{quote(task['dag_run_id'], safe='')}/taskInstances/{task['task_id']}"
        content = self.get(f"{path}/logs/{max(task['try_number'], 1)}", map_index=task["map_index"])["content"]
        texts = [str(entry.get("event", "")) if isinstance(entry, dict) else str(entry) for entry in content]
        return "\n".join(texts[-lines:])

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - own http address
            f"{self._base}{path}",
            method=method,
            headers=self._headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise LocalError(
                f"Airflow answered {error.code} to {method} {path}: {error.read().decode()[:600]}"
            ) from error
        except OSError as error:
            raise LocalError(f"Airflow at {self._base} does not answer: {error}; try `make status`") from error
