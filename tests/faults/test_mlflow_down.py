"""MLflow does not answer: training goes on without it, registering waits for it, and says so within two minutes."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from local.instance import choose_port
from ml.settings import Settings, TrackingSettings
from tests.faults.children import Fault, Try, attempt
from tests.faults.conftest import LONG, Report
from tests.faults.points import ALIAS, STORE
from tests.faults.world import AGAIN, World, wait_until_stopped

pytestmark = [pytest.mark.faults, pytest.mark.slow]
LIMIT_SECONDS = 120
STAGE = "train_preference"
MOMENTS = {
    "in training": Fault("", STAGE, "ml.tracking.runs:Run.metrics", signal=signal.SIGSTOP),
    "at registration": Fault("", STAGE, STORE, containing="model", signal=signal.SIGSTOP),
    "at the change of the alias": Fault("", STAGE, ALIAS, signal=signal.SIGSTOP),
}
TRIED = list(MOMENTS) if LONG else ["at the change of the alias"]


class Door:
    """A port through which a server is reached, or not: shutting it is quicker than starting the server anew."""

    def __init__(self, server_port: int) -> None:
        self._to, self._pairs = server_port, list[socket.socket]()
        self._listener: socket.socket | None = None
        self.port = choose_port("door", server_port + 1)

    def open(self) -> None:
        """Let everybody through."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse everybody, and cut off who is inside."""
        assert self._listener is not None
        # A listener that another thread waits for would take one more before it is closed.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._pairs:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._pairs += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door to an MLflow server with a store of its own."""
    home = tmp_path_factory.mktemp("mlflow_server")
    port = choose_port("mlflow_server", 33000)
    line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    line += ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}", "--artifacts-destination", str(home / "files")]
    with (home / "log").open("wb") as log:
        quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        server = subprocess.Popen(line, cwd=home, env=quiet, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_health(port, home / "log")
        yield Door(port)
    finally:
        for one in [*psutil.Process(server.pid).children(recursive=True), server]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        server.wait()


def wait_for_health(port: int, log: Path) -> None:
    """Return once the server answers."""
    deadline = time.monotonic() + 90
    while True:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return
        assert time.monotonic() < deadline, log.read_text("utf-8")[-2000:]
        time.sleep(0.3)


@pytest.fixture
def through_the_door(world: World, door: Door) -> Settings:
    world.begin("published")
    return world.settings.model_copy(update={"tracking": TrackingSettings(uri=f"http://127.0.0.1:{door.port}")})


def test_down_before_the_start_costs_a_try_within_the_limit(
    world: World, through_the_door: Settings, report: Report
) -> None:
    started = time.monotonic()
    done = attempt(through_the_door, "train_preference", AGAIN, world.home)
    seconds = time.monotonic() - started
    broken = world.broken()
    report("MLflow down before the start", f"exit {done.code} after {seconds:.0f} s: {done.words[:50]}", broken)
    assert done.code == 75 and "MLflow at http" in done.words
    assert seconds <= LIMIT_SECONDS
    assert broken == []


@pytest.mark.parametrize("moment", TRIED)
def test_down_while_a_model_is_made(
    world: World, door: Door, through_the_door: Settings, moment: str, report: Report
) -> None:
    door.open()
    old = world.content().published
    first = Try(through_the_door, STAGE, AGAIN, world.home, MOMENTS[moment])
    wait_until_stopped(first.pid)
    door.shut()
    started = time.monotonic()
    psutil.Process(first.pid).resume()
    died = first.outcome()
    seconds = time.monotonic() - started
    broken, still = world.broken(), world.content().published
    door.open()
    second = attempt(through_the_door, STAGE, AGAIN, world.home)
    door.shut()
    report(f"MLflow down {moment}", f"exit {died.code} after {seconds:.0f} s; with it back: {second.code}", broken)
    assert died.code == 75 and "MLflow" in died.words, died
    assert seconds <= LIMIT_SECONDS
    assert still == old
    assert (second.code, broken + world.broken()) == (0, [])
