"""Land records of the quarantine that are good by now: their parent arrived, a limit changed, or somebody mended them.

The quarantine itself is only added to; ``ops.replays`` says what has landed of it.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast

import polars as pl

from ml.errors import DataError
from ml.landing import CURRENCY_NOTE, Cursor, Landing, note_delivery
from ml.settings import Settings, SourceSettings
from ml.sources.contract import TABLES, RawTable
from ml.sources.parsing import UTC
from ml.sources.validation import (
    CURRENCIES,
    CURRENCY_CODE,
    RECORD,
    TOO_LATE,
    Sorted,
    currency_texts,
    quarantine_rows,
    sort_records,
)
from ml.warehouse import Warehouse

log = logging.getLogger(__name__)

ORPHANS = tuple(
    sorted({f"orphan_{column.removesuffix('_id')}" for table in TABLES.values() for column in table.parents or {}})
)
"""Reasons that go away by themselves, as soon as another table delivers what the record names."""
Mended = Mapping[int, Mapping[str, str]]


@dataclass(frozen=True)
class Replay(Landing):
    """Records that lay in quarantine; ``_record`` is their quarantine_id.

    Those that are good by now land under a manifest row of their own and are noted in ``ops.replays``; the others stay
    where they are. A record lands once, and never in place of a newer row: it changes no row and cancels no order.

    Attributes
    ----------
    mended
        quarantine_id of the records that somebody changed.
    """

    mended: frozenset[int] = frozenset()

    def run(self, cursor: Cursor) -> dict[str, int] | None:
        """Land within the cursor's transaction and return the counts; None when no record is good yet."""
        cursor.execute("select pg_advisory_xact_lock(hashtext('raw.' || %s))", (self.table,))
        if self._other_currency(cursor):
            return None
        self._stage(cursor)
        cursor.execute("delete from staged where _record in (select quarantine_id from ops.replays)")
        self._judge(cursor)
        duplicates = [number for (number,) in self._drop_known(cursor)]
        self._drop_keyed(cursor)
        cursor.execute("select _record from staged")
        accepted = [number for (number,) in cursor.fetchall()]
        if not accepted and not duplicates:
            return None
        counts = {"rows_accepted": len(accepted), "rows_duplicate": len(duplicates)}
        rows_in, sha = len(accepted) + len(duplicates), hashlib.sha256(repr((accepted, duplicates)).encode())
        facts = {**self.manifest, **counts, "rows_in": rows_in, "file_sha256": sha.hexdigest(), "status": "accepted"}
        load_id = note_delivery(cursor, {**facts, "notes": json.dumps(dict(self.notes))})
        self._write(cursor, load_id)
        for outcome, numbers in (("accepted", accepted), ("duplicate", duplicates)):
            cursor.execute(
                "insert into ops.replays (quarantine_id, load_id, outcome, is_mended)"
                " select quarantine_id, %s, %s, quarantine_id = any(%s)"
                " from unnest(%s::bigint[]) as replayed (quarantine_id)",
                (load_id, outcome, sorted(self.mended), numbers),
            )
        return counts


def judge(
    table: RawTable,
    records: pl.DataFrame,
    source: str,
    wanted: SourceSettings,
    oldest: date | None,
    currency: str | None = None,
) -> Sorted:
    """Sort records by the rules that the settings give their source."""
    # Only the shop's own files are written in the shop's zone; the other sources know theirs.
    return sort_records(table, records, wanted.time_zone if source == "folder" else UTC, oldest, currency)


def oldest_day(wanted: SourceSettings, as_of: date) -> date | None:
    """Return the first day of which facts are still taken; None where they are taken however late."""
    return None if wanted.late_limit_days is None else as_of - timedelta(days=wanted.late_limit_days)


def instants(table: RawTable) -> list[str]:
    """Return the columns of a table that cannot lie ahead of the clock."""
    return [name for name, rule in table.columns.items() if rule.kind == "instant"]


def replay(
    warehouse: Warehouse,
    settings: Settings,
    as_of: date,
    reasons: Collection[str] | None = None,
    mended: Mended | None = None,
) -> dict[str, int]:
    """Validate records of the quarantine anew and land those that are good, parents before children.

    Parameters
    ----------
    reasons
        Of which reasons; None: of all.
    mended
        What was changed in which record, by quarantine_id.

    Returns
    -------
    dict
        rows_replayed: landed, or found to be there already; rows_waiting: looked at and still in quarantine.

    Raises
    ------
    DataError
        When a mended record is not in quarantine, or has landed.
    """
    mended = mended or {}
    waiting = _waiting(warehouse, reasons)
    if strangers := sorted(set(mended) - set(waiting["quarantine_id"])):
        raise DataError(f"not in quarantine, or landed already: quarantine_id {strangers[0]}")
    counts: Counter[str] = Counter(rows_replayed=0, rows_waiting=0)
    for table in TABLES.values():
        of_table = waiting.filter(pl.col("table_name") == table.name)
        for (source, named, is_late), rows in of_table.group_by(
            "source", "currency", pl.col("reason") == TOO_LATE, maintain_order=True
        ):
            # What came in time, and what somebody mends, does not grow too old by waiting here.
            oldest = oldest_day(settings.source, as_of) if is_late else None
            for records in _by_currency(_records(table, rows.sort("quarantine_id"), mended)):
                outcome = judge(table, records, str(source), settings.source, oldest, cast(str | None, named))
                landed = warehouse.land(_replay(table, str(source), records, outcome, mended)) or {}
                replayed = sum(landed.values())
                counts.update(rows_replayed=replayed, rows_waiting=records.height - replayed)
                if replayed:
                    log.info("%s: %d of %d records in quarantine are good by now", table.name, replayed, records.height)
    return dict(counts)


def _waiting(warehouse: Warehouse, reasons: Collection[str] | None) -> pl.DataFrame:
    """Return the records that have not landed: quarantine_id, table_name, reason, raw_record, source, currency."""
    where = None if reasons is None else {"reason": list(reasons)}
    held = warehouse.read_view(
        "ops.quarantine", where, ["quarantine_id", "load_id", "table_name", "reason", "raw_record"]
    )
    if held.is_empty():
        return held.with_columns(source=pl.lit(""), currency=pl.lit(None, dtype=pl.String))
    replayed = warehouse.read_view("ops.replays", columns=["quarantine_id"])
    loads = warehouse.read_view("ops.load_manifest", columns=["load_id", "source", "notes"]).with_columns(
        currency=pl.col("notes").ext.storage().str.extract(f'"{CURRENCY_NOTE}([A-Z]{{3}})"')
    )
    return held.join(replayed, on="quarantine_id", how="anti").join(loads.drop("notes"), on="load_id")


def _replay(table: RawTable, source: str, records: pl.DataFrame, outcome: Sorted, mended: Mended) -> Replay:
    return Replay(
        table=table.name,
        key=table.key,
        is_entity=table.is_entity,
        parents=table.parents or {},
        namesakes=table.namesakes or {},
        accepted=outcome.accepted,
        quarantined=outcome.quarantined,
        duplicates=outcome.duplicates,
        manifest={"source": source, "table_name": table.name, "file_name": "quarantine"},
        limit_share=1.0,
        quote=lambda bad: quarantine_rows(bad, records),
        instants=instants(table),
        notes={name: count for name, count in outcome.notes.items() if name.startswith(CURRENCY_NOTE)},
        mended=frozenset(mended) & frozenset(records[RECORD]),
    )


def _records(table: RawTable, waiting: pl.DataFrame, mended: Mended) -> pl.DataFrame:
    """Return the records as text, with the quarantine_id as their number; of those never split only what was mended."""
    names, rows = [*table.columns, *CURRENCIES], []
    for number, text in waiting.select("quarantine_id", "raw_record").iter_rows():
        came = json.loads(text)
        values = {name: _text(value) for name, value in came.items()} if isinstance(came, dict) else {}
        rows.append([{**values, **mended.get(number, {})}.get(name) for name in names])
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return frame.with_columns(waiting["quarantine_id"].cast(pl.Int64).alias(RECORD))


def _by_currency(records: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the records apart by the currency they name: they come from several files, of which each has its own."""
    named = currency_texts(records).select(
        pl.coalesce(pl.when(pl.col(name).str.contains(CURRENCY_CODE)).then(name) for name in CURRENCIES)
    )
    return records.with_columns(named.to_series().alias("_currency")).partition_by(
        "_currency", maintain_order=True, include_key=False
    )


def _text(value: Any) -> str | None:
    """Return a value of a JSON record as a file would give it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)
