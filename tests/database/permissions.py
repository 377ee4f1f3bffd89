"""Who may do what: the stored matrix (``permissions.yaml``) beside what the catalogue says, cell by cell.

A cell is a role, an object and a right. Rights that a role has as a member of another, or through PUBLIC, count.
"""

import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import yaml

MATRIX: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("permissions.yaml").read_text("utf-8"))
RIGHTS = {
    "database": ("connect", "create", "temporary"),
    "schema": ("usage", "create"),
    "table": ("select", "insert", "update", "delete", "truncate", "references", "trigger", "maintain"),
    "function": ("execute",),
}
OF_COLUMNS = {"select", "insert", "update", "references"}
"""Rights that can also be given for single columns."""
OWN = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
SYSTEM = (
    "^(lo_(creat|from|open|put|trunc|unlink|import|export)|lowrite$|pg_read_|pg_ls_|pg_(try_)?advisory_(xact_)?lock)"
)
"""Functions of Postgres itself that reach files, fill the database or stand in the way of others."""
OBJECTS = {
    "database": "select datname, oid from pg_database where not datistemplate or datname = 'template1'",
    "schema": f"select n.nspname, n.oid from pg_namespace as n where {OWN}",
    "table": "select n.nspname || '.' || c.relname, c.oid from pg_class as c"
    f" inner join pg_namespace as n on c.relnamespace = n.oid where c.relkind in ('r', 'p', 'v', 'm', 'f') and {OWN}",
    "function": "select n.nspname || '.' || p.proname, p.oid from pg_proc as p"
    f" inner join pg_namespace as n on p.pronamespace = n.oid where {OWN} or p.proname ~ '{SYSTEM}'",
}


class Cell(NamedTuple):
    """One right of one role on one object."""

    kind: str
    name: str
    role: str
    right: str


def found(connection: psycopg2.extensions.connection) -> set[Cell]:
    """Return every right that the catalogue of this database grants to one of the roles of the matrix."""
    cells: set[Cell] = set()
    for kind, rights in RIGHTS.items():
        for right in rights:
            call = "has_any_column_privilege" if kind == "table" and right in OF_COLUMNS else f"has_{kind}_privilege"
            query = (
                f"select o.name, r.role from ({OBJECTS[kind]}) as o (name, oid)"
                f" cross join unnest(%s::text[]) as r (role) where {call}(r.role, o.oid, '{right}')"
            )
            with connection.cursor() as cursor:
                cursor.execute(query, (list(MATRIX["roles"].values()),))
                cells |= {Cell(kind, name, role, right) for name, role in cursor}
    return cells


def objects(connection: psycopg2.extensions.connection) -> set[tuple[str, str]]:
    """Return kind and name of every object of this database that the matrix speaks of."""
    named = set()
    with connection.cursor() as cursor:
        for kind, query in OBJECTS.items():
            cursor.execute(query)
            named |= {(kind, name) for name, _ in cursor}
    return named


def expected(kind: str, name: str) -> Iterator[Cell]:
    """Yield the rights that the matrix states for one object; none where no line matches."""
    for short, rights in _line(kind, name).items():
        for right in RIGHTS[kind] if rights == "all" else rights.split():
            yield Cell(kind, name, MATRIX["roles"][short], right)


def _line(kind: str, name: str) -> Mapping[str, str]:
    lines: dict[str, Mapping[str, str]] = MATRIX[kind]
    matching = [pattern for pattern in lines if fnmatch.fnmatchcase(name, pattern)]
    # The most particular line speaks: the one with most letters.
    return (lines[max(matching, key=lambda pattern: len(pattern.replace("*", "")))] or {}) if matching else {}


def surprises(connection: psycopg2.extensions.connection, ignored: str = "") -> list[str]:
    """Return, in words, every cell in which matrix and catalogue differ; none is right.

    Parameters
    ----------
    connection
        Of a role that sees the catalogue, which is any.
    ignored
        Databases of this pattern are no part of it: those that tests make beside.
    """
    there = {
        (kind, name) for kind, name in objects(connection) if kind != "database" or not fnmatch.fnmatch(name, ignored)
    }
    stated = {cell for kind, name in there for cell in expected(kind, name)}
    real = {cell for cell in found(connection) if (cell.kind, cell.name) in there}
    more = [f"{cell.role} may {cell.right} {cell.kind} {cell.name}" for cell in real - stated]
    less = [f"{cell.role} may not {cell.right} {cell.kind} {cell.name}" for cell in stated - real]
    return sorted(more + less)


def unused_lines(connection: psycopg2.extensions.connection) -> list[str]:
    """Return the lines of the matrix that speak of no object: what was renamed or dropped."""
    there = objects(connection)
    return [
        f"{kind} {pattern}"
        for kind in RIGHTS
        for pattern in MATRIX[kind]
        if not any(kind == of and fnmatch.fnmatchcase(name, pattern) for of, name in there)
    ]
