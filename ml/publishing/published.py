"""What people read now."""

from collections.abc import Sequence

import polars as pl

from ml.tables import BUNDLE_ITEMS, BUNDLES
from ml.warehouse import Warehouse

NO_RUN = -1
"""Number that no run has: its rows are those before the first publication."""


def published_run(warehouse: Warehouse, scope: str) -> int:
    """Return the run of a scope that is published, ``NO_RUN`` before the first publication."""
    published = warehouse.read_view("ops.published", {"scope": scope}, ["run_id"])["run_id"].to_list()
    return int(published[0]) if published else NO_RUN


def published_bundles(warehouse: Warehouse, scope: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return who has which products together in a scope's published run; no rows before the first publication.

    Returns
    -------
    tuple
        ``customer_id``, ``bundle_id``, ``bundle_rank`` of bundles; and ``bundle_id``, ``position``, ``product_id``.
    """
    return bundles_of(warehouse, published_run(warehouse, scope))


def bundles_of(
    warehouse: Warehouse, run_id: int, customers: Sequence[str] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the same of one run, of some customers or, when None, of all."""
    of_run: dict[str, object] = {"run_id": run_id}
    of_customers = of_run if customers is None else {**of_run, "customer_id": list(customers)}
    bundles = warehouse.read(BUNDLES, of_customers, ["customer_id", "bundle_id", "bundle_rank"])
    of_bundles = of_run if customers is None else {**of_run, "bundle_id": bundles["bundle_id"].to_list()}
    return bundles, warehouse.read(BUNDLE_ITEMS, of_bundles, ["bundle_id", "position", "product_id"])


def standing_bundles(warehouse: Warehouse, run_id: int) -> int:
    """Return how many bundles a run offers, over all customers."""
    offered = {"run_id": run_id, "status": ["optimal", "feasible"]}
    return warehouse.read_view(BUNDLES.qualified, offered, ["bundle_rank"]).height
