"""Starting the stack: what is refused, in words, before anything is started."""

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from rich.console import Console

from local import stack
from local.airflow_api import AirflowApi
from local.environment import POOLS, environment, without_secrets
from local.instance import Instance, LocalError, current, write_private
from local.processes import facts


class Disk(NamedTuple):
    free: int


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setenv("BUNDLES_HOME", str(tmp_path))
    return current()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_full_disk_is_refused_before_anything_starts(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack.shutil, "disk_usage", lambda path: Disk(2**30))
    with pytest.raises(LocalError, match=r"1\.0 GB free at .*, 3 GB are needed"):
        stack.up(instance, Console(file=io.StringIO()))
    assert not list(instance.pids.iterdir())


def test_a_port_that_differs_from_the_usual_one_is_told(
    instance: Instance, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stack.DEFAULT_PORTS, "mlflow", taken)
    said = io.StringIO()
    stack.settle_ports(instance, Console(file=said, width=200))
    assert f"port {taken} is taken by another program: mlflow uses {instance.ports()['mlflow']}" in said.getvalue()
    assert instance.ports()["mlflow"] != taken


def test_ports_stay_while_a_part_runs_and_a_conflict_is_told(instance: Instance, taken: int) -> None:
    write_private(instance.home / "ports.json", json.dumps({"postgres": 1025, "mlflow": 1026, "airflow": taken}))
    ours = json.dumps(facts(psutil.Process()))
    stack.components(instance)["mlflow"].pid_file(instance).write_text(ours)
    with pytest.raises(LocalError, match=f"port {taken} of airflow is taken by another program; `make down`"):
        stack.settle_ports(instance, Console(file=io.StringIO()))
    stack.components(instance)["mlflow"].pid_file(instance).unlink()


def test_stopping_what_never_ran_is_no_error(instance: Instance) -> None:
    stack.down(instance)
    stack.down(instance)


def test_an_airflow_that_is_down_is_told_without_a_stack_trace(instance: Instance) -> None:
    with pytest.raises(LocalError, match=r"does not answer.*make status"):
        AirflowApi(instance)


def test_children_are_told_their_own_instance_and_no_telemetry(instance: Instance) -> None:
    env = environment(instance)
    assert env["AIRFLOW_HOME"].startswith(str(instance.home))
    assert env["BUNDLES_WAREHOUSE__PORT"] == str(instance.ports()["postgres"])
    assert f":{instance.ports()['mlflow']}" in env["BUNDLES_TRACKING__URI"]
    assert env["DO_NOT_TRACK"] == "1" and env["MLFLOW_DISABLE_TELEMETRY"] == "true"


@pytest.mark.parametrize("webhook", ["", "https://chat.example/token"])
def test_the_dashboard_is_told_no_secret(instance: Instance, monkeypatch: pytest.MonkeyPatch, webhook: str) -> None:
    monkeypatch.setenv("BUNDLES_ALERTS__WEBHOOK", webhook)
    told = without_secrets(instance, environment(instance))
    assert told["BUNDLES_WAREHOUSE__PORT"] == str(instance.ports()["postgres"]) and told["DO_NOT_TRACK"] == "1"
    assert not [secret for secret in instance.secrets().values() if secret in " ".join(told.values())]
    assert "MLFLOW_BACKEND_STORE_URI" not in told and not told.get("BUNDLES_ALERTS__WEBHOOK")


def test_a_manifest_newer_than_the_dbt_project_is_kept(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(stack, "_check", lambda command, env, instance, name: ran.append(name))
    env = environment(instance)
    stack._parse_dbt(instance, env)
    (Path(env["BUNDLES_DBT__TARGET_DIR"]) / "manifest.json").write_text("{}")
    stack._parse_dbt(instance, env)
    assert ran == ["dbt-parse"]


@pytest.mark.parametrize(
    ("there", "made"),
    [
        (["default_pool"], [*POOLS]),
        (["default_pool", POOLS[0]["name"]], [*POOLS[1:]]),
        (["default_pool", *(pool["name"] for pool in POOLS)], []),
    ],
)
def test_a_pool_is_made_once_so_that_a_change_of_its_slots_stays(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, there: list[str], made: list[dict[str, object]]
) -> None:
    asked: list[dict[str, object]] = []

    class Api:
        def __init__(self, of: Instance) -> None:
            assert of is instance

        def get(self, path: str, **_: object) -> dict[str, object]:
            return {"pools": [{"name": name} for name in there]}

        def post(self, path: str, body: dict[str, object]) -> None:
            assert path == "/pools"
            asked.append(body)

    monkeypatch.setattr(stack, "AirflowApi", Api)
    stack._pools(instance)
    assert asked == made
