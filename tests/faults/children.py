"""Stages in processes of their own, as Airflow runs them, with a fault planted from outside: the code knows of none.

The processes are forked from a server that has only imported, so a case does not pay for imports.
"""

import ctypes
import importlib
import io
import logging
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import psycopg2
import psycopg2.extensions

from ml.errors import ShopError
from ml.params import Context
from ml.settings import Settings

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.faults.imports"])
SIGKILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Fault:
    """A moment in a stage at which its process kills or stops itself.

    Attributes
    ----------
    name, stage
        For the report, and the stage that is broken.
    where
        ``module:attribute`` of the function at which it happens; or ``commit``, ``copy``, ``dbt line``.
    when
        Before or after the ``nth`` call of it whose arguments hold the text ``containing``.
    signal
        SIGKILL, or SIGSTOP for a try that sleeps on and wakes when another one has taken over.
    """

    name: str
    stage: str
    where: str
    when: Literal["before", "after"] = "before"
    nth: int = 1
    containing: str = ""
    signal: int = signal.SIGKILL


@dataclass(frozen=True)
class Outcome:
    """How a process ended: its exit code, negative for a signal, and its last words."""

    code: int
    words: str

    @property
    def was_killed(self) -> bool:
        """Return whether the planted fault happened."""
        return self.code == SIGKILLED


BEGUN: list["Try"] = []
"""The tries of the test that runs."""


class Try:
    """One try of a stage, in the network of this machine or in a namespace that ``ip netns`` has made."""

    def __init__(
        self,
        settings: Settings,
        stage: str,
        context: Context,
        folder: Path,
        fault: Fault | None = None,
        namespace: str | None = None,
    ) -> None:
        self._words = folder / f"words_{stage}_{id(self)}"
        arguments = (settings, stage, context, str(folder / "mlflow"), str(self._words), fault, namespace)
        self.process: BaseProcess = FORKS.Process(target=_work, args=arguments)
        self.process.start()
        BEGUN.append(self)

    @property
    def pid(self) -> int:
        """Return the process id."""
        assert self.process.pid is not None
        return self.process.pid

    def outcome(self, seconds: float = 300) -> Outcome:
        """Wait for the end, and end what the process leaves behind, as the task does that started it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"{self.process} has not ended after {seconds} s"
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        words = self._words.read_text("utf-8") if self._words.exists() else ""
        self._words.unlink(missing_ok=True)
        return Outcome(self.process.exitcode, words)


def end_begun() -> None:
    """End the tries that a test has begun and not seen to their end, stopped ones too."""
    for one in BEGUN:
        if one.process.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
            # It may not have made its group yet.
            one.process.kill()
            one.process.join(30)
    BEGUN.clear()


def attempt(settings: Settings, stage: str, context: Context, folder: Path, fault: Fault | None = None) -> Outcome:
    """Run a stage in a process of its own to its end."""
    return Try(settings, stage, context, folder, fault).outcome()


def _work(
    settings: Settings,
    stage: str,
    context: Context,
    folder: str,
    words: str,
    fault: Fault | None,
    namespace: str | None,
) -> None:
    os.setpgrp()
    if namespace is not None:
        _enter(namespace)
    os.chdir(folder)
    logging.disable(logging.INFO)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    if fault is not None:
        plant(fault)
    try:
        importlib.import_module(f"ml.stages.{stage}").run(settings, context)
    except ShopError as error:
        Path(words).write_text(f"{type(error).__name__}: {error}", "utf-8")
        sys.exit(error.exit_code)
    except BaseException:
        Path(words).write_text(traceback.format_exc(), "utf-8")
        sys.exit(1)


def _enter(namespace: str) -> None:
    """Let this process see no other network from now on; ``os.setns`` comes with Python 3.12."""
    with Path("/run/netns", namespace).open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0):
            raise OSError(ctypes.get_errno(), namespace)


def plant(fault: Fault) -> None:
    """Let this process break at the fault's moment."""
    strike = _Countdown(fault)
    special: dict[str, Callable[[_Countdown], None]] = {
        "commit": _at_commit,
        "copy": _while_copying,
        "dbt line": _at_a_line_of_dbt,
    }
    if fault.where in special:
        special[fault.where](strike)
        return
    module, _, path = fault.where.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    original = getattr(owner, name)

    @wraps(original)
    def breaking(*args: Any, **kwargs: Any) -> Any:
        said = " ".join(
            str(one) for one in (*args, *kwargs.values()) if isinstance(one, str) or hasattr(one, "qualified")
        )
        is_due = strike.counts(said)
        if is_due and fault.when == "before":
            strike.now()
        result = original(*args, **kwargs)
        if is_due and fault.when == "after":
            strike.now()
        return result

    setattr(owner, name, breaking)


class _Countdown:
    def __init__(self, fault: Fault) -> None:
        self.fault, self._left = fault, fault.nth

    def counts(self, said: str) -> bool:
        """Return whether this is the moment."""
        if self.fault.containing not in said:
            return False
        self._left -= 1
        return self._left == 0

    def now(self) -> None:
        os.kill(os.getpid(), self.fault.signal)


def _at_commit(strike: _Countdown) -> None:
    """Break when the statement that is looked for is done, and its transaction is to be committed."""

    class BreakingConnection(psycopg2.extensions.connection):
        said = ""

        def __exit__(self, *error: Any) -> None:
            if strike.counts(self.said):
                strike.now()
            super().__exit__(*error)

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, statement: Any, values: Any = None) -> None:
            self.connection.said = statement if isinstance(statement, str) else statement.as_string(self.connection)  # type: ignore[attr-defined]
            super().execute(statement, values)

    connect = psycopg2.connect
    psycopg2.connect = lambda *args, **kwargs: connect(  # type: ignore[assignment]
        *args, **kwargs, connection_factory=BreakingConnection, cursor_factory=Cursor
    )


def _while_copying(strike: _Countdown) -> None:
    """Break when rows of a delivery were sent, and the end of the stream is not."""

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() and strike.counts(""):
                strike.now()
            return super().read(size)

    importlib.import_module("ml.landing").io = SimpleNamespace(BytesIO=Breaking)  # type: ignore[attr-defined]


def _at_a_line_of_dbt(strike: _Countdown) -> None:
    transform = importlib.import_module("ml.transform")
    original = transform._stripped

    def breaking(output: Any) -> Iterator[str]:
        for line in original(output):
            yield line
            if strike.counts(line):
                strike.now()

    transform._stripped = breaking  # type: ignore[attr-defined]
