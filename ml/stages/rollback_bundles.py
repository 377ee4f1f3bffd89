"""Move the published pointer back to the run before."""

from ml.params import Context, Counts
from ml.publishing.publish import rollback
from ml.settings import Settings


def run(settings: Settings, context: Context) -> Counts:
    """Take the published run of the form's scenario back."""
    scope = context.params.scenario
    return {"scope": scope, "run_id": rollback(settings, scope, context.started_by)}
