"""What an instance remembers: secrets for its owner alone, ports that nobody else holds."""

import base64
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.instance import PASSWORDS, REPOSITORY, Instance, LocalError, choose_port, current


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_secrets_are_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    os.umask(0o022)
    first = Instance(tmp_path).secrets()
    assert set(first) == set(PASSWORDS)
    assert Instance(tmp_path).secrets() == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_secrets_are_long_and_all_different(tmp_path: Path) -> None:
    secrets = Instance(tmp_path).secrets()
    assert len(set(secrets.values())) == len(secrets)
    assert len(base64.urlsafe_b64decode(secrets["AIRFLOW__CORE__FERNET_KEY"])) == 32
    assert all(len(value) >= 44 for value in secrets.values())


def test_a_new_secret_joins_without_changing_the_others(tmp_path: Path) -> None:
    first = Instance(tmp_path).secrets()
    text = (tmp_path / "secrets.json").read_text().replace("MLFLOW_DB_PASSWORD", "AN_OLD_NAME")
    (tmp_path / "secrets.json").write_text(text)
    second = Instance(tmp_path).secrets()
    assert second["MLFLOW_DB_PASSWORD"] != first["MLFLOW_DB_PASSWORD"]
    assert second["POSTGRES_PASSWORD"] == first["POSTGRES_PASSWORD"]


def test_a_taken_port_is_passed_over(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUNDLES_POSTGRES_PORT", raising=False)
    assert taken < choose_port("postgres", taken) <= taken + 99


def test_a_port_that_the_user_fixed_is_never_changed(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLES_POSTGRES_PORT", str(taken))
    with pytest.raises(LocalError, match=f"port {taken}.*BUNDLES_POSTGRES_PORT.*taken"):
        choose_port("postgres", 55432)


def test_a_fixed_port_that_is_no_number_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLES_MLFLOW_PORT", "web")
    with pytest.raises(LocalError, match="BUNDLES_MLFLOW_PORT"):
        choose_port("mlflow", 55000)


def test_ports_stay_the_same_between_calls(tmp_path: Path) -> None:
    assert Instance(tmp_path).ports() == Instance(tmp_path).ports()


def test_forgotten_ports_can_be_chosen_again(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    chosen = instance.ports()
    instance.forget_ports()
    assert instance.ports() == chosen


def test_two_homes_are_two_instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLES_HOME", str(tmp_path / "one"))
    one = current()
    monkeypatch.setenv("BUNDLES_HOME", str(tmp_path / "two"))
    two = current()
    assert one.home != two.home
    assert one.secrets() != two.secrets()


def test_two_stacks_that_start_at_the_same_moment_choose_different_ports(tmp_path: Path) -> None:
    code = "from local.instance import choose_port; print(choose_port('unset', 31000), flush=True); input()"
    line = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(line, cwd=REPOSITORY, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    chosen = [one.stdout.readline() for one in both]
    for one in both:
        one.communicate("\n")
    assert chosen[0] != chosen[1]
