"""What was backed up comes back whole, into an empty stack with other passwords; what is damaged does not."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from local.backup import ARTIFACTS, DATABASES, backup, restore
from local.instance import REPOSITORY, Instance, LocalError, choose_port
from local.postgres import Server
from local.programs import programs
from tests.canaries import files_below, hits
from tests.database.permissions import surprises

TABLES = """select n.nspname, c.relname from pg_class as c inner join pg_namespace as n on c.relnamespace = n.oid
where c.relkind in ('r', 'p', 'v') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1, 2"""


def connect(server: Server, database: str) -> psycopg2.extensions.connection:
    where = {"host": "127.0.0.1", "port": server.port, "dbname": database, "user": "postgres"}
    return psycopg2.connect(password=server.passwords["POSTGRES_PASSWORD"], **where)  # type: ignore[call-overload]


def content(server: Server) -> dict[str, str]:
    """Return a hash of every table and view of the three databases, and of every artifact."""
    found = {}
    for database in DATABASES:
        with closing(connect(server, database)) as connection, connection.cursor() as cursor:
            cursor.execute(TABLES)
            for schema, table in cursor.fetchall():
                cursor.execute(
                    "select count(*) || md5(coalesce(string_agg(t::text, '|' order by t::text), ''))"
                    f' from "{schema}"."{table}" as t'
                )
                found[f"{database}.{schema}.{table}"] = cursor.fetchone()[0]  # type: ignore[index]
    for path in files_below(server.home / "mlflow"):
        found[str(path.relative_to(server.home))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def started(home: Path) -> Server:
    (home / "mlflow").mkdir(parents=True)
    port = choose_port("unset", 46000 + os.getpid() % 10000)
    return Server(home, port, Instance(home).secrets(), is_durable=False)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A stack with something in each place, and its backup."""
    folder = tmp_path_factory.mktemp("kept")
    server = started(folder / "home")
    server.start()
    try:
        server.prepare()
        with closing(connect(server, "shop")) as shop, shop, shop.cursor() as cursor:
            cursor.execute(
                "insert into ops.load_manifest (source, table_name, file_name, file_sha256, status)"
                " select 's', 't', 'f' || n, 'x' || n, 'accepted' from generate_series(1, 7) as n;"
                "insert into raw.products (product_id, title, image_vector, load_id)"
                " values ('p1', E'ünï ''quoted''\\n\\\\.', '{1.5,2}', 1), ('p2', null, null, 1);"
                "select ops.open_run('personal', '2024-03-31', 'kept', 1, '{\"a\": [1]}', 'abc');"
                "insert into ml.candidates select run_id, 'c', 'p1', 0.1, '{bought}', 1, 1 from ops.runs;"
                "insert into ops.audits select run_id, 1, 'one', true, 0 from ops.runs;"
                "select ops.publish(run_id, 1, 'me') from ops.runs;"
                "create view marts.shown as select * from ml.candidates"
                " where run_id = (select run_id from ops.published);"
                "alter view marts.shown owner to bundles_transformer; grant select on marts.shown to bundles_analyst"
            )
        for database in ("airflow", "mlflow"):
            with closing(connect(server, database)) as other, other, other.cursor() as cursor:
                cursor.execute(f"set role {database}; create table mine (n serial, t text);")
                cursor.execute("insert into mine (t) select 'x' || n from generate_series(1, 100) as n")
        (server.home / "mlflow" / "1" / "model").mkdir(parents=True)
        (server.home / "mlflow" / "1" / "model" / "weights.bin").write_bytes(bytes(range(256)) * 100)
        backup(server, folder / "backup")
        yield server, folder / "backup"
    finally:
        server.remove()


def test_a_backup_holds_no_password_and_is_for_its_owner_alone(kept: tuple[Server, Path]) -> None:
    server, folder = kept
    assert folder.stat().st_mode & 0o077 == 0
    assert not [path for path in files_below(folder) if path.stat().st_mode & 0o077]
    assert hits(dict(server.passwords), files_below(folder)) == []


def test_a_restored_stack_has_the_same_content_rights_and_counters(kept: tuple[Server, Path], tmp_path: Path) -> None:
    server, folder = kept
    other = started(tmp_path / "home")
    try:
        restore(other, folder)
        assert content(other) == content(server)
        assert len(content(other)) > 60
        assert other.passwords["POSTGRES_PASSWORD"] != server.passwords["POSTGRES_PASSWORD"]
        with closing(connect(other, "shop")) as shop, shop.cursor() as cursor:
            assert surprises(shop) == []
            # The next run takes the next number, and its partitions fit.
            cursor.execute("select run_id from ops.open_run('personal', '2024-04-01', 'next', 1, '{}', '')")
            assert cursor.fetchone() == (2,)
        with pytest.raises(LocalError, match="is not empty"):
            restore(other, folder)
        shutil.rmtree(other.home / "mlflow")
        with pytest.raises(LocalError, match="database shop holds"):
            restore(other, folder)
    finally:
        other.remove()


@pytest.mark.parametrize("name", ["shop.dump", ARTIFACTS])
def test_a_damaged_backup_changes_nothing(kept: tuple[Server, Path], tmp_path: Path, name: str) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(kept[1], damaged)
    content = bytearray((damaged / name).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / name).write_bytes(content)
    other = started(tmp_path / "home")
    with pytest.raises(LocalError, match=f"{name} is not what was written"):
        restore(other, damaged)
    (damaged / name).unlink()
    with pytest.raises(LocalError, match=f"{name} is missing"):
        restore(other, damaged)
    with pytest.raises(LocalError, match="is no backup"):
        restore(other, tmp_path)
    assert not other.data.exists()


def test_a_backup_replaces_none_and_leaves_no_half(kept: tuple[Server, Path], tmp_path: Path) -> None:
    server, folder = kept
    with pytest.raises(LocalError, match="is there already"):
        backup(server, folder)
    shutil.move(server.home / "mlflow", tmp_path / "away")
    try:
        with pytest.raises(FileNotFoundError):
            backup(server, tmp_path / "half")
    finally:
        shutil.move(tmp_path / "away", server.home / "mlflow")
    assert [path.name for path in tmp_path.iterdir()] == []
    with pytest.raises(LocalError, match="Postgres is down"):
        backup(Server(tmp_path, 1, server.passwords), tmp_path / "none")


ENGINE = """#!/bin/bash
# docker compose VERB OPTIONS SERVICE COMMAND: runs the command here, where the service would.
shift; verb=$1; shift
while [[ ${1:-} == -* ]]; do shift; done
service=${1:-}; shift
echo "$verb $service" >> "$ASKED"
case $verb in build|down|up) exit 0;; esac
[ $service != migrate ] || export PGHOST=127.0.0.1 PGUSER=postgres PGDATABASE=postgres PGPASSWORD=$POSTGRES_PASSWORD
exec "${@//\\/var\\/lib\\/mlflow/$ARTIFACTS}"
"""
"""What stands in for Docker; a service holds the names that docker-compose.yaml gives it."""


def lines_of_the_services(first: str) -> str:
    """Return the block of docs/runbook.md that holds a line."""
    text = (REPOSITORY / "docs" / "runbook.md").read_text("utf-8")
    (block,) = [block for _, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M) if first in block]
    return str(block)


def typed(lines: str, server: Server, folder: Path, answers: str = "") -> subprocess.CompletedProcess[str]:
    """Type lines of the runbook, with the backup in ``folder``, where a service is a program of this machine."""
    (folder / "docker").write_text(ENGINE)
    (folder / "docker").chmod(0o755)
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        **server.passwords,
        "PATH": f"{folder}:{programs()}:{os.environ['PATH']}",
        "PGPORT": str(server.port),
        "ASKED": str(folder / "asked"),
        "ARTIFACTS": str(server.home / "mlflow"),
    }
    line = ["bash", "-c", lines.replace("/safe/place", str(folder))]
    # Without a terminal, psql asks for a new password on standard input.
    return subprocess.run(
        line,
        cwd=REPOSITORY,
        env=env,
        input=answers,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def test_the_lines_for_services_back_up_and_restore_and_change_the_superusers_password(
    kept: tuple[Server, Path], tmp_path: Path
) -> None:
    server, _ = kept
    saving, back = lines_of_the_services("pg_dump"), lines_of_the_services("pg_restore")
    done = typed(saving, server, tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "2026-11-28"
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}.dump" for name in DATABASES),
        ARTIFACTS,
        "SHA256SUMS",
    }
    assert not [path for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077]
    other = started(tmp_path / "home")
    try:
        other.start()
        done = typed(back, other, tmp_path)
        assert done.returncode == 0, done.stderr
        assert content(other) == content(server)
        with closing(connect(other, "shop")) as shop:
            assert surprises(shop) == []
        new = "fresh0123456789"
        done = typed(lines_of_the_services("password postgres"), other, tmp_path, f"{new}\n{new}\n")
        assert done.returncode == 0, done.stderr
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            connect(other, "shop")
        changed = Server(other.home, other.port, {**other.passwords, "POSTGRES_PASSWORD": new}, is_durable=False)
        changed.make_roles()
    finally:
        other.remove()


def test_the_lines_for_services_stop_at_what_fails(kept: tuple[Server, Path], tmp_path: Path) -> None:
    server, _ = kept
    nowhere = Server(server.home, 9, server.passwords)
    assert typed(lines_of_the_services("pg_dump"), nowhere, tmp_path).returncode
    folder = tmp_path / "2026-11-28"
    assert not (folder / "SHA256SUMS").exists()
    for name in (*(f"{name}.dump" for name in DATABASES), ARTIFACTS):
        (folder / name).write_text("damaged")
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  shop.dump\n")
    (tmp_path / "asked").unlink()
    assert typed(lines_of_the_services("pg_restore"), nowhere, tmp_path).returncode
    assert (tmp_path / "asked").read_text().split("\n")[:-1] == ["down ", "build "], "nothing is touched"
