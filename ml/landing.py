"""How one delivery lands in schema raw: staged, compared with what is there, counted. Run by the warehouse only."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from ml.errors import DataError


class Cursor(Protocol):
    """What is used of a database cursor."""

    @property
    def rowcount(self) -> int:
        """Return how many rows the last statement touched."""
        ...

    def execute(self, statement: str, values: Any = None) -> Any:
        """Run a statement."""

    def fetchone(self) -> Any:
        """Return the next row."""

    def copy_expert(self, statement: str, file: Any) -> Any:
        """Stream rows in."""


@dataclass(frozen=True)
class Landing:
    """One delivery, sorted and ready to land.

    Attributes
    ----------
    table, key, is_entity, parents
        As the raw contract states them; names are the contract's own, never the file's.
    accepted
        Typed columns of the contract and ``_record``.
    quarantined
        record_number, reason, column_name, raw_record.
    duplicates
        Records repeated within the delivery.
    manifest
        source, table_name, file_name, file_sha256, loaded_through.
    limit_share
        Above this share of quarantined rows the whole delivery is refused.
    """

    table: str
    key: Sequence[str]
    is_entity: bool
    parents: Mapping[str, str]
    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    duplicates: int
    manifest: Mapping[str, Any]
    limit_share: float
    columns: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", [name for name in self.accepted.columns if name != "_record"])

    def run(self, cursor: Cursor) -> dict[str, int] | None:
        """Land within the cursor's transaction and return the counts; None when the same content has landed before."""
        # One delivery of a table at a time: two loaders with the same file would otherwise both find it new.
        cursor.execute("select pg_advisory_xact_lock(hashtext('raw.' || %s))", (self.table,))
        cursor.execute(
            "select from ops.load_manifest where status = 'accepted' and source = %(source)s"
            " and table_name = %(table_name)s and file_sha256 = %(file_sha256)s",
            self.manifest,
        )
        if cursor.rowcount:
            return None
        self._stage(cursor)
        for column, parent in self.parents.items():
            self._quarantine_where(cursor, f"orphan_{column.removesuffix('_id')}", column, _orphan(column, parent))
        known = " and ".join(f"r.{name} = s.{name}" for name in self.key)
        same = f"{known} and {self._row('r')} is not distinct from {self._row('s')}"
        cursor.execute(f"delete from staged as s where exists (select from raw.{self.table} as r where {same})")  # noqa: S608
        duplicates = self.duplicates + cursor.rowcount
        if not self.is_entity:
            clash = f"exists (select from raw.{self.table} as r where {known})"
            self._quarantine_where(cursor, "conflicting_duplicate", self.key[0], clash)
        cursor.execute("select count(*) from staged")
        accepted = cursor.fetchone()[0]
        cursor.execute("select count(*) from refused")
        quarantined = cursor.fetchone()[0]
        rows_in = accepted + duplicates + quarantined
        if quarantined > self.limit_share * rows_in:
            raise DataError(f"{self._name()}: {quarantined} of {rows_in} records are bad ({self._reasons(cursor)})")
        counts = {
            "rows_in": rows_in,
            "rows_accepted": accepted,
            "rows_duplicate": duplicates,
            "rows_quarantined": quarantined,
        }
        self._write(cursor, note_delivery(cursor, {**self.manifest, **counts, "status": "accepted"}))
        return counts

    def _stage(self, cursor: Cursor) -> None:
        cursor.execute(f"create temp table staged (like raw.{self.table} including defaults) on commit drop")
        cursor.execute("alter table staged drop column load_id, add column _record bigint")
        cursor.execute(
            "create temp table refused (record_number bigint, reason text, column_name text, raw_record text)"
            " on commit drop"
        )
        _copy(cursor, "staged", self.accepted)
        _copy(cursor, "refused", self.quarantined)
        cursor.execute("analyze staged")

    def _quarantine_where(self, cursor: Cursor, reason: str, column: str, condition: str) -> None:
        cursor.execute(
            f"with gone as (delete from staged as s where {condition} returning s.*)"  # noqa: S608 - own names
            " insert into refused select _record, %s, %s, (to_jsonb(gone) - '_record')::text from gone",
            (reason, column),
        )

    def _write(self, cursor: Cursor, load_id: int) -> None:
        names = ", ".join(self.columns)
        update = ", ".join(f"{name} = excluded.{name}" for name in [*self.columns, "load_id"])
        on_conflict = f" on conflict ({', '.join(self.key)}) do update set {update}" if self.is_entity else ""
        cursor.execute(
            f"insert into raw.{self.table} ({names}, load_id) select {names}, %s from staged{on_conflict}",  # noqa: S608
            (load_id,),
        )
        cursor.execute(
            "insert into ops.quarantine (load_id, table_name, record_number, reason, column_name, raw_record)"
            " select %s, %s, record_number, reason, column_name, raw_record from refused",
            (load_id, self.table),
        )

    def _name(self) -> str:
        return f"{self.manifest['source']} {self.manifest['file_name']}"

    def _reasons(self, cursor: Cursor) -> str:
        cursor.execute("select string_agg(reason || ' ' || n, ', ' order by n desc) from"
                       " (select reason, count(*) as n from refused group by reason) as r")  # fmt: skip
        return str(cursor.fetchone()[0])

    def _row(self, alias: str) -> str:
        return f"({', '.join(f'{alias}.{name}' for name in self.columns)})"


def note_delivery(cursor: Cursor, facts: Mapping[str, Any]) -> int:
    """Write a manifest row and return its load_id; the names of the facts are columns of ``ops.load_manifest``."""
    names = ", ".join(facts)
    places = ", ".join(f"%({name})s" for name in facts)
    cursor.execute(f"insert into ops.load_manifest ({names}) values ({places}) returning load_id", facts)  # noqa: S608
    return int(cursor.fetchone()[0])


def _orphan(column: str, parent: str) -> str:
    return f"not exists (select from raw.{parent} as p where p.{column} = s.{column})"


def _copy(cursor: Cursor, table: str, frame: pl.DataFrame) -> None:
    """Stream a frame into a table of ours; text from outside has been parsed before and is written as CSV anew."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    text = frame.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then("{" + pl.col(name).cast(pl.List(pl.String)).list.join(",") + "}")
        .alias(name)
        for name in lists
    )
    names = ", ".join(frame.columns)
    rows = io.BytesIO(text.write_csv(include_header=False).encode())
    cursor.copy_expert(f"copy {table} ({names}) from stdin with (format csv)", rows)
