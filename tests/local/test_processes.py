"""Processes that outlive their command: found again, told apart from strangers, ended with all they started."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import processes
from local.instance import Instance
from local.processes import Component, end_left_behind, facts, stop

SLEEP = "import time; time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', '{SLEEP}'], start_new_session=True); {SLEEP}"


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 1)
    one = Instance(tmp_path)
    one.logs.mkdir()
    one.pids.mkdir()
    yield one
    stop([Component("parent", [])], one)


def started(instance: Instance) -> tuple[Component, psutil.Process, psutil.Process]:
    """Start a component whose child leaves its process group, and return component, leader and child."""
    component = Component("parent", [sys.executable, "-c", PARENT])
    component.start(instance, os.environ)
    leader = component.process(instance)
    assert leader is not None
    while not leader.children():
        time.sleep(0.05)
    return component, leader, leader.children()[0]


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_second_start_finds_the_first(instance: Instance) -> None:
    component, leader, _ = started(instance)
    component.start(instance, os.environ)
    assert component.process(instance) == leader


def test_stopping_ends_children_that_left_the_group(instance: Instance) -> None:
    component, leader, child = started(instance)
    stop([component], instance)
    assert gone(leader) and gone(child)
    assert not component.pid_file(instance).exists()


def test_stopping_ends_children_whose_parent_was_killed(instance: Instance) -> None:
    component, leader, child = started(instance)
    leader.kill()
    leader.wait()
    assert component.process(instance) is None
    assert not gone(child)
    stop([component], instance)
    assert gone(child)


@pytest.mark.parametrize("end", [end_left_behind, stop])
def test_what_a_killed_leader_left_behind_is_ended_though_it_hides_its_mark(instance: Instance, end: Any) -> None:
    """As Airflow's workers do, which rename themselves and outlive their scheduler."""
    code = f"import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', {PARENT!r}], env={{}}); {SLEEP}"
    component = Component("parent", [sys.executable, "-c", code])
    component.start(instance, os.environ)
    leader = component.process(instance)
    assert leader is not None and component.left_behind(instance) == []
    while len(leader.children(recursive=True)) < 2:
        time.sleep(0.05)
    family = leader.children(recursive=True)
    leader.kill()
    leader.wait()
    assert set(component.left_behind(instance)) == set(family)
    end([component], instance)
    assert all(gone(process) for process in family)


def test_a_session_whose_number_a_stranger_has_is_left_alone(instance: Instance) -> None:
    component, leader, child = started(instance)
    known = facts(leader)
    known["started"] -= 5
    component.pid_file(instance).write_text(json.dumps(known))
    assert component.process(instance) is None and component.left_behind(instance) == []
    assert leader.is_running() and child.is_running()


@pytest.mark.parametrize("stranger", ["of another program", "older than the component", "of another boot"])
def test_what_a_dead_stranger_left_behind_in_a_session_of_that_number_is_left_alone(
    instance: Instance, stranger: str
) -> None:
    sleep = ["sleep", "600"] if stranger == "of another program" else [sys.executable, "-c", SLEEP]
    code = f"import subprocess, time; print(subprocess.Popen({sleep!r}).pid, flush=True); {SLEEP}"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        left = psutil.Process(int(leader.stdout.readline()))
        while left.cmdline() != sleep:
            time.sleep(0.05)
        known = facts(psutil.Process(leader.pid))
        leader.kill()
    component = Component("parent", [])
    changed = {"older than the component": {"started": known["started"] + 60}, "of another boot": {"boot": "another"}}
    component.pid_file(instance).write_text(json.dumps({**known, **changed.get(stranger, {})}))
    try:
        end_left_behind([component], instance)
        assert left.is_running() and not gone(left)
        component.pid_file(instance).write_text(json.dumps(known))
        assert component.left_behind(instance) == ([] if stranger == "of another program" else [left])
    finally:
        left.send_signal(signal.SIGKILL)


@pytest.mark.parametrize(
    "name",
    [
        "airflow worker -- LocalExecutor: <idle>",
        "[ready] airflow api-server worker",
        "airflow worker -- LocalExecutor: longer than the line was",
    ],
)
def test_a_process_that_airflow_named_anew_is_ours(name: str) -> None:
    longer = 800 if "longer" in name else 0
    code = f"from setproctitle import setproctitle; setproctitle({name!r} + '.' * {longer}); print(flush=True); {SLEEP}"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline()
        process = psutil.Process(child.pid)
        named, is_ours = " ".join(process.cmdline()), processes._is_ours(process, facts(process)["started"])
        child.kill()
    assert sys.prefix not in named and is_ours


def test_a_clock_that_is_set_hides_no_process(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a virtual machine that went on from a snapshot: else the keeper would start all a second time."""
    component, leader, _ = started(instance)
    begun = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: begun + 86_400)
    assert psutil.Process(leader.pid).create_time() > leader.create_time() + 80_000
    assert component.process(instance) == leader


def test_whose_number_was_another_process_is_found_left_behind(instance: Instance) -> None:
    """A program that runs for long, as the keeper does, meets each number again."""
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', '{SLEEP}']); {SLEEP}"
    component = Component("parent", [sys.executable, "-c", code])
    component.start(instance, os.environ)
    leader = component.process(instance)
    assert leader is not None
    while [one.cmdline() for one in leader.children()] != [[sys.executable, "-c", SLEEP]]:
        time.sleep(0.05)
    (child,) = leader.children()
    remembered = next(one for one in psutil.process_iter() if one == child)
    remembered._create_time = child.create_time() - 3_600  # type: ignore[attr-defined]
    leader.kill()
    leader.wait()
    assert component.left_behind(instance) == [child]


def test_stopping_one_instance_leaves_another_alone(instance: Instance, tmp_path: Path) -> None:
    _, leader, child = started(instance)
    other = Instance(tmp_path / "other")
    other.pids.mkdir(parents=True)
    stop([Component("parent", [])], other)
    assert leader.is_running() and child.is_running()


def test_a_stale_pid_file_is_not_mistaken_for_a_running_component(instance: Instance) -> None:
    component = Component("parent", [])
    component.pid_file(instance).write_text(json.dumps({**facts(psutil.Process()), "started": 1.0}))
    assert component.process(instance) is None
    component.pid_file(instance).write_text("half a fi")
    assert component.process(instance) is None


def test_memory_counts_the_children(instance: Instance) -> None:
    component, leader, child = started(instance)
    leader_alone = component.memory_mb(instance)
    child.kill()
    while leader.children() and not gone(child):
        time.sleep(0.05)
    assert 0 < component.memory_mb(instance) < leader_alone
