"""The rights of the migrated database are those of the stored matrix, and a right too many is found."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from local.postgres import Server
from tests.database.permissions import MATRIX, surprises, unused_lines

Connection = psycopg2.extensions.connection
BY_DBT = {"table staging.*", "table intermediate.*", "table features.*", "table marts.*"}
"""Lines of objects that dbt makes."""
PER_RUN = {"table ml.*_r[0-9]*"}


@pytest.fixture
def superuser(postgres: Server) -> Iterator[Connection]:
    """A connection to the database `shop` itself, as roles.sql and the migrations left it."""
    where = {"host": "127.0.0.1", "port": postgres.port, "dbname": "shop", "user": "postgres"}
    connection = psycopg2.connect(password=postgres.passwords["POSTGRES_PASSWORD"], **where)  # type: ignore[call-overload]
    with closing(connection):
        yield connection
        connection.rollback()


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_every_cell_of_the_matrix_is_as_stated(superuser: Connection) -> None:
    assert surprises(superuser, ignored="test_*") == []


def test_every_line_of_the_matrix_speaks_of_something(superuser: Connection) -> None:
    assert set(unused_lines(superuser)) == BY_DBT | PER_RUN


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("grant select (order_id) on raw.orders to bundles_ml", "bundles_ml may select table raw.orders"),
        ("create table ml.forgotten ()", "bundles_ml may not select table ml.forgotten"),
        ("create function ops.loose() returns int language sql as 'select 1';"
         "grant execute on function ops.loose to public", "bundles_analyst may execute function ops.loose"),
        ("create schema loose; grant usage on schema loose to public", "public may usage schema loose"),
        ("grant temporary on database shop to public", "bundles_publisher may temporary database shop"),
        ("revoke select on ops.runs from bundles_publisher", "bundles_publisher may not select table ops.runs"),
        ("grant bundles_ml to bundles_analyst", "bundles_analyst may insert table ml.bundles"),
    ],
)  # fmt: skip
def test_a_right_too_many_or_too_few_is_a_surprise(superuser: Connection, change: str, found: str) -> None:
    with superuser.cursor() as cursor:
        cursor.execute(change)
    assert found in surprises(superuser, ignored="test_*")


def test_the_loader_may_cancel_an_order_and_change_nothing_else_of_it(superuser: Connection) -> None:
    query = (
        "select attname from pg_attribute where attrelid = 'raw.orders'::regclass and attnum > 0"
        " and has_column_privilege('bundles_loader', attrelid, attnum, 'update') order by attname"
    )
    assert rows(superuser, query) == [("load_id",), ("status",)]


def test_no_role_is_more_than_its_rights(superuser: Connection) -> None:
    members: dict[str, list[str]] = {}
    for member, of in rows(
        superuser,
        "select member::regrole::text, roleid::regrole::text from pg_auth_members"
        " where member::regrole::text not like 'pg\\_%'",
    ):
        members.setdefault(str(member), []).append(str(of))
    assert members == MATRIX["members"]
    powers = rows(
        superuser,
        "select rolname from pg_roles where rolname not like 'pg\\_%' and rolname <> 'postgres'"
        " and (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)",
    )
    assert powers == []


def test_what_is_made_later_is_closed_to_everybody(superuser: Connection) -> None:
    for role in ("bundles_owner", "bundles_transformer"):
        with superuser.cursor() as cursor:
            cursor.execute(f"set role {role}; create function marts.later() returns int language sql as 'select 1'")
        ((is_open,),) = rows(superuser, "select has_function_privilege('public', 'marts.later()', 'execute')")
        assert is_open is False, role
        superuser.rollback()


def test_a_function_with_its_owners_rights_looks_only_where_it_is_told(superuser: Connection) -> None:
    loose = rows(
        superuser,
        "select p.oid::regprocedure::text, p.proconfig::text from pg_proc as p where p.prosecdef"
        " and p.pronamespace::regnamespace::text in ('raw', 'ml', 'ops', 'serve', 'marts', 'features')"
        " and not exists (select from unnest(p.proconfig) as c where c ~ '^search_path=pg_catalog, \\w+, pg_temp$')",
    )
    assert loose == []
