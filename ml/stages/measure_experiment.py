"""Read out the shop's experiment: what an arm brought per customer over the control arm."""

from ml.measurement.readout import readout_rows
from ml.measurement.unavailable import note_unavailable
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.ground import Ground
from ml.settings import Settings
from ml.tables import EXPERIMENT_READOUTS, FEEDBACK


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.experiment_readouts`` of the run; without variants, the reason why there is none.

    Raises
    ------
    DataError
        When no features were built for the day.
    ConfigError
        When the form's arms are none.
    """
    lease = open_run(settings, context)
    ground = Ground(settings, context)
    feedback = ground.warehouse.read(FEEDBACK, {"as_of": context.as_of})
    rows, lacking = readout_rows(feedback, ground.baskets, ground.products, context.params)
    written = ground.warehouse.replace_run(EXPERIMENT_READOUTS, EXPERIMENT_READOUTS.frame(rows), lease)
    note_unavailable(ground.warehouse, lease, EXPERIMENT_READOUTS.name, lacking)
    facts = {
        "data_through": str(ground.baskets["basket_on"].max()),
        "dbt_invocation_id": ground.warehouse.dbt_invocation(context.as_of),
        "counts": {"experiment_readouts": written},
    }
    ground.warehouse.call("ops.note_run", run_id=lease.run_id, patch=facts)
    refused = sum(row["refusal_reason"] is not None for row in rows)
    return {"run_id": lease.run_id, "readouts": written, "refused": refused, "lacking": lacking or "nothing"}
