"""Check the candidate run before anybody reads it: dbt's audit tests and the business rules."""

import logging

from ml.errors import DataError
from ml.params import Context, Counts
from ml.publishing.audit import CandidateRun, Check, business_rules
from ml.publishing.lease import open_run
from ml.publishing.lineage import unchanged_features
from ml.publishing.publish import record
from ml.settings import Settings
from ml.tables import BUNDLE_ITEMS, BUNDLES, CANDIDATES, PRODUCT_FACTS, PRODUCTS
from ml.transform import audit
from ml.warehouse import Warehouse

log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Audit the run of this context and record each check.

    Raises
    ------
    DataError
        When a check fails: the run stays unpublished, and the pointer where it is.
    """
    lease = open_run(settings, context)
    warehouse = Warehouse(settings, "publisher")
    of_run = {"run_id": lease.run_id}
    candidate_run = CandidateRun(
        bundles=warehouse.read(BUNDLES, of_run),
        items=warehouse.read(BUNDLE_ITEMS, of_run),
        candidates=warehouse.read(CANDIDATES, of_run, ["customer_id", "product_id", "preference"]),
        products=Warehouse(settings, "ml").read(PRODUCTS, {"as_of": context.as_of}, PRODUCT_FACTS),
    )
    checks = business_rules(candidate_run, context.params)
    checks += [Check(test.name, test.failures, test.detail) for test in audit(settings, context.as_of, lease.run_id)]
    checks.append(unchanged_features(settings, context.as_of, lease.run_id))
    record(settings, lease, checks)
    failed = [check for check in checks if not check.is_passed]
    for check in failed:
        log.error("failed: %s: %s rows, such as %s", check.name, check.failures, check.detail)
    if failed:
        Warehouse(settings, "ml").call("ops.note_run", run_id=lease.run_id, patch={"status": "failed"})
        raise DataError(
            f"run {lease.run_id} failed {len(failed)} of {len(checks)} checks: {', '.join(c.name for c in failed)}; "
            "it stays unpublished"
        )
    return {
        "run_id": lease.run_id,
        "checks": len(checks),
        "bundles": candidate_run.offered.height,
        "abstentions": candidate_run.abstained.height,
    }
