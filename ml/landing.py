"""How records land in schema raw: staged, compared with what is there, counted. Run by the warehouse only."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from ml.errors import DataError

CURRENCY_NOTE = "currency:"
"""Begins the note that counts the records of a delivery that name its currency."""


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

    def fetchall(self) -> Any:
        """Return all rows that are left."""

    def copy_expert(self, statement: str, file: Any) -> Any:
        """Stream rows in."""


@dataclass(frozen=True)
class Landing:
    """One delivery, sorted and ready to land.

    Attributes
    ----------
    table, key, is_entity, parents, state, namesakes
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
    quote
        Gives the quarantine rows of the records named in ``_record``, ``_fault``, ``_faulty``, as they came.
    instants
        Columns that cannot lie ahead of the clock.
    notes
        What was mended or passed over while reading, counted.
    records
        How many records the reader gave, each of which must be accounted for.
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
    quote: Callable[[pl.DataFrame], pl.DataFrame]
    instants: Sequence[str] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    records: int = 0
    state: str | None = None
    namesakes: Mapping[str, str] = field(default_factory=dict)
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
        if other := self._other_currency(cursor):
            raise DataError(
                f"{self._name()}: mixed_currency: {self.table} has amounts in {self._currency()}, what landed before in"
                f" {other}; a shop has one currency"
            )
        self._stage(cursor)
        self._judge(cursor)
        duplicates = self.duplicates + len(self._drop_known(cursor))
        self._judge_spelling(cursor)
        if not self.is_entity:
            self._quarantine_where(cursor, "conflicting_duplicate", self.key[0], self._is_conflicting())
        cancelled = self._cancelled(cursor)
        cursor.execute("select count(*) from staged")
        accepted = cursor.fetchone()[0]
        cursor.execute("select count(*) from refused")
        quarantined = cursor.fetchone()[0]
        rows_in = accepted + duplicates + quarantined
        if rows_in != self.records:
            raise DataError(f"{self._name()}: {self.records} records were read, {rows_in} are accounted for")
        if quarantined > self.limit_share * rows_in:
            raise DataError(f"{self._name()}: {quarantined} of {rows_in} records are bad ({self._reasons(cursor)})")
        counts = {
            "rows_in": rows_in,
            "rows_accepted": accepted,
            "rows_duplicate": duplicates,
            "rows_quarantined": quarantined,
        }
        later = {"cancelled_later": sum(cancelled.values())} if cancelled else {}
        notes = json.dumps({**self.notes, **later})
        load_id = note_delivery(cursor, {**self.manifest, **counts, "status": "accepted", "notes": notes})
        self._write(cursor, load_id)
        for earlier, orders in cancelled.items():
            cursor.execute(
                "insert into ops.cancellations (load_id, earlier_load_id, orders) values (%s, %s, %s)",
                (load_id, earlier, orders),
            )
        cursor.execute(
            "insert into ops.quarantine (load_id, table_name, record_number, reason, column_name, raw_record)"
            " select %s, %s, record_number, reason, column_name, raw_record from refused",
            (load_id, self.table),
        )
        return counts

    def _currency(self) -> str | None:
        notes = (name.removeprefix(CURRENCY_NOTE) for name in self.notes if name.startswith(CURRENCY_NOTE))
        return next(notes, None)

    def _other_currency(self, cursor: Cursor) -> str | None:
        """Return the currency of what landed before, where the records name another one."""
        if (own := self._currency()) is None:
            return None
        # One at a time: loaders of two tables would otherwise each find no other currency.
        cursor.execute("select pg_advisory_xact_lock(hashtext('ops.load_manifest currency'))")
        cursor.execute(
            "select right(note, -%(skipped)s) from ops.load_manifest cross join jsonb_object_keys(notes) as note"
            " where status = 'accepted' and starts_with(note, %(note)s) and note <> %(own)s limit 1",
            {"skipped": len(CURRENCY_NOTE), "note": CURRENCY_NOTE, "own": CURRENCY_NOTE + own},
        )
        found = cursor.fetchone()
        return None if found is None else str(found[0])

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

    def _judge(self, cursor: Cursor) -> None:
        """Set aside what only the database can tell is wrong: it knows the other tables and the clock."""
        for column in self.instants:
            # Five minutes, because the clocks of a shop differ.
            self._quarantine_where(cursor, "future", column, f"s.{column} > now() + interval '5 minutes'")
        for column, parent in self.parents.items():
            self._quarantine_where(cursor, f"orphan_{column.removesuffix('_id')}", column, _orphan(column, parent))
        if self.is_entity:
            # Two keys that look the same would be two products of which each has half the sales.
            twin = f"t.{self.key[0]} <> s.{self.key[0]} and normalize(t.{self.key[0]}) = normalize(s.{self.key[0]})"
            for others in (f"raw.{self.table} as t where", "staged as t where t._record < s._record and"):
                self._quarantine_where(cursor, "ambiguous_id", self.key[0], f"exists (select from {others} {twin})")

    def _judge_spelling(self, cursor: Cursor) -> None:
        """Set aside what is new and looks like a value that came first; what landed before stays a duplicate."""
        for column, other in self.namesakes.items():
            ids = self.accepted[column]
            # ASCII, as most shops have it, is spelt in one way (but for signs that nobody types, such as that of
            # degrees Kelvin): nobody need look at all that landed before.
            if (ids.str.len_bytes() > ids.str.len_chars()).any():
                self._quarantine_where(cursor, "ambiguous_id", column, self._is_spelt_otherwise(column, other))

    def _drop_known(self, cursor: Cursor) -> list[tuple[int]]:
        """Drop the records that are there already, word for word, and return their numbers."""
        same = f"{self._has_key('r')} and {_row('r', self.columns)} is not distinct from {_row('s', self.columns)}"
        cursor.execute(
            f"delete from staged as s where exists (select from raw.{self.table} as r where {same})"  # noqa: S608
            " returning s._record"
        )
        return list(cursor.fetchall())

    def _cancelled(self, cursor: Cursor) -> dict[int, int]:
        """Count what is staged of facts that are there, all of it cancellations, by the delivery that brought them."""
        if self.state is None:
            return {}
        cursor.execute(
            f"select r.load_id, count(*) from raw.{self.table} as r, staged as s where {self._has_key('r')}"  # noqa: S608
            " group by r.load_id"
        )
        return dict(cursor.fetchall())

    def _drop_keyed(self, cursor: Cursor) -> None:
        """Drop the records whose key is there already."""
        cursor.execute(f"delete from staged as s where {self._is_there()}")  # noqa: S608 - own names

    def _quarantine_where(self, cursor: Cursor, reason: str, column: str, condition: str) -> None:
        cursor.execute(f"delete from staged as s where {condition} returning s._record")  # noqa: S608 - own names
        if not (gone := cursor.fetchall()):
            return
        bad = pl.DataFrame(
            {"_record": [number for (number,) in gone]}, schema={"_record": self.accepted.schema["_record"]}
        ).with_columns(_fault=pl.lit(reason), _faulty=pl.lit(column))
        _copy(cursor, "refused", self.quote(bad))

    def _write(self, cursor: Cursor, load_id: int) -> None:
        names = ", ".join(self.columns)
        changing = self.columns if self.is_entity else [self.state] if self.state else []
        update = ", ".join(f"{name} = excluded.{name}" for name in [*changing, "load_id"])
        on_conflict = f" on conflict ({', '.join(self.key)}) do update set {update}" if changing else ""
        cursor.execute(
            f"insert into raw.{self.table} ({names}, load_id) select {names}, %s from staged{on_conflict}",  # noqa: S608
            (load_id,),
        )

    def _is_there(self) -> str:
        return f"exists (select from raw.{self.table} as r where {self._has_key('r')})"

    def _is_conflicting(self) -> str:
        if self.state is None:
            return self._is_there()
        others = [name for name in self.columns if name != self.state]
        is_cancelled = (
            f"r.{self.state} = 'completed' and s.{self.state} = 'cancelled'"
            f" and {_row('r', others)} is not distinct from {_row('s', others)}"
        )
        return f"exists (select from raw.{self.table} as r where {self._has_key('r')} and not ({is_cancelled}))"

    def _is_spelt_otherwise(self, column: str, other: str) -> str:
        """Say of a record that its value looks like one that came first: in the other table, here or in the file."""
        known = (
            f"select {column} as id, 0 as place from raw.{other} union all select {column}, 1 from raw.{self.table}"  # noqa: S608
            f" union all select {column}, 2 + _record from staged"
        )
        first = (
            f"select distinct on (normalize(id)) id from ({known}) as known"  # noqa: S608
            f" where normalize(id) in (select normalize({column}) from staged) order by normalize(id), place, id"
        )
        looks_alike = f"normalize(first.id) = normalize(s.{column}) and first.id <> s.{column}"
        return f"exists (select from ({first}) as first where {looks_alike})"

    def _has_key(self, alias: str) -> str:
        return " and ".join(f"{alias}.{name} = s.{name}" for name in self.key)

    def _name(self) -> str:
        return f"{self.manifest['source']} {self.manifest['file_name']}"

    def _reasons(self, cursor: Cursor) -> str:
        cursor.execute("select string_agg(reason || ' ' || n, ', ' order by n desc) from"
                       " (select reason, count(*) as n from refused group by reason) as r")  # fmt: skip
        return str(cursor.fetchone()[0])


def note_delivery(cursor: Cursor, facts: Mapping[str, Any]) -> int:
    """Write a manifest row and return its load_id; the names of the facts are columns of ``ops.load_manifest``."""
    names = ", ".join(facts)
    places = ", ".join(f"%({name})s" for name in facts)
    cursor.execute(f"insert into ops.load_manifest ({names}) values ({places}) returning load_id", facts)  # noqa: S608
    return int(cursor.fetchone()[0])


def _orphan(column: str, parent: str) -> str:
    return f"not exists (select from raw.{parent} as p where p.{column} = s.{column})"


def _row(alias: str, columns: Sequence[str]) -> str:
    return f"({', '.join(f'{alias}.{name}' for name in columns)})"


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
