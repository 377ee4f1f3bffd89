"""Value policies over the shop's own bundles before anybody sees them, from the log of what was shown."""

from ml.measurement.unavailable import note_unavailable
from ml.measurement.valuation import Ranked, valued_rows
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.ground import Ground
from ml.settings import Settings
from ml.tables import FEEDBACK, GIVEN_BUNDLE_RANKS, GIVEN_BUNDLES, OFF_POLICY_VALUES


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.off_policy_values`` of the run; without a log with propensities, the reason why there is none."""
    lease = open_run(settings, context)
    ground, day = Ground(settings, context), {"as_of": context.as_of}
    warehouse = ground.warehouse
    feedback = warehouse.read(FEEDBACK, day)
    given = warehouse.read(GIVEN_BUNDLES, day, ["given_bundle_id"])["given_bundle_id"].to_list()
    ranks, ranked_on = ground.oldest_kept(GIVEN_BUNDLE_RANKS)
    rows, lacking = valued_rows(feedback, given, Ranked(ranks, ranked_on), context.as_of, context.params)
    written = warehouse.replace_run(OFF_POLICY_VALUES, OFF_POLICY_VALUES.frame(rows), lease)
    note_unavailable(warehouse, lease, OFF_POLICY_VALUES.name, lacking)
    warehouse.call("ops.note_run", run_id=lease.run_id, patch={"counts": {"off_policy_values": written}})
    refused = sum(row["refusal_reason"] is not None for row in rows)
    return {"run_id": lease.run_id, "values": written, "refused": refused, "lacking": lacking or "nothing"}
