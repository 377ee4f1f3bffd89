"""Write what was measured as one page with pictures, and as numbers, into MLflow."""

import re

from ml.measurement.page import page
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.settings import Settings
from ml.tables import DRIFT_CHECKS, EXPERIMENT_READOUTS, OFF_POLICY_VALUES, UNAVAILABLE
from ml.tracking import Tracking
from ml.warehouse import Warehouse

EXPERIMENT, REPORT = "measurements", "report.html"


def run(settings: Settings, context: Context) -> Counts:
    """Make a run in the experiment ``measurements`` of MLflow, with the report of this context's run.

    Best effort, as all that is only for reading: where MLflow does not answer, the marts are published all the same.
    """
    lease = open_run(settings, context)
    warehouse, of_run = Warehouse(settings, "ml"), {"run_id": lease.run_id}
    readouts, values, checks, lacking = (
        warehouse.read(table, of_run) for table in (EXPERIMENT_READOUTS, OFF_POLICY_VALUES, DRIFT_CHECKS, UNAVAILABLE)
    )
    text = page(f"Measurements of {context.as_of}", readouts, values, checks, dict(lacking.drop("run_id").iter_rows()))
    numbers = {
        f"{row['measure']}_{row['arm']}_uplift_cents": row["adjusted_difference_cents"] for row in readouts.to_dicts()
    }
    numbers |= {f"{row['target']}_{row['reward']}_{row['estimator']}": row["value"] for row in values.to_dicts()}
    numbers |= {f"{row['measure']}_{row['subject']}": row["value"] for row in checks.to_dicts()}
    # What the shop calls an arm is its own; a name in MLflow holds fewer letters.
    numbers = {re.sub(r"[^\w./ -]", "_", name): value for name, value in numbers.items()}
    tags = {
        "as_of": context.as_of,
        "run_id": lease.run_id,
        "git_commit": settings.git_commit,
        "seed": context.params.seed,
        "dbt_invocation_id": warehouse.dbt_invocation(context.as_of),
    }
    with Tracking(settings).run(EXPERIMENT, f"measurements {context.as_of}", tags) as tracked:
        tracked.metrics({name: value for name, value in numbers.items() if value is not None})
        tracked.text(text, REPORT)
    if tracked.run_id:
        warehouse.call("ops.note_run", run_id=lease.run_id, patch={"mlflow_run_id": tracked.run_id})
    drifted = checks["verdict"].to_list().count("drifted")
    return {"run_id": lease.run_id, "report_bytes": len(text), "drifted": drifted, "not_recorded": tracked.lost}
