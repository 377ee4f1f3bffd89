"""Check what must hold at any moment, whatever ran, failed or was killed before."""

import logging

from ml.alerts import note
from ml.errors import DataError, TemporaryError
from ml.params import Context, Counts
from ml.publishing.dropping import drop_unneeded_runs
from ml.publishing.lineage import broken_lineage
from ml.settings import Settings
from ml.transform import AuditCheck, invariants

LINEAGE = "invariant_a_published_model_is_the_one_registered"

log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Check all invariants: those that dbt asks Postgres, and where the models of the published runs come from.

    Afterwards the rows of runs that nobody needs are dropped.

    Raises
    ------
    DataError
        When one does not hold; the message names them all, and each is an incident.
    TemporaryError
        When all others hold, and MLflow does not answer: then nothing is known of the models.
    """
    checks = invariants(settings, context.as_of)
    broken_links, unknown = broken_lineage(settings)
    if broken_links or not unknown:
        checks.append(AuditCheck(LINEAGE, len(broken_links), "; ".join(broken_links)))
    if unknown:
        log.error("not checked to its end: %s: %s", LINEAGE, unknown)
    broken = [check for check in checks if not check.is_passed]
    for check in broken:
        log.error("does not hold: %s: %s rows %s", check.name, check.failures, check.detail)
        # By the next check it may hold again, and what broke it would be forgotten.
        detail = f"{check.failures} rows" if check.name != LINEAGE else check.detail
        note(settings, "invariant_broken", check.name, detail, context.as_of, context.started_by)
    # Here, as this runs each night, whatever became of it.
    drop_unneeded_runs(settings)
    if broken:
        names = ", ".join(check.name for check in broken)
        raise DataError(
            f"{len(broken)} of {len(checks)} invariants do not hold: {names}; see dbt_project/tests/invariants"
            + (f"; not all is known of the published models: {unknown}" if unknown else "")
        )
    if unknown:
        raise TemporaryError(f"{len(checks)} invariants hold, of the published models nothing is known: {unknown}")
    return {"checks": len(checks)}
