"""One instance of the stack: where its state lies, its secrets and its ports."""

import base64
import fcntl
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

REPOSITORY = Path(__file__).resolve().parent.parent

PASSWORDS = (
    "POSTGRES_PASSWORD",
    "BUNDLES_WAREHOUSE__OWNER_PASSWORD",
    "BUNDLES_WAREHOUSE__LOADER_PASSWORD",
    "BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD",
    "BUNDLES_WAREHOUSE__ML_PASSWORD",
    "BUNDLES_WAREHOUSE__PUBLISHER_PASSWORD",
    "BUNDLES_WAREHOUSE__ANALYST_PASSWORD",
    "AIRFLOW_DB_PASSWORD",
    "MLFLOW_DB_PASSWORD",
    "AIRFLOW_ADMIN_PASSWORD",
    "MLFLOW_TRACKING_PASSWORD",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__CORE__FERNET_KEY",
)
DEFAULT_PORTS = {"postgres": 55432, "mlflow": 55000, "airflow": 58080, "dashboard": 58501}
_RESERVED: dict[int, TextIO] = {}


class LocalError(Exception):
    """Something a person can mend; shown as one line."""


@dataclass(frozen=True)
class Instance:
    """A home folder and what is remembered in it.

    Attributes
    ----------
    home
        Folder of secrets, ports, logs, process ids and the data of Airflow and MLflow.
    """

    home: Path

    @property
    def logs(self) -> Path:
        """Return the folder of the components' logs."""
        return self.home / "logs"

    @property
    def pids(self) -> Path:
        """Return the folder of process ids."""
        return self.home / "pids"

    @contextmanager
    def in_one_hand(self) -> Iterator[None]:
        """Let one process at a time start and stop parts of this instance; the others wait."""
        with (self.home / "hand.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def secrets(self) -> dict[str, str]:
        """Return the generated secrets by environment name, made at the first call and kept in a 0600 file."""
        path = self.home / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        missing = [name for name in PASSWORDS if name not in known]
        if missing:
            known |= {name: _generated(name) for name in missing}
            write_private(path, json.dumps(known, indent=1))
        return known

    def ports(self) -> dict[str, int]:
        """Return the ports of this instance, chosen at the first call.

        Raises
        ------
        LocalError
            When a port fixed by ``BUNDLES_<NAME>_PORT`` is taken by somebody else at the first call.
        """
        path = self.home / "ports.json"
        if path.exists():
            ports: dict[str, int] = json.loads(path.read_text("utf-8"))
            missing = {name: default for name, default in DEFAULT_PORTS.items() if name not in ports}
            if not missing:
                return ports
        else:
            ports, missing = {}, DEFAULT_PORTS
        ports |= {name: choose_port(name, default) for name, default in missing.items()}
        write_private(path, json.dumps(ports))
        return ports

    def forget_ports(self) -> None:
        """Forget the chosen ports, so that the next start chooses anew."""
        for port in self.ports().values():
            if port in _RESERVED:
                _RESERVED.pop(port).close()
        (self.home / "ports.json").unlink(missing_ok=True)


def current() -> Instance:
    """Return the instance of ``BUNDLES_HOME``, by default ``.bundles`` in the repository; its folders exist."""
    home = Path(os.environ.get("BUNDLES_HOME") or REPOSITORY / ".bundles").resolve()
    instance = Instance(home)
    for folder in (home, instance.logs, instance.pids, home / "airflow", home / "mlflow", home / "dbt"):
        folder.mkdir(parents=True, exist_ok=True)
    return instance


def _generated(name: str) -> str:
    # A Fernet key is 32 bytes in URL-safe base64; everything else takes any text.
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() if "FERNET" in name else secrets.token_hex(32)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def is_free(port: int) -> bool:
    """Tell whether nothing listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Keep a port from stacks that start at the same moment, until this process ends: by then its server listens."""
    try:
        lock = (Path(tempfile.gettempdir()) / f"bundles-port-{port}.lock").open("a")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    _RESERVED[port] = lock
    return True


def choose_port(name: str, default: int) -> int:
    """Return the port fixed in the environment, else the first free one from ``default`` on.

    Raises
    ------
    LocalError
        When the fixed port is taken, or none of the next hundred is free.
    """
    variable = f"BUNDLES_{name.upper()}_PORT"
    fixed = os.environ.get(variable)
    if fixed:
        if not fixed.isdecimal() or not 0 < int(fixed) < 65536:
            raise LocalError(f"{variable} is {fixed!r}; it must be a port number")
        if not is_free(int(fixed)):
            raise LocalError(f"port {fixed} ({variable}) is taken by another program; free it or name another")
        return int(fixed)
    for port in range(default, default + 100):
        if is_free(port) and _reserve(port):
            return port
    raise LocalError(f"no free port for {name} from {default} to {default + 99}; name one by {variable}")
