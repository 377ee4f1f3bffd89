"""Check the run of a scenario before anybody reads it: dbt's audit tests of that scenario."""

import logging

from ml.errors import DataError
from ml.params import Context, Counts
from ml.publishing.audit import Check
from ml.publishing.lease import open_run
from ml.publishing.publish import record
from ml.settings import Settings
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
    tests = audit(settings, context.as_of, lease.run_id, context.params.scenario)
    checks = [Check(test.name, test.failures, test.detail) for test in tests]
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
    return {"run_id": lease.run_id, "checks": len(checks)}
