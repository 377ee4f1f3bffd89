"""Land records of the quarantine that are good by now: their parent arrived, a limit changed, or somebody mended them.

The quarantine itself is only added to; ``ops.replays`` says what has landed of it.
"""

import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl

from ml.errors import DataError
from ml.landing import Replay
from ml.settings import Settings, SourceSettings
from ml.sources.contract import TABLES, RawTable
from ml.sources.parsing import UTC
from ml.sources.validation import RECORD, TOO_LATE, Sorted, quarantine_rows, sort_records
from ml.warehouse import Warehouse

log = logging.getLogger(__name__)

ORPHANS = tuple(
    sorted({f"orphan_{column.removesuffix('_id')}" for table in TABLES.values() for column in table.parents or {}})
)
"""Reasons that go away by themselves, as soon as another table delivers what the record names."""
Mended = Mapping[int, Mapping[str, str]]


def judge(table: RawTable, records: pl.DataFrame, source: str, wanted: SourceSettings, oldest: date | None) -> Sorted:
    """Sort records by the rules that the settings give their source."""
    # Only the shop's own files are written in the shop's zone; the other sources know theirs.
    return sort_records(table, records, wanted.time_zone if source == "folder" else UTC, oldest)


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
        for (source, is_late), rows in of_table.group_by("source", pl.col("reason") == TOO_LATE, maintain_order=True):
            # What came in time, and what somebody mends, does not grow too old by waiting here.
            oldest = oldest_day(settings.source, as_of) if is_late else None
            landing = _replay(table, str(source), rows.sort("quarantine_id"), settings.source, oldest, mended)
            landed = warehouse.land(landing) or {}
            replayed = sum(landed.values())
            counts.update(rows_replayed=replayed, rows_waiting=rows.height - replayed)
            if replayed:
                log.info("%s: %d of %d records in quarantine are good by now", table.name, replayed, rows.height)
    return dict(counts)


def _waiting(warehouse: Warehouse, reasons: Collection[str] | None) -> pl.DataFrame:
    """Return the records that have not landed: quarantine_id, table_name, reason, raw_record, source."""
    where = None if reasons is None else {"reason": list(reasons)}
    held = warehouse.read_view(
        "ops.quarantine", where, ["quarantine_id", "load_id", "table_name", "reason", "raw_record"]
    )
    if held.is_empty():
        return held.with_columns(source=pl.lit(""))
    replayed = warehouse.read_view("ops.replays", columns=["quarantine_id"])
    sources = warehouse.read_view("ops.load_manifest", columns=["load_id", "source"])
    return held.join(replayed, on="quarantine_id", how="anti").join(sources, on="load_id")


def _replay(
    table: RawTable, source: str, rows: pl.DataFrame, wanted: SourceSettings, oldest: date | None, mended: Mended
) -> Replay:
    ids = rows["quarantine_id"].to_list()
    records = _records(table, ids, rows["raw_record"].to_list(), mended)
    outcome = judge(table, records, source, wanted, oldest)
    return Replay(
        table=table.name,
        key=table.key,
        is_entity=table.is_entity,
        parents=table.parents or {},
        accepted=outcome.accepted,
        quarantined=outcome.quarantined,
        duplicates=outcome.duplicates,
        manifest={"source": source, "table_name": table.name, "file_name": "quarantine"},
        limit_share=1.0,
        quote=lambda bad: quarantine_rows(bad, records),
        instants=instants(table),
        mended=frozenset(mended) & frozenset(ids),
    )


def _records(table: RawTable, ids: list[int], raw: list[str], mended: Mended) -> pl.DataFrame:
    """Return the records as text, with the quarantine_id as their number; of those never split only what was mended."""
    rows = []
    for number, text in zip(ids, raw, strict=True):
        came = json.loads(text)
        values = {name: _text(value) for name, value in came.items()} if isinstance(came, dict) else {}
        rows.append([{**values, **mended.get(number, {})}.get(name) for name in table.columns])
    frame = pl.DataFrame(rows, schema=dict.fromkeys(table.columns, pl.String), orient="row")
    return frame.with_columns(pl.Series(RECORD, ids, dtype=pl.Int64))


def _text(value: Any) -> str | None:
    """Return a value of a JSON record as a file would give it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)
