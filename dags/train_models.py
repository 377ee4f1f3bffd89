"""Train models: from features to the champions of preference and association, or their confirmation.

**Reads** schema `features`; the registered models in MLflow.
**Writes** MLflow experiments `preference`, `association` and `bundle_policy`, and registered versions with the gate's
reason; `ops.promotions` (a row for each judgement); `ml.policy_metrics`.
**Starts** when `features` were built for a day, or by hand (*Retrain* trains even where nothing is due; *Freeze
promotion* compares and records, but leaves the champions as they are).
**Ends** by announcing the asset `models` for its as-of date, whether a model was trained or confirmed; that starts
`recommend_bundles`.

**When it fails** (red): the log's last lines say whether data were missing or MLflow did not answer (that is
retried first). A challenger that does not pass its gate is no failure: the champion stays, and the version carries
the reason as tag `gate_reason`. A training that has too little to learn from is skipped where there is a champion
(*not_enough_data* in the log), which stays; the first one fails. To go back to an older model, move the alias
`champion` in MLflow: the next run records that, respects it, and holds what was rolled back. `docs/promotion.md` tells
how versions are compared.

**Told** by a row of `marts.fct_incidents`, and by e-mail or webhook where the settings name one: a task that failed for
good, and a run that is not over after six hours.

**Rerun** safe: a version is trained again only where it is due or asked for.
"""

from airflow.sdk import PartitionedAssetTimetable, chain, dag

from shared.assets import FEATURES, MODELS, EmitAsset
from shared.forms import form
from shared.stages import DAG_DEFAULTS, stage

FORM = form("train_models")


@dag(schedule=PartitionedAssetTimetable(assets=FEATURES), params=FORM, doc_md=__doc__, **DAG_DEFAULTS)
def train_models() -> None:
    # A stage that finds nothing to do is skipped, and the chain goes on; one that fails stops it.
    chain(
        [stage("train_association", FORM), stage("train_preference", FORM)],
        stage("evaluate_policies", FORM, trigger_rule="none_failed"),
        EmitAsset(task_id="emit_models", asset=MODELS, trigger_rule="none_failed"),
    )


train_models()
