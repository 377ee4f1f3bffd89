"""The system account that runs Postgres: the caller, or the user ``bundles`` when the caller is root.

Postgres refuses to run as root. The account gets neither a shell nor a home, only the folders given to it.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.errors import StackError

SYSTEM_USER = "bundles"
SYSTEM_FOLDER = Path("/var/lib/bundles")
USER_EXISTS = 9  # exit code of useradd


@dataclass(frozen=True)
class Account:
    """Who runs the server's programs; ``name`` None is the caller."""

    name: str | None

    def run(
        self, command: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this account, from the root folder and with a small environment.

        The output goes through a file that is read afterwards: a server left behind by the program would keep
        a pipe open, and the caller would wait for it for ever.
        """
        plain = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        words = [str(word) for word in command]
        drop = {} if self.name is None else {"user": self.name, "group": self._entry().pw_gid, "extra_groups": []}
        with tempfile.TemporaryFile("w+") as output:
            code = subprocess.run(
                words, cwd="/", env={**plain, **(env or {})}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, check=False, **drop,
            ).returncode  # fmt: skip
            output.seek(0)
            return subprocess.CompletedProcess(words, code, output.read(), "")

    def can(self, command: Sequence[str | Path]) -> bool:
        """Say whether this account can run ``command`` with success."""
        try:
            return self.run(command).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False

    def own(self, folder: Path) -> None:
        """Create ``folder``, readable by this account alone."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.name is not None:
            os.chown(folder, self._entry().pw_uid, self._entry().pw_gid)
        folder.chmod(0o700)

    def _entry(self) -> pwd.struct_passwd:
        return pwd.getpwnam(str(self.name))


def server_account() -> Account:
    """Return the account for the server; as root, create the system user ``bundles`` when it is missing.

    Raises
    ------
    StackError
        When the user cannot be created.
    """
    if os.geteuid() != 0:
        return Account(None)
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _create_user()
    return Account(SYSTEM_USER)


def _create_user() -> None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise StackError(
            f"Postgres refuses to run as root and there is no useradd to make a system user; create one named "
            f"{SYSTEM_USER!r}, or run as an ordinary user"
        )
    command = [program, "--system", "--user-group", "--no-create-home", "--home-dir", str(SYSTEM_FOLDER)]
    done = subprocess.run(
        [*command, "--shell", "/usr/sbin/nologin", SYSTEM_USER], capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, USER_EXISTS):
        raise StackError(f"could not create the system user {SYSTEM_USER!r}: {done.stderr.strip()}")
