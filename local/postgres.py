"""The embedded Postgres server: TCP on 127.0.0.1, SCRAM passwords, durable settings, data kept between runs."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from local.instance import REPOSITORY, LocalError, write_private
from local.programs import ROOT_STATE, programs, server_user

SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "password_encryption": "'scram-sha-256'",
    "max_connections": "100",
    "shared_buffers": "'256MB'",
    "work_mem": "'32MB'",
    "maintenance_work_mem": "'128MB'",
    "max_wal_size": "'2GB'",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "lc_messages": "'C'",
    "log_connections": "'authorization'",
    "log_statement": "'ddl'",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""``log_connections`` and ``log_statement`` leave in the server's log who came in as which role, and who changed tables
or rights; the next two keep out of it what customers said, which stands in a statement that failed and in its detail. A
client that was cut off is known to be gone within a minute, also while an answer is on its way to it (the last: ms)."""


@dataclass(frozen=True)
class Server:
    """One cluster.

    Attributes
    ----------
    home
        Folder of the instance; the data lie in it, or for root under /var/lib/bundles by a hash of it.
    port
        TCP port on 127.0.0.1.
    passwords
        The generated secrets by environment name.
    is_durable
        False switches fsync off, for throw-away clusters only.
    """

    home: Path
    port: int
    passwords: Mapping[str, str]
    is_durable: bool = True

    @property
    def data(self) -> Path:
        """Return the data folder of the cluster."""
        if os.geteuid() != 0:
            return self.home / "postgres"
        return ROOT_STATE / hashlib.sha256(str(self.home).encode()).hexdigest()[:16] / "postgres"

    @property
    def url(self) -> str:
        """Return the owner's connection URL of database ``shop``."""
        password = self.passwords["BUNDLES_WAREHOUSE__OWNER_PASSWORD"]
        return f"postgres://bundles_owner:{password}@127.0.0.1:{self.port}/shop?sslmode=disable"

    def start(self) -> None:
        """Make the cluster when there is none, start it when it is down.

        Raises
        ------
        LocalError
            When the server does not start; the message names its log.
        """
        self._set_stranger_aside()
        if not self.data.exists():
            self._create()
        if self.is_running():
            return
        # A crash leaves the file; its number may belong to another process by now and would block the start.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._settle()
        log = self.data.parent / "postgres.log"
        options = f"-p {self.port} -c fsync={'on' if self.is_durable else 'off'}"
        done = self._run(["pg_ctl", "start", "-w", "-t", "120", "-D", self.data, "-l", log, "-o", options])
        if done.returncode:
            raise LocalError(f"Postgres did not start on port {self.port}; its log is {log}\n{_tail(log)}")

    def stop(self) -> None:
        """Stop the server; no effect when it is down."""
        if self.is_running():
            self._run(["pg_ctl", "stop", "-w", "-m", "fast", "-D", self.data])

    def process(self) -> psutil.Process | None:
        """Return the server of this very data folder; None when it is down."""
        try:
            process = psutil.Process(int((self.data / "postmaster.pid").read_text("utf-8").split()[0]))
            return process if str(self.data) in process.cmdline() else None
        except (OSError, ValueError, IndexError, psutil.Error):
            return None

    def is_running(self) -> bool:
        """Tell whether a server runs on the data folder."""
        return self.process() is not None

    def remove(self) -> None:
        """Stop the server and delete its data and log."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        if self.data.is_relative_to(ROOT_STATE):
            shutil.rmtree(self.data.parent, ignore_errors=True)

    def _set_stranger_aside(self) -> None:
        """Make room where the home was deleted and made anew while root's data, which lie elsewhere, stayed.

        Their passwords are gone with the home. They are kept beside, in case only the secrets were lost.
        """
        mark = self.data.parent / "home-mark"
        ours = hashlib.sha256(self.passwords["POSTGRES_PASSWORD"].encode()).hexdigest()
        if self.data.exists() and mark.exists() and mark.read_text("utf-8") != ours:
            self.stop()
            aside = self.data.with_name(f"{self.data.name}.earlier")
            shutil.rmtree(aside, ignore_errors=True)
            self.data.rename(aside)
        self.data.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(ours, "utf-8")

    def prepare(self) -> None:
        """Make roles and databases, then apply the migrations; safe to repeat."""
        self.make_roles()
        migrate(self.url)

    def make_roles(self) -> None:
        """Make roles and empty databases; safe to repeat."""
        line = ["psql", "-v", "ON_ERROR_STOP=1", "-qf", str(REPOSITORY / "database" / "roles.sql")]
        # The one call that sets all passwords, and so the one that is given all.
        _checked(line, {**self.client_environment(), **self.passwords})

    def psql(self, user: str, database: str, arguments: Sequence[str] = (), reads_only: bool = False) -> int:
        """Run psql as a role with the terminal's input and output; return its exit code."""
        env = self.client_environment(user, database)
        if reads_only:
            env["PGOPTIONS"] = "-c default_transaction_read_only=on"
        return subprocess.run([programs() / "psql", *arguments], env=env, check=False).returncode

    def client_environment(self, user: str = "postgres", database: str = "postgres") -> dict[str, str]:
        """Return the environment with which libpq programs connect as ``user``: of the passwords it holds that one."""
        names = {"postgres": "POSTGRES_PASSWORD", "airflow": "AIRFLOW_DB_PASSWORD", "mlflow": "MLFLOW_DB_PASSWORD"}
        role = user.removeprefix("bundles_").upper()
        password = self.passwords[names.get(user, f"BUNDLES_WAREHOUSE__{role}_PASSWORD")]
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": user, "PGDATABASE": database}
        own = {name: value for name, value in os.environ.items() if name not in self.passwords}
        return {**own, **where, "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10"}

    def _create(self) -> None:
        part = self.data.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        secret = self.data.parent / "superuser"
        write_private(secret, self.passwords["POSTGRES_PASSWORD"])
        if os.geteuid() == 0:
            owner = server_user()
            ROOT_STATE.chmod(0o755)
            self.data.parent.chmod(0o755)
            os.chown(self.data.parent, owner.pw_uid, owner.pw_gid)
            os.chown(secret, owner.pw_uid, owner.pw_gid)
        try:
            done = self._run(
                [
                    *("initdb", "-D", part, "-U", "postgres", "--pwfile", secret, "--auth", "scram-sha-256"),
                    *("--locale", "C.UTF-8", "--encoding", "UTF8", "--no-instructions"),
                ]
            )
        finally:
            secret.unlink()
        if done.returncode:
            raise LocalError(f"initdb failed: {done.stderr.strip()}")
        part.rename(self.data)

    def _settle(self) -> None:
        """Write the settings that the cluster lacks: all at first, later those that a newer version brought."""
        path = self.data / "postgresql.conf"
        known = set(re.findall(r"^(\w+) = ", path.read_text("utf-8"), re.M))
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in SETTINGS.items() if name not in known)

    def _run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        options: dict[str, Any] = {"env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, "cwd": "/"}
        if os.geteuid() == 0:
            owner = server_user()
            options |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        # pg_ctl leaves the server with its output: a pipe would keep us waiting for the server's end.
        if "start" in command:
            options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        else:
            options["capture_output"] = True
        name, *rest = command
        return subprocess.run([programs() / name, *rest], text=True, check=False, stdin=subprocess.DEVNULL, **options)

    def run(self, database: str, program: str, *arguments: str) -> str:
        """Run a program of Postgres as the superuser and return what it printed.

        Raises
        ------
        LocalError
            When it fails; the message is the program's own.
        """
        return _checked([program, *arguments], self.client_environment("postgres", database))


def _checked(line: Sequence[str], env: Mapping[str, str]) -> str:
    program, *arguments = line
    done = subprocess.run([programs() / program, *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{program}: {done.stderr.strip()}")
    return done.stdout


def migrate(url: str) -> None:
    """Apply the numbered migrations of ``database/migrations`` to the database of ``url``.

    Raises
    ------
    LocalError
        When a migration fails; it is rolled back.
    """
    done = subprocess.run(
        ["dbmate", "--migrations-dir", REPOSITORY / "database" / "migrations", "--no-dump-schema", "up"],
        env={**os.environ, "DATABASE_URL": url, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalError(f"migrations: {done.stderr.strip() or done.stdout.strip()}")


def _tail(path: Path, lines: int = 12) -> str:
    if not path.exists():
        return ""
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:])
