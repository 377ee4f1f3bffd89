"""Start, stop and report the components."""

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.environment import environment
from local.instance import REPOSITORY, Instance, LocalError, write_private
from local.postgres import Server
from local.processes import Component, memory_mb, stop

FREE_DISK_GB = 3
START_SECONDS = 240


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
        ],
        "airflow-api-server": [python, "-m", "airflow", "api-server"],
        "airflow-scheduler": [python, "-m", "airflow", "scheduler", "--skip-serve-logs"],
        "airflow-dag-processor": [python, "-m", "airflow", "dag-processor"],
        "airflow-triggerer": [python, "-m", "airflow", "triggerer", "--skip-serve-logs"],
    }
    return {name: Component(name, command) for name, command in commands.items()}


def health_addresses(instance: Instance) -> dict[str, str]:
    """Return the address of each component that answers by HTTP."""
    ports = instance.ports()
    return {
        "mlflow": f"http://127.0.0.1:{ports['mlflow']}/health",
        "airflow-api-server": f"http://127.0.0.1:{ports['airflow']}/api/v2/monitor/health",
    }


def up(instance: Instance, console: Console) -> None:
    """Start whatever is down, migrate, and wait until all answer.

    Raises
    ------
    LocalError
        When the disk is nearly full, a component dies or does not answer in time.
    """
    free_gb = shutil.disk_usage(instance.home).free / 2**30
    if free_gb < FREE_DISK_GB:
        raise LocalError(f"{free_gb:.1f} GB free at {instance.home}, {FREE_DISK_GB} GB are needed")
    if not any(component.process(instance) for component in components(instance).values()):
        postgres = server(instance)
        if not postgres.is_running():
            instance.forget_ports()
    env = environment(instance)
    with console.status("Postgres") as status:
        postgres = server(instance)
        postgres.start()
        postgres.prepare()
        status.update("Airflow database")
        _airflow_password(instance, env)
        _check([sys.executable, "-m", "airflow", "db", "migrate"], env, instance, "airflow-migrate")
        status.update("dbt manifest")
        target = env["BUNDLES_DBT__TARGET_DIR"]
        project = env["BUNDLES_DBT__PROJECT_DIR"]
        parse = [sys.executable, "-m", "dbt.cli.main", "parse", "--quiet", "--project-dir", project]
        folders = ["--profiles-dir", project, "--target-path", target, "--log-path", target]
        _check(parse + folders, env, instance, "dbt-parse")
        for component in components(instance).values():
            component.start(instance, env)
        status.update("MLflow and Airflow")
        _wait(instance)


def down(instance: Instance) -> None:
    """Stop everything; safe when nothing runs."""
    stop(list(components(instance).values())[::-1], instance)
    server(instance).stop()


def status(instance: Instance, console: Console) -> bool:
    """Print each component's address, state and memory; tell whether all are up."""
    table = Table(title=f"Stack in {instance.home}")
    for heading in ("component", "address", "state", "memory"):
        table.add_column(heading, justify="right" if heading == "memory" else "left")
    postgres = server(instance)
    is_up = postgres.is_running()
    memory = _postgres_memory(postgres) if is_up else 0.0
    table.add_row("postgres", f"127.0.0.1:{postgres.port}", "up" if is_up else "down", f"{memory:.0f} MB")
    health = health_addresses(instance)
    total, all_up = memory, is_up
    for name, component in components(instance).items():
        runs = component.process(instance) is not None
        answers = runs and (name not in health or _answers(health[name]))
        used = component.memory_mb(instance)
        total += used
        all_up &= answers
        state = "up" if answers else "starting" if runs else "down"
        table.add_row(name, health.get(name, "").rsplit("/", 1)[0], state, f"{used:.0f} MB")
    table.add_row("total", "", "", f"{total:.0f} MB")
    console.print(table)
    return all_up


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
        tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-8:])
        raise LocalError(f"{name} failed; its log is {log}\n{tail}")


def _wait(instance: Instance) -> None:
    waiting = health_addresses(instance)
    deadline = time.monotonic() + START_SECONDS
    while waiting:
        for name, component in components(instance).items():
            if component.process(instance) is None:
                raise LocalError(f"{name} ended at once; its log is {instance.logs / f'{name}.log'}")
        waiting = {name: address for name, address in waiting.items() if not _answers(address)}
        if waiting and time.monotonic() > deadline:
            raise LocalError(f"no answer from {', '.join(waiting)} in {START_SECONDS} s; logs are in {instance.logs}")
        time.sleep(0.5)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - own http address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _postgres_memory(postgres: Server) -> float:
    process = postgres.process()
    return sum(map(memory_mb, [process, *process.children(recursive=True)])) if process else 0.0
