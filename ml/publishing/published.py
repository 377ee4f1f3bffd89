"""What people read now."""

import polars as pl

from ml.tables import BUNDLE_ITEMS, BUNDLES
from ml.warehouse import Warehouse


def published_bundles(warehouse: Warehouse, scope: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the bundles and the items of a scope's published run; no rows before the first publication."""
    published = warehouse.read_view("ops.published", {"scope": scope}, ["run_id"])["run_id"].to_list()
    of_run = {"run_id": published[0] if published else -1}
    return warehouse.read(BUNDLES, of_run), warehouse.read(BUNDLE_ITEMS, of_run)
