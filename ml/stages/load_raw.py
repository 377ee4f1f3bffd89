"""Land a source's deliveries in schema raw, with manifest and quarantine."""

import logging
from collections import Counter
from datetime import date
from typing import Any

import polars as pl
from tqdm import tqdm

from ml.errors import ConfigError, DataError, NothingToDo
from ml.landing import Landing
from ml.params import Context, Counts
from ml.quarantine import ORPHANS, instants, judge, oldest_day, replay
from ml.settings import Settings
from ml.sources.contract import TABLES
from ml.sources.delivery import Delivery, RefusedFile
from ml.sources.registry import open_source
from ml.sources.validation import CURRENCIES, RECORD, quarantine_rows
from ml.warehouse import Warehouse

log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Load what the source has up to the as-of date; deliveries that were loaded before are passed over.

    A day that was loaded before is done again without a new delivery, so that a retry or a rerun leads on to the
    stages after it; only a day the source has not reached is nothing to do.

    Raises
    ------
    ConfigError
        When the database holds another source's shop.
    DataError
        When a delivery is refused as a whole; those before it have landed, a retry goes on from there.
    NothingToDo
        When a source cut by day has nothing new and what is loaded ends before the as-of date.
    """
    loader = _Loader(settings, context.params.source or settings.source.name, context.as_of)
    source = open_source(loader.source, settings, context.params.seed)
    totals: Counter[str] = Counter()
    try:
        with tqdm(source.deliveries(context.as_of, loader.through), unit="delivery", disable=None) as progress:
            for delivery in progress:
                progress.set_description(delivery.table)
                totals.update(loader.load(delivery))
    except RefusedFile as error:
        loader.note("refused", error.table, error.file_name, error.file_sha256, str(error))
        raise
    # Orphans whose parent has come since, in this load or before it, are no orphans any more.
    retried = replay(loader.warehouse, settings, context.as_of, ORPHANS)
    if retried["rows_replayed"]:
        totals["rows_replayed"] = retried["rows_replayed"]
    # A source that is not cut by day (a folder) tells nothing about days; what it delivered once is loaded. Looked up
    # anew, since another try may have loaded the day meanwhile, and what follows must not be skipped for that.
    if not totals["deliveries"] and loader.through and max(loader.covered().values()) < context.as_of:
        raise NothingToDo(f"{loader.source}: nothing new, and nothing of {context.as_of} or later is loaded")
    return dict(totals)


class _Loader:
    """Lands the deliveries of one source, one transaction each.

    Attributes
    ----------
    through
        Last day loaded when the stage began, by table, where the source is cut by day.
    """

    def __init__(self, settings: Settings, source: str, as_of: date) -> None:
        self.source = source
        self._wanted = settings.source
        self.warehouse = Warehouse(settings, "loader")
        landed = self._landed()
        self._others = landed.filter(pl.col("source") != source)["source"].unique().sort().to_list()
        manifest = landed.filter(pl.col("source") == source)
        # The first delivery of a table is its history, which may be of any age.
        self._oldest = dict.fromkeys(manifest["table_name"], oldest_day(settings.source, as_of))
        self._known = set(zip(manifest["table_name"], manifest["file_sha256"], strict=True))
        self.through = _last_days(manifest)

    def covered(self) -> dict[str, date]:
        """Return the last day loaded by now, by table, where the source is cut by day."""
        return _last_days(self._landed().filter(pl.col("source") == self.source))

    def _landed(self) -> pl.DataFrame:
        columns = ["source", "table_name", "file_sha256", "loaded_through"]
        return self.warehouse.read_view("ops.load_manifest", {"status": "accepted"}, columns)

    def load(self, delivery: Delivery) -> dict[str, int]:
        """Land a delivery and return its counts; it is only noted when the same content has landed before."""
        name = (delivery.table, delivery.file_name, delivery.file_sha256)
        refused = 0 if delivery.refused is None else delivery.refused.height
        rows_in = delivery.records.height + refused
        counts = None
        if self._others:
            raise ConfigError(
                f"{self.source}: this database holds the shop of {', '.join(self._others)} already, and two shops would"
                " mix; name another home by BUNDLES_HOME"
            )
        if (delivery.table, delivery.file_sha256) not in self._known:
            try:
                counts = self.warehouse.land(self._landing(delivery))
            except DataError as error:
                self.note("refused", *name, str(error), rows_in)
                raise
        if counts is None:
            log.info("%s %s: loaded before, nothing to do", delivery.table, delivery.file_name)
            self.note("unchanged", *name, "the same content landed before", rows_in)
            return {"deliveries": 0}
        log.info("%s %s: %s", delivery.table, delivery.file_name, " ".join(f"{k}={v}" for k, v in counts.items()))
        return {"deliveries": 1, **counts}

    def note(self, status: str, table: str, file_name: str, file_sha256: str, reason: str, rows_in: int = 0) -> None:
        """Write down that nothing of a delivery landed, and why."""
        facts = self._manifest(table, file_name, file_sha256)
        self.warehouse.note_delivery(**facts, status=status, reason=reason, rows_in=rows_in)

    def _manifest(self, table: str, file_name: str, file_sha256: str) -> dict[str, Any]:
        return {"source": self.source, "table_name": table, "file_name": file_name, "file_sha256": file_sha256}

    def _landing(self, delivery: Delivery) -> Landing:
        table = TABLES[delivery.table]
        unknown = sorted(set(delivery.records.columns) - set(table.columns) - {RECORD, *CURRENCIES})
        notes = dict(delivery.notes) | ({"unknown_columns": len(unknown)} if unknown else {})
        try:
            oldest = self._oldest.get(table.name)
            outcome = judge(table, delivery.records, self.source, self._wanted, oldest)
            # Only now, since the names of a file without a header are somebody's data.
            if unknown and self._wanted.refuses_unknown_columns:
                raise DataError(f"schema_extra: {table.name} has no column {', '.join(unknown)}")
        except DataError as error:
            raise DataError(f"{delivery.file_name}: {error}") from error
        if unknown:
            log.warning("%s: schema_extra, not read: %s", delivery.file_name, ", ".join(unknown))
        refused = [outcome.quarantined] + ([] if delivery.refused is None else [delivery.refused])
        return Landing(
            table=table.name,
            key=table.key,
            is_entity=table.is_entity,
            parents=table.parents or {},
            state=table.state,
            namesakes=table.namesakes or {},
            accepted=outcome.accepted,
            quarantined=pl.concat(refused),
            duplicates=outcome.duplicates,
            manifest=self._manifest(delivery.table, delivery.file_name, delivery.file_sha256)
            | {"loaded_through": delivery.loaded_through},
            limit_share=self._wanted.quarantine_limit_share,
            quote=lambda bad: quarantine_rows(bad, delivery.records),
            instants=instants(table),
            notes=notes | outcome.notes,
            records=delivery.records.height + (0 if delivery.refused is None else delivery.refused.height),
        )


def _last_days(manifest: pl.DataFrame) -> dict[str, date]:
    days = manifest.drop_nulls("loaded_through").group_by("table_name").agg(pl.col("loaded_through").max())
    return dict(days.rows())
