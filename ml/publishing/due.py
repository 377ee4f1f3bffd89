"""Whether a model is to be trained anew, and why."""

from ml.params import Context
from ml.publishing.promotion import Promotions
from ml.publishing.published import published_run
from ml.settings import Settings
from ml.tables import DRIFT_CHECKS
from ml.versions import Version
from ml.warehouse import Warehouse

MEASUREMENTS = "measurements"
"""Scope under which drift is published."""


def why_train(
    settings: Settings, context: Context, promotions: Promotions, champion: Version | None, kinds: tuple[str, ...]
) -> str | None:
    """Return why a model is to be trained now, in words; None where the champion is merely to be confirmed.

    Drift counts once: what was measured before the newest data that were judged, whoever won then, is answered.

    Parameters
    ----------
    kinds
        Of ``ml.drift_checks`` that concern the model: feature, score.

    Raises
    ------
    TemporaryError
        When MLflow or Postgres does not answer.
    """
    if champion is None:
        return "first: there is no champion"
    if context.params.retrain:
        return "asked for"
    every_days = settings.preference.retrain_after_days
    if promotions.is_due(champion, every_days):
        return f"age: no data of the last {every_days} days were judged"
    warehouse = Warehouse(settings, "ml")
    run_id = published_run(warehouse, MEASUREMENTS)
    measured = warehouse.read_view("ops.runs", {"run_id": run_id}, ["as_of"])["as_of"].to_list()
    if not measured or not promotions.newest_judged(champion) < measured[0] <= context.as_of:
        return None
    drifted = warehouse.read(DRIFT_CHECKS, {"run_id": run_id, "verdict": "drifted", "kind": list(kinds)})
    if drifted.is_empty():
        return None
    return "; ".join(f"drift: {row['kind']} {row['reason']}" for row in drifted.to_dicts())
