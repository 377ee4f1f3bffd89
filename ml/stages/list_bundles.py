"""Choose the bundles that the shop lists for everybody, and rank the bundles it has for each customer."""

import polars as pl
from tqdm import tqdm

from ml.optimizer.solve import in_threads
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.desk import CUSTOMERS_AT_ONCE, applied_rules, desk_of, slates_of
from ml.scenarios.given import GivenBundle, Row, given_bundles, given_rows
from ml.scenarios.listed import Pool, Worths, catalogue_rows, offered_pool
from ml.scenarios.slates import Desk, Slate
from ml.settings import Settings
from ml.tables import (
    ASSOCIATIONS,
    BUNDLE_ITEMS,
    BUNDLES,
    CATALOGUE_BUNDLES,
    CUSTOMERS,
    GIVEN_BUNDLE_RANKS,
    GIVEN_BUNDLES,
    GIVEN_CANDIDATES,
    PRODUCT_FACTS,
    PRODUCTS,
)
from ml.training import with_evidence
from ml.warehouse import Warehouse


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.catalogue_bundles`` and ``ml.given_bundle_ranks`` of the run.

    The list covers the customers who have a bundle in this run; the shop's own bundles are ranked for all who have
    candidates.
    """
    warehouse = Warehouse(settings, "ml")
    lease = open_run(settings, context)
    of_run, day = {"run_id": lease.run_id}, {"as_of": context.as_of}
    products = warehouse.read(PRODUCTS, day, PRODUCT_FACTS)
    rules = applied_rules(warehouse, lease.run_id, products)
    products = with_evidence(products, context.as_of, settings)
    pairs = warehouse.read(ASSOCIATIONS, of_run).drop("run_id")
    desk = desk_of(settings, context.params, products, pairs, rules)
    bundles = warehouse.read(BUNDLES, of_run, ["customer_id", "bundle_id", "objective", "status"])
    offered = bundles.filter(pl.col("status") != "abstained")
    items = warehouse.read(BUNDLE_ITEMS, of_run, ["bundle_id", "position", "product_id"])
    given = given_bundles(warehouse.read(GIVEN_BUNDLES, day), desk)
    pool = offered_pool(offered, items, desk.shelf)
    served = set(offered["customer_id"])
    known = warehouse.read(CUSTOMERS, day, ["customer_id"])["customer_id"].to_list() if given else sorted(served)
    worths, ranks = [], [GIVEN_BUNDLE_RANKS.frame([])]
    with tqdm(total=len(known), unit="customer", disable=None) as progress:
        for start in range(0, len(known), CUSTOMERS_AT_ONCE):
            some = known[start : start + CUSTOMERS_AT_ONCE]
            own, rows = _valued(settings, lease.run_id, some, served, pool, given, desk)
            worths += own
            ranks.append(GIVEN_BUNDLE_RANKS.frame(rows))  # a frame takes a fraction of the rows' memory
            progress.update(len(some))
    listed = catalogue_rows(pool, worths, context.params.catalogue_bundles, desk, products, pairs)
    ranked = pl.concat(ranks)
    return {
        "run_id": lease.run_id,
        "customers": len(served),
        "catalogue_bundles": warehouse.replace_run(CATALOGUE_BUNDLES, CATALOGUE_BUNDLES.frame(listed), lease),
        "coverage_gap_pct": round(listed[0]["gap_pct"], 4) if listed else 0.0,
        "given_bundles": len(given),
        "given_bundle_ranks": warehouse.replace_run(GIVEN_BUNDLE_RANKS, ranked, lease),
        "given_bundles_unranked": ranked["bundle_rank"].null_count(),
    }


def _valued(
    settings: Settings,
    run_id: int,
    customers: list[str],
    served: set[str],
    pool: Pool,
    given: list[GivenBundle],
    desk: Desk,
) -> tuple[list[Worths], list[Row]]:
    """Return what the pooled bundles are worth to each served customer, and the rows of given bundles of all."""
    warehouse = Warehouse(settings, "ml")
    beside = warehouse.read(GIVEN_CANDIDATES, {"run_id": run_id, "customer_id": customers}).drop("run_id")
    of_customer = beside.partition_by("customer_id", as_dict=True)

    def valued(slate: Slate) -> tuple[Worths | None, list[Row]]:
        # The list keeps to the candidates, so that a shop gets the same list whatever bundles it has already.
        worths = pool.worths(slate, desk) if slate.customer_id in served else None
        if not given:
            return worths, []
        more = of_customer.get((slate.customer_id,), beside.clear())
        return worths, given_rows(slate, more, given, desk)

    found = list(in_threads(valued, slates_of(warehouse, run_id, desk.shelf, customers), settings.threads))
    return [own for own, _ in found if own is not None], [row for _, rows in found for row in rows]
