"""Processes that outlive the command that starts them, remembered by id and start time."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.instance import REPOSITORY, Instance

GRACE_SECONDS = 15


@dataclass(frozen=True)
class Component:
    """A long-running process of the stack: its name and command line."""

    name: str
    command: Sequence[str]

    def pid_file(self, instance: Instance) -> Path:
        """Return where the process id is kept."""
        return instance.pids / f"{self.name}.json"

    def start(self, instance: Instance, environment: Mapping[str, str]) -> None:
        """Start the process in a session of its own, unless it runs already."""
        if self.process(instance):
            return
        with (instance.logs / f"{self.name}.log").open("ab") as log:
            child = subprocess.Popen(
                self.command,
                env=dict(environment),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = psutil.Process(child.pid).create_time()
        self.pid_file(instance).write_text(json.dumps({"pid": child.pid, "started": started}), encoding="utf-8")

    def process(self, instance: Instance) -> psutil.Process | None:
        """Return the running process; None when it is down or its id belongs to another process by now."""
        try:
            known = json.loads(self.pid_file(instance).read_text("utf-8"))
            process = psutil.Process(known["pid"])
            if abs(process.create_time() - known["started"]) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except (OSError, ValueError, psutil.NoSuchProcess):
            pass
        return None

    def memory_mb(self, instance: Instance) -> float:
        """Return the proportional memory of the process and its children, in MB."""
        process = self.process(instance)
        return sum(map(memory_mb, [process, *process.children(recursive=True)])) if process else 0.0


def stop(components: Sequence[Component], instance: Instance) -> None:
    """End the components with everything they started; return when none is left."""
    family: list[psutil.Process] = []
    for component in components:
        process = component.process(instance)
        if process:
            family += [process, *process.children(recursive=True)]
            _signal_group(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=GRACE_SECONDS)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=5)
    for component in components:
        component.pid_file(instance).unlink(missing_ok=True)


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def memory_mb(process: psutil.Process) -> float:
    """Return the proportional memory of one process in MB; resident memory where the system tells no better."""
    try:
        facts = process.memory_full_info()
        return float(getattr(facts, "pss", facts.rss)) / 2**20
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
