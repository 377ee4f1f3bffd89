"""Check what must hold at any moment, whatever ran, failed or was killed before."""

import logging

from ml.alerts import note
from ml.errors import DataError
from ml.params import Context, Counts
from ml.settings import Settings
from ml.transform import invariants

log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Check all invariants.

    Raises
    ------
    DataError
        When one does not hold; the message names them all, and each is an incident.
    """
    checks = invariants(settings, context.as_of)
    broken = [check for check in checks if not check.is_passed]
    for check in broken:
        log.error("does not hold: %s: %s rows", check.name, check.failures)
        # By the next check it may hold again, and what broke it would be forgotten.
        note(settings, "invariant_broken", check.name, f"{check.failures} rows", context.as_of, context.started_by)
    if broken:
        names = ", ".join(check.name for check in broken)
        raise DataError(
            f"{len(broken)} of {len(checks)} invariants do not hold: {names}; see dbt_project/tests/invariants"
        )
    return {"checks": len(checks)}
