"""Roles by psql as the superuser, then the numbered migrations by dbmate as the owner role."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from local.errors import StackError
from local.postgres import Cluster

REPOSITORY = Path(__file__).resolve().parent.parent
DATABASE = REPOSITORY / "database"
ROLE_PASSWORDS = (
    "BUNDLES_WAREHOUSE__OWNER_PASSWORD",
    "BUNDLES_WAREHOUSE__LOADER_PASSWORD",
    "BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD",
    "BUNDLES_WAREHOUSE__ML_PASSWORD",
    "BUNDLES_WAREHOUSE__PUBLISHER_PASSWORD",
    "BUNDLES_WAREHOUSE__ANALYST_PASSWORD",
    "AIRFLOW_DB_PASSWORD",
    "MLFLOW_DB_PASSWORD",
)


def create_roles(cluster: Cluster, passwords: Mapping[str, str]) -> None:
    """Create or refresh the roles and the databases shop, airflow and mlflow.

    Raises
    ------
    StackError
        When a password is missing, or a statement fails.
    """
    missing = [name for name in ROLE_PASSWORDS if not passwords.get(name)]
    if missing:
        raise StackError(f"no value for {', '.join(missing)}")
    cluster.psql(DATABASE / "roles.sql", env={name: passwords[name] for name in ROLE_PASSWORDS})


def migrate(port: int, owner_password: str, *, database: str = "shop", arguments: tuple[str, ...] = ("migrate",)) -> str:
    """Apply the migrations that are missing, or run another dbmate command, and return its output.

    Raises
    ------
    StackError
        With dbmate's message, when a migration fails; it is rolled back as a whole.
    """
    url = f"postgres://bundles_owner:{quote(owner_password, safe='')}@127.0.0.1:{port}/{database}?sslmode=disable"
    program = Path(sys.executable).with_name("dbmate")
    options = ["--migrations-dir", str(DATABASE / "migrations"), "--no-dump-schema", "--migration-lock"]
    done = subprocess.run(
        [str(program), *options, *arguments],
        env={**os.environ, "DATABASE_URL": url}, cwd=DATABASE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise StackError(f"dbmate {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()
