"""What stands between a stage and a server: an MLflow of a test's own, and a door that can be shut."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from local.instance import choose_port


class Door:
    """A port through which a server is reached, or not: shutting it is quicker than starting the server anew.

    Parameters
    ----------
    server_port, host
        Of the server on this machine, and the address at which the door is.
    options
        Level, name and value of what is set on the connections of clients, as the server would.
    """

    def __init__(self, server_port: int, host: str = "127.0.0.1", options: Sequence[tuple[int, int, int]] = ()) -> None:
        self._host, self._to, self._pairs = host, server_port, list[socket.socket]()
        self._options = options
        self._listener: socket.socket | None = None
        self.port = choose_port("door", server_port + 1)

    def open(self) -> None:
        """Let everybody through."""
        self._listener = socket.create_server((self._host, self.port))
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse everybody, and cut off who is inside."""
        if self._listener is None:
            return
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
                for option in self._options:
                    client.setsockopt(*option)
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


@contextmanager
def mlflow_server(home: Path, store: Path, artifacts: Path) -> Iterator[int]:
    """Run an MLflow server on a store and a folder of artifacts, and give its port."""
    port = choose_port("mlflow_server", 33000)
    line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    line += ["--backend-store-uri", f"sqlite:///{store}", "--artifacts-destination", str(artifacts)]
    with (home / "log").open("wb") as log:
        quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        server = subprocess.Popen(line, cwd=home, env=quiet, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_health(port, home / "log")
        yield port
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
