"""What the stages' tests share: the usual run, and what a run wrote."""

import polars as pl

from ml.params import Context, Counts, RunParams
from ml.publishing.audit import CandidateRun, business_rules
from ml.settings import Settings
from ml.tables import BUNDLE_ITEMS, BUNDLES, CANDIDATES, PRODUCTS, Table
from ml.warehouse import Warehouse
from tests.stages.features import AS_OF

CONTEXT = Context(AS_OF, "test", RunParams(bundle_size=3, cost_per_product=0.001, min_joint_probability=0.001))


def read(shop: Settings, table: Table, counts: Counts) -> pl.DataFrame:
    return Warehouse(shop, "ml").read(table, {"run_id": counts["run_id"]})


def audited(shop: Settings, counts: Counts, params: RunParams) -> list[str]:
    run = CandidateRun(
        read(shop, BUNDLES, counts),
        read(shop, BUNDLE_ITEMS, counts),
        read(shop, CANDIDATES, counts),
        Warehouse(shop, "ml").read(PRODUCTS, {"as_of": AS_OF}),
    )
    return [f"{check.name}: {check.detail}" for check in business_rules(run, params) if not check.is_passed]
