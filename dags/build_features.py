"""Build features: from raw tables to what the models may know on the as-of date.

**Reads** schema `raw`.
**Writes** schemas `staging`, `intermediate`, `features` and the views in `marts`, all through dbt.
**Starts** when `raw` was loaded for a day, or by hand.
**Ends** by announcing the asset `features` for its as-of date, which starts `train_models`.

**When it fails** (red): `check_freshness` says that the newest order is too old for the as-of date, or that days before
it lack (ask for the missing delivery), or a dbt model or test failed. The task `dbt_producer_watcher` runs dbt and
holds its log; the tasks beside it each watch one model. Mend data or model, then start this DAG again for the day
(*As of* in the form): no model is made alone, since its tests would not run. Training and publishing have not started.
A Postgres that went away, or a view that somebody reads for long while an upgrade changes it, is waited for within the
task, which then builds all again.

**Told** by a row of `marts.fct_incidents`, and by e-mail or webhook where the settings name one: a task that failed for
good, and a run that is not over after six hours.

**Rerun** safe: a build replaces the rows of its own as-of date, and the views of `marts` are replaced, never dropped.
"""

from airflow.sdk import PartitionedAssetTimetable, chain, dag

from shared.assets import FEATURES, RAW, EmitAsset
from shared.forms import form
from shared.stages import DAG_DEFAULTS, stage
from shared.transform import dbt_models

FORM = form("build_features")


@dag(schedule=PartitionedAssetTimetable(assets=RAW), params=FORM, doc_md=__doc__, **DAG_DEFAULTS)
def build_features() -> None:
    chain(stage("check_freshness", FORM), dbt_models(), EmitAsset(task_id="emit_features", asset=FEATURES))


build_features()
