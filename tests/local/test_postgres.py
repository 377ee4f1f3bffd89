"""The embedded cluster: it keeps its data, recovers by itself, and lets nobody in without a password."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psycopg2
import pytest

from local.instance import Instance, LocalError, choose_port
from local.postgres import Server


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    Server(tmp_path, 0, {"POSTGRES_PASSWORD": ""}).remove()


def server(home: Path, passwords: dict[str, str] | None = None) -> Server:
    """A server on any free port, like the one a new call of the command line would make."""
    return Server(home, choose_port("unset", 40000 + os.getpid() % 10000), passwords or Instance(home).secrets())


def answer(one: Server, query: str) -> str:
    connection = psycopg2.connect(
        host="127.0.0.1", port=one.port, user="postgres", password=one.passwords["POSTGRES_PASSWORD"], dbname="postgres"
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return str(cursor.fetchone()[0]) if cursor.description else ""  # type: ignore[index]
    finally:
        connection.close()


def test_data_survive_a_crash_and_a_pid_file_that_names_another_process(home: Path) -> None:
    first = server(home)
    first.start()
    assert answer(first, "show fsync") == "on"
    answer(first, "create table kept as select 7 as answer")
    leader = first.process()
    assert leader is not None
    os.kill(leader.pid, signal.SIGKILL)
    while first.is_running():
        time.sleep(0.05)
    (first.data / "postmaster.pid").write_text(f"{os.getpid()}\n{first.data}\n")
    second = server(home)
    assert not second.is_running(), "a foreign process is not our server"
    second.start()
    assert answer(second, "select answer from kept") == "7"


def test_a_home_that_was_deleted_starts_fresh_and_the_old_data_stay_beside(home: Path) -> None:
    old = server(home)
    old.start()
    answer(old, "create table old_shop ()")
    (home / "secrets.json").unlink()
    new = server(home)
    new.start()
    assert answer(new, "select count(*) from pg_class where relname = 'old_shop'") == "0"
    assert new.data.with_name("postgres.earlier").is_dir()


def test_a_cluster_whose_making_was_interrupted_is_made_anew(home: Path) -> None:
    one = server(home)
    half = one.data.with_suffix(".part")
    (half / "base").mkdir(parents=True)
    one.start()
    assert answer(one, "select datcollate from pg_database where datname = 'postgres'") == "C.UTF-8"
    assert not half.exists()


def test_a_taken_port_is_named_with_the_log(home: Path, postgres: Server) -> None:
    with pytest.raises(LocalError, match=f"(?s)port {postgres.port}.*could not bind"):
        Server(home, postgres.port, Instance(home).secrets()).start()


def test_nobody_enters_without_a_password(postgres: Server) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=postgres.port, dbname="shop", user="bundles_owner", password="")


def test_making_the_roles_again_changes_nothing_but_passwords(postgres: Server) -> None:
    facts = """select md5(string_agg(r::text, ';' order by r::text)) from (
        select rolname, rolsuper, rolcreatedb, rolcanlogin, rolconfig::text from pg_roles
        union all select datname, false, false, false, datacl::text from pg_database
        where datname in ('shop', 'airflow', 'mlflow')
    ) as r"""
    before = answer(postgres, facts)
    postgres.prepare()
    assert answer(postgres, facts) == before


@pytest.mark.parametrize("role", ["bundles_loader", "bundles_transformer", "bundles_ml", "bundles_publisher"])
def test_a_writer_whose_client_died_is_stopped_and_no_writer_waits_long_for_a_lock(postgres: Server, role: str) -> None:
    connection = psycopg2.connect(
        host="127.0.0.1",
        port=postgres.port,
        dbname="shop",
        user=role,
        password=postgres.client_environment(role)["PGPASSWORD"],
    )
    with connection, connection.cursor() as cursor:
        names = ("client_connection_check_interval", "lock_timeout", "idle_in_transaction_session_timeout")
        cursor.execute("select current_setting(name) from unnest(%s) as name", (list(names),))
        assert cursor.fetchall() == [("500ms",), ("5s",), ("5min",)]
    connection.close()


def test_each_login_enters_its_own_database_only(postgres: Server) -> None:
    for user, database in (("mlflow", "shop"), ("airflow", "mlflow"), ("bundles_analyst", "airflow")):
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            psycopg2.connect(
                host="127.0.0.1",
                port=postgres.port,
                dbname=database,
                user=user,
                password=postgres.client_environment(user)["PGPASSWORD"],
            )


def test_the_server_takes_no_login_without_a_password(postgres: Server) -> None:
    lines = (postgres.data / "pg_hba.conf").read_text("utf-8").splitlines()
    methods = {line.split()[-1] for line in lines if line.strip() and not line.startswith("#")}
    assert methods == {"scram-sha-256"}
    assert answer(postgres, "select bool_and(rolpassword like 'SCRAM-SHA-256$%') from pg_authid where rolcanlogin") == (
        "True"
    )


def test_the_log_says_who_came_in_and_who_changed_what(postgres: Server) -> None:
    answer(postgres, "create table traced ()")
    answer(postgres, "drop table traced")
    log = (postgres.data.parent / "postgres.log").read_text("utf-8")
    assert "connection authorized: user=postgres database=postgres" in log
    assert "statement: drop table traced" in log
    assert "statement: alter role bundles_analyst connection limit" in log.lower()


def test_the_log_holds_nothing_that_customers_said(postgres: Server) -> None:
    for statement in ("select 'ann@example.com'::int", "create table said (body text primary key)"):
        with suppress(psycopg2.Error):
            answer(postgres, statement)
    with suppress(psycopg2.errors.UniqueViolation):
        answer(postgres, "insert into said values ('my review'), ('my review')")
    answer(postgres, "drop table said")
    log = (postgres.data.parent / "postgres.log").read_text("utf-8")
    assert 'duplicate key value violates unique constraint "said_pkey"' in log
    assert "my review" not in log and "select 'ann" not in log


def test_a_cluster_of_an_older_version_takes_over_new_settings(home: Path) -> None:
    old = server(home)
    old.start()
    old.stop()
    conf = old.data / "postgresql.conf"
    text = conf.read_text("utf-8")
    conf.write_text("".join(line for line in text.splitlines(True) if "log_statement = 'ddl'" not in line))
    new = server(home)
    new.start()
    assert answer(new, "show log_statement") == "ddl"
    new.stop()
    new.start()
    assert conf.read_text("utf-8").count("\nlog_statement = ") == 1, "and writes them once"


def test_the_log_holds_no_password(postgres: Server) -> None:
    log = (postgres.data.parent / "postgres.log").read_text("utf-8")
    assert not [name for name, value in postgres.passwords.items() if value in log]


def environment_of_psql(one: Server, monkeypatch: pytest.MonkeyPatch, call: Callable[[Server], object]) -> list[str]:
    """Return the values in the environment of the psql that a call starts."""
    given: list[Mapping[str, str]] = []

    def run(*_: object, env: Mapping[str, str], **__: object) -> SimpleNamespace:
        given.append(env)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr("local.postgres.subprocess.run", run)
    call(one)
    assert len(given) == 1
    return list(given[0].values())


@pytest.mark.parametrize(
    ("call", "own"),
    [
        (lambda one: one.psql("bundles_analyst", "shop"), "BUNDLES_WAREHOUSE__ANALYST_PASSWORD"),
        (lambda one: one.psql("postgres", "shop", reads_only=True), "POSTGRES_PASSWORD"),
        (lambda one: one.run("mlflow", "pg_dump"), "POSTGRES_PASSWORD"),
    ],
)
def test_a_client_is_given_one_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[Server], object], own: str
) -> None:
    secrets = Instance(tmp_path).secrets()
    for name, value in secrets.items():
        # As in `python -m local exec`, whose environment holds them.
        monkeypatch.setenv(name, value)
    values = environment_of_psql(Server(tmp_path, 9, secrets), monkeypatch, call)
    assert [name for name, value in secrets.items() if any(value in given for given in values)] == [own]


def test_who_makes_the_roles_is_given_all_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = Instance(tmp_path).secrets()
    values = environment_of_psql(Server(tmp_path, 9, secrets), monkeypatch, Server.make_roles)
    assert set(secrets.values()) <= set(values)


def test_psql_of_the_analyst_holds_one_password_in_truth(
    postgres: Server, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in postgres.passwords.items():
        monkeypatch.setenv(name, value)
    assert postgres.psql("bundles_analyst", "shop", ["-qAtc", "select 'in as ' || current_user", "-c", "\\! env"]) == 0
    seen = capfd.readouterr().out
    assert "in as bundles_analyst" in seen
    assert [name for name, value in postgres.passwords.items() if value in seen] == [
        "BUNDLES_WAREHOUSE__ANALYST_PASSWORD"
    ]
