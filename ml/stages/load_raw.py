"""Land a source's deliveries in schema raw, with manifest and quarantine."""

import logging
from datetime import date

import polars as pl
from tqdm import tqdm

from ml.errors import DataError, NothingToDo
from ml.landing import Landing
from ml.params import Context, Counts
from ml.settings import Settings
from ml.sources.contract import TABLES
from ml.sources.delivery import Delivery
from ml.sources.registry import open_source
from ml.sources.validation import Sorted, sort_records
from ml.warehouse import Warehouse

log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Load what the source has up to the as-of date; deliveries that were loaded before are passed over.

    A day that was loaded before is done again without a new delivery, so that a retry or a rerun leads on to the
    stages after it; only a day the source has not reached is nothing to do.

    Raises
    ------
    DataError
        When a delivery is refused as a whole; those before it have landed, a retry goes on from there.
    NothingToDo
        When the source has nothing new and what is loaded ends before the as-of date.
    """
    warehouse = Warehouse(settings, "loader")
    name = context.params.source
    manifest = warehouse.read_view("ops.load_manifest", {"source": name, "status": "accepted"})
    known = set(zip(manifest["table_name"], manifest["file_sha256"], strict=True))
    through = dict(
        manifest.drop_nulls("loaded_through").group_by("table_name").agg(pl.col("loaded_through").max()).rows()
    )
    source = open_source(name, settings, context.params.seed)
    totals: dict[str, int] = {}
    deliveries = 0
    with tqdm(source.deliveries(context.as_of, through), unit="delivery", disable=None) as progress:
        for delivery in progress:
            progress.set_description(delivery.table)
            if (delivery.table, delivery.file_sha256) in known:
                log.info("%s %s: loaded before, nothing to do", delivery.table, delivery.file_name)
                continue
            counts = warehouse.land(_landing(delivery, name, settings.source.quarantine_limit_share))
            deliveries += 1
            for key, value in counts.items():
                totals[key] = totals.get(key, 0) + value
            log.info("%s %s: %s", delivery.table, delivery.file_name, " ".join(f"{k}={v}" for k, v in counts.items()))
    if not deliveries and max(through.values(), default=date.min) < context.as_of:
        raise NothingToDo(f"{name}: nothing new, and nothing of {context.as_of} or later is loaded")
    return {"deliveries": deliveries, **totals}


def _landing(delivery: Delivery, source: str, limit_share: float) -> Landing:
    table = TABLES[delivery.table]
    try:
        outcome: Sorted = sort_records(table, delivery.records)
    except DataError as error:
        raise DataError(f"{delivery.file_name}: {error}") from error
    refused = [outcome.quarantined] + ([] if delivery.refused is None else [delivery.refused])
    return Landing(
        table=table.name,
        key=table.key,
        is_entity=table.is_entity,
        parents=table.parents or {},
        accepted=outcome.accepted,
        quarantined=pl.concat(refused),
        duplicates=outcome.duplicates,
        manifest={
            "source": source,
            "table_name": table.name,
            "file_name": delivery.file_name,
            "file_sha256": delivery.file_sha256,
            "loaded_through": delivery.loaded_through,
        },
        limit_share=limit_share,
    )
