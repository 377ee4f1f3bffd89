"""Start, stop and report the components."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from local.airflow_api import AirflowApi
from local.environment import POOLS, environment, without_secrets
from local.instance import DEFAULT_PORTS, REPOSITORY, Instance, LocalError, is_free, write_private
from local.postgres import Server
from local.processes import Component, end_left_behind, stop

FREE_DISK_GB = 3
START_SECONDS = 240
MLFLOW_HOSTS = "127.0.0.1:*,localhost:*"
"""Names under which MLflow answers; its default takes every private address too."""
DASHBOARD_OPTIONS = (
    *("--server.headless", "true", "--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false"),
    *("--client.toolbarMode", "viewer", "--server.allowedHosts", "127.0.0.1", "--server.allowedHosts", "localhost"),
)


def server(instance: Instance) -> Server:
    """Return the instance's Postgres."""
    return Server(instance.home, instance.ports()["postgres"], instance.secrets())


def components(instance: Instance) -> dict[str, Component]:
    """Return the processes beside Postgres, by name, in the order they start."""
    mlflow_port = str(instance.ports()["mlflow"])
    python = sys.executable
    commands = {
        "mlflow": [
            *(python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", mlflow_port, "--workers", "1"),
            *("--artifacts-destination", str(instance.home / "mlflow")),
            *("--app-name", "bundles-door", "--allowed-hosts", MLFLOW_HOSTS),
        ],
        "airflow-api-server": [python, "-m", "airflow", "api-server"],
        "airflow-scheduler": [python, "-m", "airflow", "scheduler", "--skip-serve-logs"],
        "airflow-dag-processor": [python, "-m", "airflow", "dag-processor"],
        "airflow-triggerer": [python, "-m", "airflow", "triggerer", "--skip-serve-logs"],
    }
    commands["dashboard"] = [
        *(python, "-m", "streamlit", "run", "dashboard/app.py", *DASHBOARD_OPTIONS),
        *("--server.address", "127.0.0.1", "--server.port", str(instance.ports()["dashboard"])),
    ]
    return {name: Component(name, command) for name, command in commands.items()}


def keeper(instance: Instance) -> Component:
    """Return the process that starts the others again; in the services their restart policy does it."""
    return Component("keeper", [sys.executable, "-m", "local", "keep"])


def environment_of(name: str, instance: Instance, env: Mapping[str, str]) -> Mapping[str, str]:
    """Return what a part is told of the whole environment: the visitors of the dashboard bring their own secrets."""
    return without_secrets(instance, env) if name == "dashboard" else env


def health_addresses(instance: Instance) -> dict[str, str]:
    """Return the address of each component that answers by HTTP."""
    ports = instance.ports()
    return {
        "mlflow": f"http://127.0.0.1:{ports['mlflow']}/health",
        "airflow-api-server": f"http://127.0.0.1:{ports['airflow']}/api/v2/monitor/health",
        "dashboard": f"http://127.0.0.1:{ports['dashboard']}/_stcore/health",
    }


def up(instance: Instance, console: Console) -> None:
    """Start whatever is down, migrate, and wait until all answer; from then on what ends is started again.

    Raises
    ------
    LocalError
        When the disk is nearly full, a port is taken, a component dies or does not answer in time.
    """
    free_gb = shutil.disk_usage(instance.home).free / 2**30
    if free_gb < FREE_DISK_GB:
        raise LocalError(
            f"{free_gb:.1f} GB free at {instance.home}, {FREE_DISK_GB} GB are needed; free some and call again"
        )
    with instance.in_one_hand():
        _up(instance, console)


def _up(instance: Instance, console: Console) -> None:
    parts = components(instance)
    # A scheduler that was killed leaves its workers behind: they hold memory, and what they do is begun anew.
    end_left_behind(list(parts.values()), instance)
    settle_ports(instance, console)
    env = environment(instance)
    with _step(console, "Postgres, roles and migrations"):
        postgres = server(instance)
        postgres.start()
        postgres.prepare()
    parts["mlflow"].start(instance, env)
    runs = {name for name, part in parts.items() if part.process(instance)}
    with _step(console, "Airflow's tables and dbt's manifest"), ThreadPoolExecutor() as pool:
        _airflow_password(instance, env)
        jobs = [pool.submit(_parse_dbt, instance, env)]
        if "airflow-scheduler" not in runs:
            migration = [sys.executable, "-m", "airflow", "db", "migrate"]
            jobs.append(pool.submit(_check, migration, env, instance, "airflow-migrate"))
        for job in jobs:
            job.result()
    with _step(console, "MLflow, Airflow and the dashboard"):
        for name, part in parts.items():
            part.start(instance, environment_of(name, instance, env))
        _wait(instance)
        _pools(instance)
    keeper(instance).start(instance, {**env, "BUNDLES_HOME": str(instance.home)})


def settle_ports(instance: Instance, console: Console) -> None:
    """Choose ports anew where nothing of the instance runs, and say where one differs from the usual.

    Raises
    ------
    LocalError
        When a part of the stack runs and the port of another part is taken meanwhile.
    """
    up_now = {name for name, part in components(instance).items() if part.process(instance)}
    if server(instance).is_running():
        up_now.add("postgres")
    if not up_now:
        instance.forget_ports()
    for name, port in instance.ports().items():
        service = "airflow-api-server" if name == "airflow" else name
        if service not in up_now and not is_free(port):
            raise LocalError(f"port {port} of {name} is taken by another program; `make down`, then call again")
        if not up_now and port != DEFAULT_PORTS[name] and not os.environ.get(f"BUNDLES_{name.upper()}_PORT"):
            console.print(
                f"port {DEFAULT_PORTS[name]} is taken by another program: {name} uses {port}", highlight=False
            )


def down(instance: Instance) -> None:
    """Stop everything; safe when nothing runs."""
    with instance.in_one_hand():
        stop([keeper(instance), *list(components(instance).values())[::-1]], instance)
        server(instance).stop()


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    started = time.monotonic()
    with console.status(what):
        yield
    console.print(f"{what}: {time.monotonic() - started:.0f} s", highlight=False)


def _parse_dbt(instance: Instance, env: Mapping[str, str]) -> None:
    """Write the manifest that the DAG files read, unless nothing changed since the last one."""
    project, target = Path(env["BUNDLES_DBT__PROJECT_DIR"]), Path(env["BUNDLES_DBT__TARGET_DIR"])
    folders = [path for path in project.iterdir() if path.is_dir() and path.name not in ("target", "logs")]
    sources = [REPOSITORY / "requirements.txt", *project.glob("*.yml"), *(f for d in folders for f in d.rglob("*.*"))]
    newest = max(path.stat().st_mtime for path in sources)
    manifest = target / "manifest.json"
    if manifest.exists() and manifest.stat().st_mtime > newest:
        return
    parse = [sys.executable, "-m", "dbt.cli.main", "parse", "--quiet", "--project-dir", str(project)]
    where = ["--profiles-dir", str(project), "--target-path", str(target), "--log-path", str(target)]
    _check(parse + where, env, instance, "dbt-parse")


def _pools(instance: Instance) -> None:
    """Make the pools that the DAGs name; until they are there, their tasks wait."""
    api = AirflowApi(instance)
    there = {pool["name"] for pool in api.get("/pools", limit=100)["pools"]}
    for pool in POOLS:
        if pool["name"] not in there:
            api.post("/pools", pool)


def _airflow_password(instance: Instance, env: Mapping[str, str]) -> None:
    path = Path(env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    write_private(path, json.dumps({"admin": instance.secrets()["AIRFLOW_ADMIN_PASSWORD"]}))


def _check(command: list[str], env: Mapping[str, str], instance: Instance, name: str) -> None:
    log = instance.logs / f"{name}.log"
    with log.open("wb") as file:
        done = subprocess.run(
            command, env=dict(env), cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False
        )
    if done.returncode:
        raise LocalError(f"{name} failed; its log is {log}\n{_tail(log)}")


def _tail(log: Path, lines: int = 8) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])


def _wait(instance: Instance) -> None:
    waiting = health_addresses(instance)
    deadline = time.monotonic() + START_SECONDS
    while True:
        waiting = {name: address for name, address in waiting.items() if not answers(address)}
        # Last, because on the port of one that just ended another program may answer.
        for name, component in components(instance).items():
            if component.process(instance) is None:
                log = instance.logs / f"{name}.log"
                raise LocalError(f"{name} ended at once; its log is {log}\n{_tail(log)}")
        silent = sorted(waiting or without_heartbeat(instance))
        if not silent:
            return
        if time.monotonic() > deadline:
            raise LocalError(f"no answer from {', '.join(silent)} in {START_SECONDS} s; logs are in {instance.logs}")
        time.sleep(0.5)


def without_heartbeat(instance: Instance) -> set[str]:
    """Return the parts of Airflow of which Postgres has had no heartbeat for half a minute; none while nobody tells."""
    try:
        with urllib.request.urlopen(health_addresses(instance)["airflow-api-server"], timeout=5) as answer:  # noqa: S310
            told = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return set()
    parts = ("scheduler", "dag_processor", "triggerer")
    unwell = {part for part in parts if (told.get(part) or {}).get("status") != "healthy"}
    return {f"airflow-{part.replace('_', '-')}" for part in unwell}


def answers(address: str) -> bool:
    """Tell whether the address answers with 200."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - own http address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
