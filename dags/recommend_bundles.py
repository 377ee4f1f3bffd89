"""Recommend bundles: from fresh features and champion models to the published run.

**Reads** schema `features`, with the merchandiser's rules as they stand when the run begins; the champion models in
MLflow.
**Writes** a run of its own in schema `ml` (candidates, scored products of given bundles, associations, bundles, items,
shadow prices of stock, catalogue gaps, the list for everybody, ranks of given bundles, the rules it obeys and what each
costs); then moves `ops.published`.
**Starts** when `models` were trained or confirmed for a day, or by hand with the form.
**Ends** by announcing the asset `bundles`. Where a newer day is published already, the run
is not shown: the pointer stays, and `publish_bundles` is skipped.

**When it fails** (red): `audit_bundles` lists each failed check with examples, and `marts.fct_runs` keeps the
counts; the pointer has not moved, so everybody still reads the bundles of the run before. Mend the cause
and clear the run from the failed task on. *fenced* in the log means that another try or run took the lease: look for
it before clearing from `audit_bundles` on.
**To take a published run back**: `.venv/bin/python -m local exec python -m ml rollback_bundles` moves the pointer to
the run before.
**When form and rules contradict each other** (`propose_candidates`): the log names the rule; take one of the two back.
**When it waits** (`approve_bundles`): somebody asked to approve before publishing; answer under *Required actions*.
Silence for twelve hours refuses.

**Told** by a row of `marts.fct_incidents`, and by e-mail or webhook where the settings name one: a task that failed for
good, and a run that is not over after six hours.

**Rerun** safe: a run replaces its own rows, and publishing is fenced.
"""

from airflow.sdk import PartitionedAssetTimetable, chain, dag

from shared.approval import OptionalApproval
from shared.assets import BUNDLES, MODELS
from shared.forms import form
from shared.stages import DAG_DEFAULTS, stage

FORM = form("recommend_bundles")


@dag(schedule=PartitionedAssetTimetable(assets=MODELS), params=FORM, doc_md=__doc__, **DAG_DEFAULTS)
def recommend_bundles() -> None:
    chain(
        stage("propose_candidates", FORM),
        stage("optimise_bundles", FORM),
        stage("list_bundles", FORM),
        stage("audit_bundles", FORM),
        OptionalApproval(
            task_id="approve_bundles",
            subject="Publish the bundles for {{ as_of() }}?",
            body="Run {{ dag_run.run_id }} passed its audit. Its rows are in schema ml; the counts in marts.fct_runs.",
        ),
        stage("publish_bundles", FORM, outlets=[BUNDLES]),
    )


recommend_bundles()
