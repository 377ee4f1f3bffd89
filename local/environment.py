"""The environment of every process of the stack; ``docker-compose.yaml`` gives its services the same names."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from local.instance import REPOSITORY, Instance

SWITCHED_OFF = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "SCARF_ANALYTICS": "false",
    "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "false",
}

AIRFLOW_SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # More than the slots of both pools and what computes outside of them: a task that waits longer for a worker than
    # its limit in the queue is lost, and alerts are sent by workers too.
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "21600",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
    # Above the limit of an import, which otherwise never holds.
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "150",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    # A task whose supervisor is gone begins anew after this, while its first try may still be alive: the lease of a run
    # lets one of the two write. Sooner would begin tasks twice where the machine is merely busy.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
    # Heartbeats are not sent again: with three, an API server that restarts would cost every task at work a try.
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "20",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    # What a scheduler that died left behind is begun anew after this, not after five minutes.
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "60",
    "AIRFLOW__COSMOS__ENABLE_CACHE": "True",
    "AIRFLOW__COSMOS__PROPAGATE_LOGS": "True",
}
"""Light enough for two cores; durations are in seconds."""

POOLS: tuple[dict[str, str | int], ...] = (
    {"name": "postgres", "slots": 2, "description": "Tasks that load Postgres; the others need no slot of it"},
    {"name": "watchers", "slots": 2, "description": "Tasks that wait for another one; fewer than may run at once"},
)
"""Made where they are missing, so that an operator's change of their slots stays; two and two suit two cores.
``dags/shared/stages.py`` asks for them by name; in the services ``airflow-init`` of ``docker-compose.yaml``
makes them with the same slots."""

MLFLOW_USER = "admin"

OF_MIGRATIONS_ONLY = {"POSTGRES_PASSWORD", "BUNDLES_WAREHOUSE__OWNER_PASSWORD"}
"""What no running process needs: superuser and owner only prepare the databases."""


PLUGINS = REPOSITORY / "local" / "plugins"
"""Tells MLflow of ``local/mlflow_door.py``, as an installed package would."""


def environment(instance: Instance) -> dict[str, str]:
    """Return the whole environment: this process's own, secrets, ports and settings of every component."""
    return {**os.environ, **SWITCHED_OFF, **AIRFLOW_SETTINGS, **of_instance(instance), **_tools()}


def without_secrets(instance: Instance, names: Mapping[str, str]) -> dict[str, str]:
    """Return those of the names whose values hold no secret: for a component whose visitors bring their own."""
    # The address of a webhook is as good as a password.
    secrets = {*instance.secrets().values(), names.get("BUNDLES_ALERTS__WEBHOOK", "")} - {""}
    return {name: value for name, value in names.items() if not any(secret in value for secret in secrets)}


def of_instance(instance: Instance) -> dict[str, str]:
    """Return what differs between instances: secrets, addresses and folders."""
    secrets, ports = instance.secrets(), instance.ports()
    airflow = f"http://127.0.0.1:{ports['airflow']}"
    address = f"127.0.0.1:{ports['postgres']}"
    folder = instance.home / "airflow"
    return {
        **{name: secret for name, secret in secrets.items() if name not in OF_MIGRATIONS_ONLY},
        "BUNDLES_WAREHOUSE__HOST": "127.0.0.1",
        "BUNDLES_WAREHOUSE__PORT": str(ports["postgres"]),
        "BUNDLES_WAREHOUSE__DATABASE": "shop",
        "BUNDLES_TRACKING__URI": f"http://127.0.0.1:{ports['mlflow']}",
        "BUNDLES_DBT__PROJECT_DIR": str(REPOSITORY / "dbt_project"),
        "BUNDLES_DBT__TARGET_DIR": str(instance.home / "dbt"),
        "BUNDLES_GIT_COMMIT": git_commit(),
        "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg2://mlflow:{secrets['MLFLOW_DB_PASSWORD']}@{address}/mlflow",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_TRACKING_USERNAME": MLFLOW_USER,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "dags" / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{airflow}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
            f"postgresql+psycopg2://airflow:{secrets['AIRFLOW_DB_PASSWORD']}@{address}/airflow"
        ),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports["airflow"]),
        "AIRFLOW__API__BASE_URL": airflow,
        "AIRFLOW__COSMOS__CACHE_DIR": str(folder / "cosmos"),
    }


def _tools() -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{PLUGINS}",
        "PYTHONWARNINGS": "ignore",
    }


def git_commit() -> str:
    """Return the commit of the running code, marked ``-dirty`` where files differ from it; ``unknown`` without git."""
    if not shutil.which("git"):
        return "unknown"
    # Not the commit of a repository in which somebody unpacked an archive of this one.
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(REPOSITORY.parent)}
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
