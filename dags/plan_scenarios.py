"""Plan scenarios: promotions, bundle prices, reorders, launches and customer care from the day's personal bundles.

**Reads** schema `features`; the personal run of the day (preferences and associations); the merchandiser's rules as
they stand now.
**Writes** for each scenario chosen in the form a run of its own in schema `ml`; then moves that scenario's pointer in
`ops.published`. The numbers by which it is judged stand in `marts.fct_scenario_metrics` and in MLflow, experiment
`scenarios`.
**Starts** when `bundles` were published for a day, or by hand with the form: any subset of the scenarios.
**Ends** with each scenario published by itself: one that fails stops no other, but for personal bundles, which come
first where they are chosen, since the others stand on them.

| scenario | answers | mart |
|---|---|---|
| personal | which bundles for each customer (also the daily DAG `recommend_bundles`) | `fct_bundles` |
| cross_category | what to promote together, at what discount, whom to invite | `fct_promotions` |
| bundle_sale | which bundles to sell to everybody, at what price | `fct_bundle_prices` |
| replenishment | what to reorder, what to sell off in bundles | `fct_replenishment` |
| launch | with what and to whom to show new products | `fct_launches` |
| customer_care | what service staff should know about a customer | `fct_customer_cards` |

**When it fails** (red): the log's last lines name the table or parameter. What a shop does not deliver is no failure:
the scenario's mart then holds one row that says *not available: needs* what. A failed audit lists its checks with
examples; that scenario's pointer has not moved.

**Told** by a row of `marts.fct_incidents`, and by e-mail or webhook where the settings name one: a task that failed for
good, and a run that is not over after six hours.

**Rerun** safe: a run replaces its own rows, and publishing is fenced.
"""

from airflow.sdk import PartitionedAssetTimetable, dag

from shared.assets import BUNDLES
from shared.forms import form
from shared.scenarios import scenario_groups
from shared.stages import DAG_DEFAULTS

FORM = form("plan_scenarios")


@dag(schedule=PartitionedAssetTimetable(assets=BUNDLES), params=FORM, doc_md=__doc__, **DAG_DEFAULTS)
def plan_scenarios() -> None:
    scenario_groups(FORM)


plan_scenarios()
