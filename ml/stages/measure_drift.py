"""Check whether what the models read and say looks as before, and whether the data are fresh."""

import json

from ml.evaluation.drift import DriftParams
from ml.measurement.readout import Row
from ml.measurement.stability import Span, feature_rows, freshness_rows, score_row, spans
from ml.measurement.unavailable import note_unavailable
from ml.params import Context, Counts
from ml.publishing.lease import open_run
from ml.scenarios.ground import Ground
from ml.settings import Settings
from ml.tables import CANDIDATES, DRIFT_CHECKS, FEEDBACK
from ml.tracking import Tracking
from ml.versions import lineage_of

NO_MODEL = "not available: needs a champion of the preference model; run train_models first"


def run(settings: Settings, context: Context) -> Counts:
    """Write ``ml.drift_checks`` of the run; before the first training, the reason why there is none.

    Raises
    ------
    DataError
        When no features were built for the day, or it has no personal run.
    TemporaryError
        When MLflow does not answer.
    """
    lease = open_run(settings, context)
    ground = Ground(settings, context)
    champion = Tracking(settings).find_champion("preference", context.as_of)
    rows: list[Row] = []
    if champion:
        params = DriftParams(psi_limit=context.params.drift_psi_limit, max_age_days=settings.freshness.max_age_days)
        then, now = spans(champion.data_cut_off, context.as_of, context.params.drift_days)
        rows += feature_rows(ground.baskets, ground.product_days, then, now, params)
        rows.append(_scores(ground, params))
        days = {
            "baskets": ground.baskets["basket_on"],
            "events": ground.events["occurred_on"],
            "feedback": ground.warehouse.read(FEEDBACK, {"as_of": context.as_of}, ["occurred_on"])["occurred_on"],
        }
        rows += freshness_rows(days, context.as_of, params)
    written = ground.warehouse.replace_run(DRIFT_CHECKS, DRIFT_CHECKS.frame(rows), lease)
    note_unavailable(ground.warehouse, lease, DRIFT_CHECKS.name, None if champion else NO_MODEL)
    facts = {**lineage_of(*([champion] if champion else [])), "counts": {"drift_checks": written}}
    ground.warehouse.call("ops.note_run", run_id=lease.run_id, patch=facts)
    drifted = sum(row["verdict"] == "drifted" for row in rows)
    return {"run_id": lease.run_id, "checks": written, "drifted": drifted}


def _scores(ground: Ground, params: DriftParams) -> Row:
    """Return the row about the preferences of the day's run, beside the oldest kept run of the same version."""
    as_of, seed = ground.context.as_of, ground.context.params.seed
    ran = ground.warehouse.read_view("ops.runs", {"run_id": ground.personal_run}, ["model_versions"])
    version = json.loads(ran["model_versions"][0]).get("preference")
    before, day = ground.oldest_kept(CANDIDATES, ["preference"], version)
    first, after = day or as_of, ground.candidates["preference"]
    return score_row(before["preference"], after, Span(first, first), Span(as_of, as_of), params, seed)
