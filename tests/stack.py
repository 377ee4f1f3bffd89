"""The whole stack on a tiny simulated shop: one for all tests of a session, started as a user starts it."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg2
import pytest
import requests

from local.airflow_api import AirflowApi
from local.environment import MLFLOW_USER
from local.instance import Instance

ROOT = Path(__file__).resolve().parent.parent
CHAIN = ("load_shop", "build_features", "train_models", "recommend_bundles")
PLANNED = ("cross_category", "bundle_sale", "replenishment", "launch", "customer_care")
AS_OF = "2017-12-03"
TINY_SHOP = {
    "BUNDLES_SOURCE__SIMULATED_CUSTOMERS": "600",
    "BUNDLES_SOURCE__SIMULATED_PRODUCTS": "60",
    "BUNDLES_MIN_PRODUCT_BASKETS": "10",
    "BUNDLES_PREFERENCE__TREES": "200",
    "BUNDLES_PREFERENCE__LEAVES": "3",
    "BUNDLES_PREFERENCE__LEARNING_RATE": "0.1",
    # A transformer takes longer than all else together, and counting favourites is the truth of so tiny a shop.
    "BUNDLES_PREFERENCE__COMPARED": '["global_popularity", "two_tower_additive", "item_cosine"]',
    "BUNDLES_PREFERENCE__TARGET_BASKETS": "10",
    "BUNDLES_PREFERENCE__MIN_CUSTOMER_BASKETS": "4",
    "BUNDLES_OPTIMIZER__CATALOGUE_SAMPLE": "5",
    "BUNDLES_OPTIMIZER__BOOTSTRAP_DRAWS": "100",
    "BUNDLES_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
"""The smallest shop in which small trees learn more than each customer's own frequencies, which the gate demands."""

CHAIN_SECONDS = 1500
READING_SECONDS = 5


class Stack:
    """A running stack: its API, its database, and the patience to wait for a run."""

    def __init__(self, home: Path) -> None:
        self.instance = Instance(home)
        self.environment = {**os.environ, **TINY_SHOP, "BUNDLES_HOME": str(home)}

    def command(
        self, *arguments: str, check: bool = True, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m local ...`` for this stack, with some settings changed."""
        line, env = [sys.executable, "-m", "local", *arguments], {**self.environment, **(environment or {})}
        return subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, check=check)

    def experiment(self, name: str) -> str:
        """Return the id of an experiment in MLflow."""
        query = urlencode({"experiment_name": name})
        address = f"{self.mlflow}/api/2.0/mlflow/experiments/get-by-name?{query}"
        answer = requests.get(address, auth=self.mlflow_login, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["experiment"]["experiment_id"])

    @cached_property
    def api(self) -> AirflowApi:
        """A client that has logged in."""
        return AirflowApi(self.instance)

    @property
    def airflow(self) -> str:
        """Address of the Airflow UI."""
        return f"http://127.0.0.1:{self.instance.ports()['airflow']}"

    @property
    def mlflow(self) -> str:
        """Address of the MLflow UI."""
        return f"http://127.0.0.1:{self.instance.ports()['mlflow']}"

    @property
    def mlflow_login(self) -> tuple[str, str]:
        """User and password of MLflow."""
        return MLFLOW_USER, self.instance.secrets()["MLFLOW_TRACKING_PASSWORD"]

    @property
    def dashboard(self) -> str:
        """Address of the dashboard."""
        return f"http://127.0.0.1:{self.instance.ports()['dashboard']}"

    @property
    def password(self) -> str:
        """Password of Airflow's user ``admin``."""
        return self.instance.secrets()["AIRFLOW_ADMIN_PASSWORD"]

    def rows(self, query: str, role: str = "publisher") -> list[tuple[Any, ...]]:
        """Return the rows of a query as one of the roles; a statement without rows gives none."""
        return self._rows(query, "shop", f"bundles_{role}", f"BUNDLES_WAREHOUSE__{role.upper()}_PASSWORD")

    def airflow_rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of Airflow's own database, as Airflow."""
        return self._rows(query, "airflow", "airflow", "AIRFLOW_DB_PASSWORD")

    def _rows(self, query: str, database: str, user: str, secret: str) -> list[tuple[Any, ...]]:
        where = {"host": "127.0.0.1", "port": self.instance.ports()["postgres"], "dbname": database}
        connection = psycopg2.connect(user=user, password=self.instance.secrets()[secret], **where)  # type: ignore[call-overload]
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def pointer(self) -> tuple[int, str]:
        """Return the published run and its as-of date."""
        ((run_id, as_of),) = self.rows("select run_id, as_of from ops.published where scope = 'personal'")
        return run_id, as_of.isoformat()

    def content(self, run_id: int) -> str:
        """Return a hash of everything a run holds, without the number of the run itself."""
        tables = (
            "candidates",
            "given_candidates",
            "associations",
            "bundles",
            "bundle_items",
            "shadow_prices",
            "catalogue_bundles",
            "given_bundle_ranks",
            "catalogue_gaps",
        )
        whole = [
            self.rows(f"select to_jsonb(t) - 'run_id' from ml.{table} as t where run_id = {run_id}") for table in tables
        ]
        text = [sorted(json.dumps(row, sort_keys=True) for (row,) in rows) for rows in whole]
        return hashlib.sha256(json.dumps(text).encode()).hexdigest()

    def wait_for_run(self, dag_id: str, seconds: float, known: Collection[str] = (), **facts: str) -> dict[str, Any]:
        """Return the run with these facts once it has ended well; fail with the logs of what failed.

        Parameters
        ----------
        dag_id, facts
            The DAG, and what its run must have, such as ``partition_key``.
        seconds
            How long to wait.
        known
            Ids of runs that are not meant.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for run in self.api.runs(dag_id):
                if run["dag_run_id"] in known or not facts.items() <= run.items():
                    continue
                if run["state"] == "failed":
                    raise AssertionError(f"{dag_id} failed:\n{self.blame(dag_id, run['dag_run_id'])}")
                if run["state"] == "success":
                    return run
            time.sleep(2)
        raise AssertionError(f"{dag_id} has no finished run with {facts} after {seconds:.0f} s")

    def wait_for_task(self, dag_id: str, run_id: str, task_id: str, state: str, seconds: float) -> None:
        """Return once a task is in the state."""
        deadline = time.monotonic() + seconds
        while self.tasks(dag_id, run_id).get(task_id) != state:
            assert time.monotonic() < deadline, f"{task_id} is not {state}: {self.tasks(dag_id, run_id)}"
            time.sleep(2)

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer a task that waits for a person, no sooner than a person would.

        Airflow 3.3 takes a task for killed that is queued again before the scheduler has read that the executor was
        done with its first part (``SchedulerJobRunner.process_executor_events``), which takes it about a second.
        """
        time.sleep(READING_SECONDS)
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/-1/hitlDetails"
        self.api._call("PATCH", f"/api/v2{path}", {"chosen_options": [option]})

    def run_chain(self, as_of: str, seconds: int = CHAIN_SECONDS) -> None:
        """Trigger ``load_shop`` by the form and wait until the four runs it leads to have ended well."""
        api = self.api
        known = {run["dag_run_id"] for dag_id in CHAIN for run in api.runs(dag_id)}
        deadline = time.monotonic() + seconds
        first = api.trigger("load_shop", {"source": "simulated_shop", "as_of": as_of})
        self.wait_for_run("load_shop", seconds, dag_run_id=first)
        for dag_id in CHAIN[1:]:
            self.wait_for_run(dag_id, deadline - time.monotonic(), known, partition_key=as_of)

    def pause(self, dag_id: str) -> None:
        """Let no further run of a DAG start."""
        self.api.pause(dag_id, True)

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run."""
        return {task["task_id"]: task["state"] for task in self.api.tasks(dag_id, run_id)}

    def blame(self, dag_id: str, run_id: str) -> str:
        """Return the end of the log of every task that failed by itself."""
        failed = [task for task in self.api.tasks(dag_id, run_id) if task["state"] == "failed"]
        return "\n".join(f"--- {task['task_id']}\n{self.api.log(task, 40)}" for task in failed)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack in a home of its own, with the first day of the simulated shop published, planned and measured."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    up = stack.command("up", check=False)
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        stack.run_chain(AS_OF)
        for dag_id in ("plan_scenarios", "measure_bundles"):
            stack.wait_for_run(dag_id, CHAIN_SECONDS, partition_key=AS_OF)
        yield stack
    finally:
        stack.command("down")
