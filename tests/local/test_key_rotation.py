"""What Airflow encrypted is read with the new key, and not with the old one, once the runbook's lines are typed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from cryptography.fernet import Fernet, InvalidToken

from local.instance import DEFAULT_PORTS, REPOSITORY, write_private
from local.postgres import Server

pytestmark = pytest.mark.slow
KEY = "AIRFLOW__CORE__FERNET_KEY"
KEPT = "kept in airflow"
ENCRYPTED = "select val from variable union all select password from connection union all select kwargs from trigger"
ENGINE = """#!/bin/bash
# docker compose VERB SERVICE COMMAND: runs the command here, with the key that .env has now.
[ "$2" != up ] || exit 0
exec python -m local exec env "$(grep ^AIRFLOW__CORE__FERNET_KEY= .env)" "${@:4}"
"""
"""What stands in for Docker."""


@pytest.fixture
def home(postgres: Server, tmp_path: Path) -> Path:
    """A home whose Airflow has its tables in the tests' Postgres, and no component that runs."""
    secrets = json.loads((postgres.home / "secrets.json").read_text("utf-8"))
    write_private(tmp_path / "secrets.json", json.dumps(secrets, indent=1))
    write_private(tmp_path / "ports.json", json.dumps({**DEFAULT_PORTS, "postgres": postgres.port}))
    write_private(tmp_path / ".env", f"BEFORE=x,y\n{KEY}={secrets[KEY]}\nAFTER=x,y\n")
    for name, text in {"make": "#!/bin/bash\n", "docker": ENGINE}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def airflow(postgres: Server, home: Path) -> Iterator[psycopg2.extensions.connection]:
    """Airflow's database, in which a variable, a connection and a task that waits are encrypted."""
    where = {"host": "127.0.0.1", "port": postgres.port, "dbname": "airflow", "user": "airflow"}
    with closing(psycopg2.connect(password=postgres.passwords["AIRFLOW_DB_PASSWORD"], **where)) as connection:  # type: ignore[call-overload]
        connection.autocommit = True
        try:
            encrypt_something(home, connection)
            yield connection
        finally:
            connection.cursor().execute("drop owned by airflow")


def encrypt_something(home: Path, connection: psycopg2.extensions.connection) -> None:
    """Let Airflow make its tables and keep something in three of them."""
    typed(home, "python -m local exec airflow db migrate")
    typed(home, f"python -m local exec airflow variables set a_variable '{KEPT}'")
    typed(home, f"python -m local exec airflow connections add a_place --conn-type generic --conn-password '{KEPT}'")
    waits = Fernet(key_in(home / ".env")).encrypt(KEPT.encode()).decode()
    connection.cursor().execute(
        "insert into trigger (classpath, kwargs, created_date) values ('a.Trigger', %s, now())", [waits]
    )


def typed(home: Path, lines: str) -> str:
    """Type lines in the folder of ``.env``; nothing may fail."""
    path = f"{home}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY), "BUNDLES_HOME": str(home)}
    line = ["bash", "-euc", lines]
    done = subprocess.run(line, cwd=home, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def key_in(path: Path) -> str:
    (key,) = re.findall(rf'{KEY}(?:=|": ")([^"\n]+)', path.read_text("utf-8"))
    return str(key)


def lines_that_change(file: str) -> str:
    """Return the block of docs/runbook.md that changes the key in a file."""
    text = (REPOSITORY / "docs" / "runbook.md").read_text("utf-8")
    # Blocks in a language too, or the end of one would be taken for the beginning of the next.
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.S | re.M)
    (block,) = [block for block in blocks if "rotate-fernet-key" in block and file in block]
    return str(block)


@pytest.mark.parametrize("file", ["secrets.json", ".env"])
def test_what_was_encrypted_with_the_old_key_is_read_with_the_new_one_alone(
    home: Path, airflow: psycopg2.extensions.connection, file: str
) -> None:
    before, old = (home / file).read_text("utf-8"), key_in(home / file)
    typed(home, lines_that_change(file))
    new = key_in(home / file)
    assert new != old and (home / file).read_text("utf-8") == before.replace(old, new), "one key, and nothing else"
    assert (home / file).stat().st_mode & 0o077 == 0
    with airflow.cursor() as cursor:
        cursor.execute(ENCRYPTED)
        encrypted = [value for (value,) in cursor.fetchall()]
    assert [Fernet(new).decrypt(value).decode() for value in encrypted] == [KEPT] * 3
    for value in encrypted:
        with pytest.raises(InvalidToken):
            Fernet(old).decrypt(value)
    assert KEPT in typed(home, f"python -m local exec env {KEY}={new} airflow variables get a_variable")
