"""Processes that outlive the command that starts them, remembered by id, boot and time of start since then."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from local.instance import REPOSITORY, Instance

GRACE_SECONDS = 30
SLACK_SECONDS = 2
"""Linux rounds the time of its start to seconds, and rounds otherwise when the clock was set."""
MARK = "BUNDLES_INSTANCE"
"""Environment variable that every process of an instance inherits: how those are found whose parent died."""


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
                env={**environment, MARK: str(instance.home)},
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid_file(instance).write_text(json.dumps(facts(psutil.Process(child.pid))), encoding="utf-8")

    def process(self, instance: Instance) -> psutil.Process | None:
        """Return the running process; None when it is down or its id belongs to another process by now."""
        with suppress(OSError, ValueError, KeyError, psutil.Error):
            known = json.loads(self.pid_file(instance).read_text("utf-8"))
            process = psutil.Process(known["pid"])
            now = facts(process)
            is_same = now["boot"] == known["boot"] and abs(now["started"] - known["started"]) < SLACK_SECONDS
            if is_same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def left_behind(self, instance: Instance) -> list[psutil.Process]:
        """Return what runs on of a process that was killed: the rest of its session, with all that those started.

        By session and not by mark: Airflow names its processes anew, and their environment goes with the old name. The
        file outlives a crash of the machine, after which the number may be anybody's: then nothing is ours.
        """
        if self.process(instance):
            return []
        with suppress(OSError, ValueError, KeyError):
            known = json.loads(self.pid_file(instance).read_text("utf-8"))
            session, started = int(known["pid"]), float(known["started"])
            # While one process of a session is left, its number goes to no other; a leader there is a stranger.
            if known["boot"] != _boot() or _is_at_work(session):
                return []
            # It would tell the age of the process that had a number when this program last asked.
            psutil.process_iter.cache_clear()
            rest = [one for one in psutil.process_iter() if _session(one) == session and _is_ours(one, started)]
            return list(dict.fromkeys(one for member in rest for one in (member, *_children(member))))
        return []

    def memory_mb(self, instance: Instance, is_alone: bool = False) -> float:
        """Return the proportional memory of the process, and of its children unless it ``is_alone``, in MB."""
        process = self.process(instance)
        if process is None:
            return 0.0
        return sum(map(memory_mb, [process, *([] if is_alone else process.children(recursive=True))]))


def end_left_behind(components: Sequence[Component], instance: Instance) -> None:
    """End what runs on of components that were killed, as the end of a container would: it is begun anew."""
    left = [process for component in components for process in component.left_behind(instance)]
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)


def stop(components: Sequence[Component], instance: Instance) -> None:
    """End the components with everything they started; return when none is left."""
    end_left_behind(components, instance)
    leaders = [process for component in components if (process := component.process(instance))]
    family = {process: None for leader in leaders for process in (leader, *leader.children(recursive=True))}
    for leader in leaders:
        _signal_group(leader.pid, signal.SIGTERM)
    psutil.wait_procs(list(family), timeout=GRACE_SECONDS)
    left = list(dict.fromkeys([*family, *_marked(instance)]))
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    for component in components:
        component.pid_file(instance).unlink(missing_ok=True)


def _marked(instance: Instance) -> Iterator[psutil.Process]:
    """Yield what still runs of an instance, orphans included."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(instance.home):
                yield process


def facts(process: psutil.Process) -> dict[str, Any]:
    """Return what tells a process from all others, before and after: no setting of the clock changes it."""
    return {"pid": process.pid, "boot": _boot(), "started": process.create_time() - psutil.boot_time()}


def _boot() -> str:
    """Return what names the time since the machine was started; without Linux it changes with the clock."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    return str(psutil.boot_time())


def _is_at_work(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _is_ours(process: psutil.Process, started: float) -> bool:
    """Tell whether a process is of this user and this Python, or named by Airflow, and no older than the leader."""
    try:
        is_younger = facts(process)["started"] > started - SLACK_SECONDS
        # Joined, since a title that is longer than the line was is given in words.
        line = " ".join(process.cmdline())
        is_named = line.startswith((f"{sys.prefix}{os.sep}", "airflow ")) or "] airflow api-server worker" in line
        return is_younger and is_named and process.uids().real == os.getuid()
    except psutil.Error:
        return False


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def memory_mb(process: psutil.Process) -> float:
    """Return the proportional memory of one process in MB; resident memory where the system tells no better."""
    try:
        facts = process.memory_full_info()
        return float(getattr(facts, "pss", facts.rss)) / 2**20
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
