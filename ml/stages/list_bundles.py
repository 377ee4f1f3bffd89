"""Choose the bundles that the shop lists for everybody, and rank the bundles it has for each customer."""

import polars as pl
from tqdm import tqdm

from ml.optimizer.solve import in_threads
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.desk import CUSTOMERS_AT_ONCE, desk_of, slates_of
from ml.scenarios.listed import catalogue_rows, given_rows, known_bundles, offered_pool
from ml.settings import Settings
from ml.tables import (
    ASSOCIATIONS,
    BUNDLE_ITEMS,
    BUNDLES,
    CATALOGUE_BUNDLES,
    GIVEN_BUNDLE_RANKS,
    GIVEN_BUNDLES,
    PRODUCTS,
)
from ml.warehouse import Warehouse


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.catalogue_bundles`` and ``ml.given_bundle_ranks`` of the run.

    The list covers the customers who have a bundle in this run.
    """
    warehouse = Warehouse(settings, "ml")
    lease = open_run(settings, context)
    of_run = {"run_id": lease.run_id}
    products = warehouse.read(PRODUCTS, {"as_of": context.as_of})
    products = products.filter(pl.col("baskets") >= settings.min_product_baskets)
    desk = desk_of(settings, context.params, products, warehouse.read(ASSOCIATIONS, of_run).drop("run_id"))
    bundles = warehouse.read(BUNDLES, of_run, ["customer_id", "bundle_id", "objective", "status"])
    offered = bundles.filter(pl.col("status") != "abstained")
    items = warehouse.read(BUNDLE_ITEMS, of_run, ["bundle_id", "position", "product_id"])
    given, names = known_bundles(warehouse.read(GIVEN_BUNDLES, {"as_of": context.as_of}), desk, desk.limits.max_size)
    pool = offered_pool(offered, items, desk.shelf)
    served = offered["customer_id"].unique().sort().to_list()
    worths, ranks = [], []
    with tqdm(total=len(served), unit="customer", disable=None) as progress:
        for start in range(0, len(served), CUSTOMERS_AT_ONCE):
            slates = slates_of(warehouse, lease.run_id, desk.shelf, served[start : start + CUSTOMERS_AT_ONCE])
            for own, rows in in_threads(
                lambda slate: (pool.worths(slate, desk), given_rows(slate, given, names, desk)),
                slates,
                settings.threads,
            ):
                worths.append(own)
                ranks += rows
                progress.update()
    listed = catalogue_rows(pool, worths, context.params.catalogue_bundles, desk)
    return {
        "run_id": lease.run_id,
        "customers": len(served),
        "catalogue_bundles": warehouse.replace_run(CATALOGUE_BUNDLES, CATALOGUE_BUNDLES.frame(listed), lease),
        "coverage_gap_pct": round(listed[0]["gap_pct"], 4) if listed else 0.0,
        "given_bundles": len(names),
        "given_bundle_ranks": warehouse.replace_run(GIVEN_BUNDLE_RANKS, GIVEN_BUNDLE_RANKS.frame(ranks), lease),
    }
