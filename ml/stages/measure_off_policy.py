"""Value policies over the shop's own bundles before anybody sees them, from the log of what was shown."""

from ml.measurement.unavailable import note_unavailable
from ml.measurement.valuation import valued_rows
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.ground import Ground
from ml.settings import Settings
from ml.tables import FEEDBACK, GIVEN_BUNDLE_RANKS, GIVEN_BUNDLES, OFF_POLICY_VALUES


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.off_policy_values`` of the run; without a log with propensities, the reason why there is none.

    Raises
    ------
    DataError
        When the day has no personal run, whose ranks one of the policies follows.
    """
    lease = open_run(settings, context)
    ground, day = Ground(settings, context), {"as_of": context.as_of}
    warehouse = ground.warehouse
    feedback = warehouse.read(FEEDBACK, day)
    given = warehouse.read(GIVEN_BUNDLES, day, ["given_bundle_id"])["given_bundle_id"].to_list()
    ranks = warehouse.read(GIVEN_BUNDLE_RANKS, {"run_id": ground.personal_run})
    rows, lacking = valued_rows(feedback, given, ranks, context.as_of, context.params)
    written = warehouse.replace_run(OFF_POLICY_VALUES, OFF_POLICY_VALUES.frame(rows), lease)
    note_unavailable(warehouse, lease, OFF_POLICY_VALUES.name, lacking)
    facts = {"counts": {"off_policy_values": written, "personal_run_id": ground.personal_run}}
    warehouse.call("ops.note_run", run_id=lease.run_id, patch=facts)
    refused = sum(row["refusal_reason"] is not None for row in rows)
    return {"run_id": lease.run_id, "values": written, "refused": refused, "lacking": lacking or "nothing"}
