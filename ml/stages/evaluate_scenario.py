"""Judge a scenario on days it has not seen, beside the rule that a shop uses today; shown in MLflow and in a mart."""

import logging

from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.evaluations import EVALUATIONS
from ml.scenarios.ground import Ground
from ml.scenarios.judged import Judged, metric_rows
from ml.settings import Settings
from ml.tables import SCENARIO_METRICS
from ml.tracking import Tracking
from ml.warehouse import Warehouse

EXPERIMENT = "scenarios"

log = logging.getLogger(__name__)


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.scenario_metrics`` of the run, and a run of its own into the experiment ``scenarios`` of MLflow.

    What the shop's data cannot answer has no row.
    """
    lease = open_run(settings, context)
    ground = Ground(settings, context)
    judged = EVALUATIONS[context.params.scenario](ground)
    written = ground.warehouse.replace_run(SCENARIO_METRICS, metric_rows(judged), lease)
    mlflow_run_id = _record(settings, context, judged)
    if mlflow_run_id:
        Warehouse(settings, "ml").call("ops.note_run", run_id=lease.run_id, patch={"mlflow_run_id": mlflow_run_id})
    for one in judged:
        beside = f", {one.peer} {one.peer_value:.4g}" if one.peer_value is not None else ""
        log.info("%s (%s): %.4g %s%s", one.kpi, one.variant, one.value, one.unit, beside)
    return {"run_id": lease.run_id, "metrics": written}


def _record(settings: Settings, context: Context, judged: list[Judged]) -> str | None:
    scenario = context.params.scenario
    tags = {
        "scenario": scenario,
        "as_of": context.as_of,
        "git_commit": settings.git_commit,
        "seed": context.params.seed,
        "dbt_invocation_id": Warehouse(settings, "ml").dbt_invocation(context.as_of),
    }
    with Tracking(settings).run(EXPERIMENT, f"{scenario} {context.as_of}", tags) as run:
        for one in judged:
            name = one.kpi if one.variant == "all" else f"{one.kpi}_{one.variant}"
            numbers = {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
            numbers |= {f"{name}_gain": one.difference, f"{name}_gain_low": one.difference_low}
            numbers |= {f"{name}_of_{one.peer}": one.peer_value, f"{name}_gain_high": one.difference_high}
            run.metrics({key: number for key, number in numbers.items() if number is not None})
        run.table(metric_rows(judged), "metrics.json")
        return run.run_id
