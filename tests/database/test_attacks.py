"""What somebody with the analyst's password may try: it is refused, or it ends."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg2
import psycopg2.errors as errors
import pytest

from local.postgres import Server
from ml.settings import Settings
from ml.warehouse import Warehouse

Connection = psycopg2.extensions.connection
CONNECTIONS = 40


def connect(server: Server, database: str, role: str = "bundles_analyst") -> Connection:
    where = {"host": "127.0.0.1", "port": server.port, "dbname": database, "user": role}
    return psycopg2.connect(password=server.client_environment(role)["PGPASSWORD"], **where)  # type: ignore[call-overload]


@pytest.fixture
def analyst(postgres: Server, database: str) -> Iterator[Connection]:
    """An analyst who has switched off what an analyst can."""
    with closing(connect(postgres, database)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("set default_transaction_read_only = off; set statement_timeout = 0")
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to program 'touch {canary}'",
        "copy (select 1) to '{canary}'",
        "copy marts.x from '/etc/passwd'",
        "select pg_read_file('/etc/passwd')",
        "select pg_read_binary_file('postgresql.conf')",
        "select pg_ls_dir('/')",
        "select lo_import('/etc/passwd')",
        "select lo_create(0)",
        "select pg_advisory_lock(hashtext('raw.orders'))",
        "select pg_try_advisory_xact_lock_shared(n, n) from generate_series(1, 100000) as n",
        "select lo_from_bytea(0, 'much')",
        "set role bundles_owner",
        "set role bundles_ml",
        "set session authorization postgres",
        "create extension dblink",
        "create extension file_fdw",
        "create server out foreign data wrapper postgres_fdw",
        "create schema mine",
        "create table marts.mine (a int)",
        "create table public.mine (a int)",
        "create temporary table mine (a int)",
        "create function serve.mine() returns int language sql as 'select 1'",
        "create function pg_temp.mine() returns int language sql as 'select 1'",
        "create operator marts.= (leftarg = text, rightarg = text, function = texteq)",
        "create event trigger mine on ddl_command_start execute function ops.keep_offers()",
        "alter role bundles_analyst superuser",
        "alter system set log_statement = 'none'",
        "set temp_file_limit = -1",
        "set log_statement = 'none'",
        "select pg_reload_conf()",
        "select rolpassword from pg_authid",
        "select * from pg_stat_file('postgresql.conf')",
        "select ops.publish(1, 1, 'me')",
        "select * from ops.quarantine",
        "select * from raw.customers",
    ],
)
def test_an_analyst_is_refused(analyst: Connection, tmp_path: Path, statement: str) -> None:
    canary = tmp_path / "canary"
    refused = (
        errors.InsufficientPrivilege,
        # The schemas and wrappers named here are not there at all.
        errors.UndefinedObject,
        errors.UndefinedTable,
    )
    with pytest.raises(refused), analyst.cursor() as cursor:
        cursor.execute(statement.format(canary=canary))
    assert not canary.exists()


def test_an_analyst_ends_no_session_but_their_own(analyst: Connection, postgres: Server, database: str) -> None:
    with closing(connect(postgres, database, "bundles_ml")) as other:
        statement = f"select pg_terminate_backend({other.info.backend_pid})"
        with pytest.raises(errors.InsufficientPrivilege), analyst.cursor() as cursor:
            cursor.execute(statement)


def test_limits_that_hold_for_an_analyst_who_asks_for_nothing(postgres: Server, database: str) -> None:
    wanted = {
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "temp_file_limit": "2GB",
        "default_transaction_read_only": "on",
        "search_path": "marts",
    }
    with closing(connect(postgres, database)) as connection, connection.cursor() as cursor:
        cursor.execute("select name, current_setting(name) from unnest(%s) as name", (list(wanted),))
        assert dict(cursor.fetchall()) == wanted


@pytest.mark.parametrize(
    "statement",
    ["select pg_sleep(1e6)", "select count(*) from " + " cross join ".join(f"pg_class as c{n}" for n in range(10))],
)
def test_a_statement_without_end_is_ended(postgres: Server, database: str, statement: str) -> None:
    """By the very timeout that an analyst starts with, made shorter here so that nobody waits for it."""
    with closing(connect(postgres, database)) as connection, connection.cursor() as cursor:
        cursor.execute("set statement_timeout = '300ms'")
        began = time.monotonic()
        with pytest.raises(errors.QueryCanceled, match="statement timeout"):
            cursor.execute(statement)
        assert time.monotonic() - began < 5


def test_a_sort_that_would_fill_the_disk_is_ended(postgres: Server, database: str) -> None:
    with closing(connect(postgres, database, "postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("set temp_file_limit = '1MB'; set work_mem = '64kB'; set role bundles_analyst")
        with pytest.raises(errors.ConfigurationLimitExceeded):
            cursor.execute("select count(*) from (select n from generate_series(1, 1000000) as n order by -n offset 0)")


def test_analysts_cannot_use_up_the_connections_of_everybody(postgres: Server, database: str) -> None:
    with ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(closing(connect(postgres, database)))
        with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
            connect(postgres, database)
        closing(connect(postgres, database, "bundles_publisher")).__enter__().close()


def test_what_lies_in_the_way_of_a_caller_is_not_run_with_the_owners_rights(settings: Settings) -> None:
    """A role that may make temporary objects puts a table of the pointer's name before it; the function looks past."""
    with Warehouse(settings, "ml").transaction() as connection, connection.cursor() as cursor:
        cursor.execute(
            "create temporary table leases (scope text, run_id bigint, epoch bigint);"
            "create temporary table runs (like ops.runs);"
            "insert into leases values ('personal', 7, 7);"
            "set local search_path = pg_temp, ops, pg_catalog"
        )
        with pytest.raises(psycopg2.Error, match="fenced"):
            cursor.execute("select ops.hold_lease('personal', 7::bigint, 7::bigint)")
