"""A copy of all that a stack keeps, and its return into an empty one.

A backup is a folder: one dump a database, the artifacts of MLflow, and ``manifest.json`` with the sha256 of each. It
holds no password: roles are made anew with those of the stack that takes it over. It holds customer data, and is for
its owner alone.
"""

import hashlib
import json
import os
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from local.environment import git_commit
from local.instance import LocalError, write_private
from local.postgres import Server, migrate

DATABASES = ("shop", "airflow", "mlflow")
ARTIFACTS = "mlflow-artifacts.tar"
MANIFEST = "manifest.json"


def backup(server: Server, target: Path) -> list[str]:
    """Write a backup of a running stack into a new folder and return the names of its files.

    Each dump is the state of one moment, without a pause for anybody. The artifacts are copied after the database that
    names them, so that none is missing.

    Raises
    ------
    LocalError
        When the folder is there already, Postgres is down, or a dump fails; nothing is left then.
    """
    if target.exists():
        raise LocalError(f"{target} is there already; name a new folder for each backup")
    if not server.is_running():
        raise LocalError("Postgres is down; start the stack with `make up`, then call again")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    before = os.umask(0o077)
    try:
        for database in DATABASES:
            server.run(database, "pg_dump", "--format=custom", f"--file={part / database}.dump")
        with tarfile.open(part / ARTIFACTS, "w") as tar:
            tar.add(server.home / "mlflow", arcname="mlflow")
        files = {path.name: _sha256(path) for path in sorted(part.iterdir())}
        facts = {"made_at": datetime.now(UTC).isoformat(timespec="seconds"), "git_commit": git_commit(), "files": files}
        write_private(part / MANIFEST, json.dumps(facts, indent=1))
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        os.umask(before)
    return [*files, MANIFEST]


def restore(server: Server, source: Path) -> None:
    """Fill an empty stack from a backup, then apply the migrations that are newer than it.

    Raises
    ------
    LocalError
        When a file is missing or differs from its manifest, or the stack holds something already; nothing is changed
        then. When a dump does not restore.
    """
    _verify(source)
    artifacts = server.home / "mlflow"
    if artifacts.exists() and any(artifacts.iterdir()):
        raise LocalError(f"{artifacts} is not empty; restore into a new home (BUNDLES_HOME), or move the old one away")
    server.start()
    server.make_roles()
    for database in DATABASES:
        held = server.run(database, "psql", "-qAtc", "select count(*) from pg_stat_user_tables").strip()
        if held != "0":
            raise LocalError(f"database {database} holds {held} tables; restore into a new home (BUNDLES_HOME)")
    for database in DATABASES:
        dump = str(source / f"{database}.dump")
        server.run(database, "pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={database}", dump)
        # A fresh database knows nothing of its tables, and answers slowly until it does.
        server.run(database, "psql", "-qc", "analyze")
    with tarfile.open(source / ARTIFACTS) as tar:
        tar.extractall(server.home, filter="data")
    migrate(server.url)


def _verify(source: Path) -> None:
    try:
        files: dict[str, str] = json.loads((source / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError) as error:
        raise LocalError(f"{source} is no backup: {error}") from error
    wanted = {*(f"{database}.dump" for database in DATABASES), ARTIFACTS}
    for name in sorted(wanted | set(files)):
        path = source / name
        if name not in files or not path.is_file():
            raise LocalError(f"{source} is not whole: {name} is missing")
        if _sha256(path) != files[name]:
            raise LocalError(f"{path} is not what was written: its sha256 differs from the manifest")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
