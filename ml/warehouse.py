"""The one door to Postgres.

Bulk rows travel by ADBC as Arrow; every write replaces the rows of its own run inside one transaction that
first holds the lease, so a try that was overtaken writes nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import psycopg2
import psycopg2.extensions
from psycopg2 import errorcodes, sql

from ml.errors import DataError, FencedError, TemporaryError
from ml.landing import Landing, note_delivery
from ml.settings import Role, Settings
from ml.tables import Table

FENCED, SHOWN = "P0F01", "P0F02"
"""SQLSTATEs of our own functions: the lease is in other hands; the run was published."""
WRONG = ("22", "23", "42")
"""Classes of SQLSTATEs of a wrong value, a broken constraint, and a right or a relation that there is not."""
PASSING = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATEs that another moment may not meet: connection, rollback, resources, locks, operator, system."""
AFTER_MESSAGE = re.compile(r"\n\s*(?:DETAIL|CONTEXT|LINE \d+|Query was):")
"""Where a message of Postgres or its drivers ends, and what it is about is quoted."""
NETWORK = "connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=3 tcp_user_timeout=60000"
"""A Postgres that fell silent is known to be gone within a minute (``tcp_user_timeout``: ms); else after two hours."""
NOT_ERASED = sql.SQL("(customer_id is null or customer_id not in (select e.customer_id from ops.erasures as e))")


class Warehouse:
    """Reads tables, replaces runs, lands deliveries and calls the functions of ``ops``, as one role.

    Parameters
    ----------
    settings
        Where Postgres is and the passwords.
    role
        The role whose rights this door has.

    Raises
    ------
    TemporaryError
        When Postgres cannot be reached.
    """

    def __init__(self, settings: Settings, role: Role) -> None:
        self._where = settings.warehouse
        self._role = role

    def read(
        self, table: Table, where: Mapping[str, object] | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Return the rows of ``table`` whose columns equal ``where``, typed and ordered by the key.

        Rows of customers who asked to be left out (``ops.erasures``) are not among them, so no stage can bring them in.
        """
        wanted = list(columns or table.columns)
        query = _query(table.qualified, where, wanted, table.key, unasked="customer_id" in table.columns)
        return self._frame(query).select(pl.col(name).cast(table.columns[name]) for name in wanted)

    def read_view(
        self,
        relation: str,
        where: Mapping[str, object] | None = None,
        columns: Sequence[str] | None = None,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> pl.DataFrame:
        """Return rows of any relation, named ``schema.name``, as a frame.

        Parameters
        ----------
        relation
            Qualified name; quoted as an identifier, never spliced.
        where
            Column to value: equality, or membership for a list.
        columns
            Columns to fetch; all when None.
        order_by
            Columns to sort by, ascending.
        limit
            Most rows to fetch.
        """
        return self._frame(_query(relation, where, columns, order_by, limit))

    def replace_run(self, table: Table, frame: pl.DataFrame, lease: "Lease") -> int:
        """Replace the rows of one run in ``table`` and return how many there are now.

        Raises
        ------
        FencedError
            When the lease was taken by another try; nothing is written then.
        ColumnError
            When the frame differs from the table.
        DataError
            When the run was published: its rows stay as they are. Or when a row breaks a constraint.
        TemporaryError
            When the connection is lost; nothing is written then.
        """
        frame = table.conform(frame.with_columns(run_id=pl.lit(lease.run_id)))
        with self._bulk() as bulk, bulk.cursor() as cursor:
            cursor.execute("select ops.hold_lease($1, $2, $3)", (lease.scope, lease.run_id, lease.epoch))
            cursor.fetchall()
            cursor.execute(f"delete from {table.qualified} where run_id = {lease.run_id:d}")  # noqa: S608 - own names
            if frame.height:
                cursor.adbc_ingest(table.name, frame.to_arrow(), mode="append", db_schema_name=table.schema)
            bulk.commit()
        return frame.height

    def land(self, landing: Landing) -> dict[str, int] | None:
        """Land one delivery in schema raw, all or nothing, with its manifest row and quarantine.

        Returns
        -------
        dict or None
            rows_in, rows_accepted, rows_duplicate, rows_quarantined; the first is the sum of the others. None when
            the same content has landed before.
        """
        with self.transaction() as connection, connection.cursor() as cursor:
            return landing.run(cursor)

    def note_delivery(self, **facts: object) -> None:
        """Write a manifest row of a delivery of which nothing landed: refused or unchanged."""
        with self.transaction() as connection, connection.cursor() as cursor:
            note_delivery(cursor, facts)

    def dbt_invocation(self, as_of: date) -> str:
        """Return the id of the dbt invocation that built the features of a day.

        Raises
        ------
        DataError
            When they were not built, or the build has not come to its end with all tests passed.
        """
        builds = self.read_view("features.ftr_builds", {"as_of": as_of}, ["dbt_invocation_id"])
        if builds.is_empty():
            raise DataError(
                f"the features of {as_of} are not built to their end: run build_features for that day first"
            )
        return str(builds["dbt_invocation_id"][0])

    def call(self, function: str, **arguments: object) -> list[tuple[Any, ...]]:
        """Call a function of the warehouse by named arguments and return its rows.

        Raises
        ------
        FencedError
            When the function finds the lease in other hands.
        DataError
            When the function refuses (any ``raise exception`` of its own), breaks a constraint, or may not be called.
        """
        (rows,) = self.call_each(function, [arguments])
        return rows

    def call_each(
        self, function: str, calls: Iterable[Mapping[str, object]], seconds: int | None = None
    ) -> list[list[tuple[Any, ...]]]:
        """Call a function once for each set of named arguments, in one transaction: all take effect, or none.

        Parameters
        ----------
        function, calls
            Qualified name, and the arguments of each call.
        seconds
            A call that takes longer is stopped, which may be tried again. A limit among the options of the function
            would stop nothing: Postgres sets its alarm when the statement arrives.

        Raises
        ------
        FencedError, DataError
            As :meth:`call`.
        """
        found = []
        with self.transaction() as connection, connection.cursor() as cursor:
            if seconds is not None:
                cursor.execute("set local statement_timeout = %s", (f"{seconds}s",))
            for arguments in calls:
                cursor.execute(_statement(function, arguments), {name: _sent(of) for name, of in arguments.items()})
                found.append(cursor.fetchall())
        return found

    def _frame(self, query: sql.Composed) -> pl.DataFrame:
        with self.transaction() as connection:
            text = query.as_string(connection)
        with self._bulk() as bulk, bulk.cursor() as cursor:
            cursor.execute(text)
            return pl.DataFrame(cursor.fetch_arrow_table())

    @contextmanager
    def transaction(self) -> Iterator[psycopg2.extensions.connection]:
        """Yield a connection that commits when the block ends and rolls back when it raises."""
        try:
            connection = psycopg2.connect(
                NETWORK,
                host=self._where.host,
                port=self._where.port,
                dbname=self._where.database,
                user=f"bundles_{self._role}",
                password=self._where.password(self._role),
                application_name="bundles",
            )
        except psycopg2.OperationalError as error:
            raise TemporaryError(f"Postgres at {self._where.host}:{self._where.port}: {error}") from error
        try:
            with connection:
                yield connection
        except psycopg2.Error as error:
            raise _translated(error, error.pgcode) from error
        finally:
            connection.close()

    @contextmanager
    def _bulk(self) -> Iterator[adbc.Connection]:
        where = self._where
        address = f"host={where.host} port={where.port} dbname={where.database} user=bundles_{self._role}"
        password = where.password(self._role).replace("\\", "\\\\").replace("'", "\\'")
        try:
            connection = adbc.connect(f"{address} password='{password}' {NETWORK} application_name=bundles")
        except adbc.OperationalError as error:
            raise TemporaryError(f"Postgres at {where.host}:{where.port}: {error}") from error
        try:
            with connection:
                yield connection
        except adbc.Error as error:
            raise _translated(error, error.sqlstate) from error


def _statement(function: str, arguments: Iterable[str]) -> sql.Composed:
    named = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in arguments
    )
    return sql.SQL("select * from {}({})").format(sql.Identifier(*function.split(".")), named)


def _sent(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict) else value


class Lease:
    """The right to write one run: scope, run and the epoch that was current when it was taken."""

    def __init__(self, scope: str, run_id: int, epoch: int) -> None:
        self.scope, self.run_id, self.epoch = scope, run_id, epoch


def _query(
    relation: str,
    where: Mapping[str, object] | None,
    columns: Sequence[str] | None,
    order_by: Sequence[str] = (),
    limit: int | None = None,
    unasked: bool = False,
) -> sql.Composed:
    """Compose what ``read_view`` explains; ``unasked`` leaves out the customers who asked for it."""
    wanted = sql.SQL(", ").join(map(sql.Identifier, columns)) if columns else sql.SQL("*")
    query = sql.SQL("select {} from {}").format(wanted, sql.Identifier(*relation.split(".")))
    conditions: list[sql.Composable] = [_condition(*item) for item in (where or {}).items()]
    if unasked:
        conditions.append(NOT_ERASED)
    if conditions:
        query += sql.SQL(" where ") + sql.SQL(" and ").join(conditions)
    if order_by:
        query += sql.SQL(" order by ") + sql.SQL(", ").join(map(sql.Identifier, order_by))
    if limit is not None:
        query += sql.SQL(" limit {}").format(sql.Literal(limit))
    return query


def _condition(column: str, value: object) -> sql.Composed:
    if isinstance(value, list | tuple):
        return sql.SQL("{} = any({})").format(sql.Identifier(column), sql.Literal(list(value)))
    literal = sql.Literal(value.isoformat() if isinstance(value, date) else value)
    return sql.SQL("{} = {}").format(sql.Identifier(column), literal)


def _translated(error: psycopg2.Error | adbc.Error, state: str | None) -> Exception:
    # What follows the message quotes the row or the statement that was refused, which is no business of a log.
    said = AFTER_MESSAGE.split(str(error))[0].strip()
    if state == FENCED:
        return FencedError(said)
    if state and (state in (errorcodes.RAISE_EXCEPTION, SHOWN) or state[:2] in WRONG):
        return DataError(said)
    # Without a state it was not the server that spoke: the connection is lost.
    is_passing = state[:2] in PASSING if state else isinstance(error, psycopg2.OperationalError | adbc.OperationalError)
    if is_passing:
        return TemporaryError(said)
    return error
