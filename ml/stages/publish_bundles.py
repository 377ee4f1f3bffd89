"""Move the published pointer to the audited run."""

from ml.errors import NothingToDo
from ml.params import Context, Counts
from ml.publishing.publish import publish
from ml.settings import Settings


def run(settings: Settings, context: Context) -> Counts:
    """Publish the run of this context.

    Raises
    ------
    NothingToDo
        When a newer as-of date is published already; the run is kept, the pointer stays.
    """
    publication = publish(settings, context)
    if publication.outcome == "superseded":
        raise NothingToDo(f"run {publication.run_id} is kept, but a day after {context.as_of} is published already")
    return {"run_id": publication.run_id, "outcome": publication.outcome}
