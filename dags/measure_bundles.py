"""Measure bundles: what an experiment brought, what a policy would, and whether models and data still hold.

**Reads** schema `features`; the personal run of the day; the champion of the preference model in MLflow.
**Writes** a run of its own in schema `ml` (read-outs of the experiment, values of policies, drift checks); a page with
pictures in MLflow, experiment `measurements`; then moves the pointer of the scope `measurements` in `ops.published`.
**Starts** when `bundles` were published for a day, or by hand with the form.
**Ends** with `marts.fct_experiment_readout`, `marts.fct_off_policy` and `marts.fct_drift`. A feature or score that has
drifted past the limit makes the next run of `train_models` train.

| stage | answers | refuses |
|---|---|---|
| measure_experiment | what an arm brought per customer over the control arm | when the arms came out uneven |
| measure_off_policy | what showing other bundles of the shop would earn | when the log says too little |
| measure_drift | whether what models read and say is as it was; the age of the data | with too few days or rows |

**When it fails** (red): the log's last lines name the table or parameter. What a shop does not deliver, and what is
refused, is no failure: the mart then holds the reason. A failed audit lists its checks; the pointer has not moved.
`check_invariants` looks at the whole database: what it names does not hold, whichever run broke it.

**Told** by a row of `marts.fct_incidents`, and by e-mail or webhook where the settings name one: a task that failed for
good, and a run that is not over after six hours.

**Rerun** safe: a run replaces its own rows, and publishing is fenced.
"""

from airflow.sdk import PartitionedAssetTimetable, chain, dag

from shared.assets import BUNDLES
from shared.forms import form
from shared.stages import DAG_DEFAULTS, stage

FORM = form("measure_bundles")
SCOPE = "measurements"


@dag(schedule=PartitionedAssetTimetable(assets=BUNDLES), params=FORM, doc_md=__doc__, **DAG_DEFAULTS)
def measure_bundles() -> None:
    # One after the other: each takes the lease of the one run that they all write.
    chain(
        stage("measure_experiment", FORM, scenario=SCOPE),
        stage("measure_off_policy", FORM, scenario=SCOPE),
        stage("measure_drift", FORM, scenario=SCOPE),
        stage("report_measurements", FORM, scenario=SCOPE),
        stage("audit_scenario", FORM, scenario=SCOPE),
        stage("publish_bundles", FORM, scenario=SCOPE),
        stage("check_invariants", FORM, scenario=SCOPE),
    )


measure_bundles()
