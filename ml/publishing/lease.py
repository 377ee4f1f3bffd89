"""The right to write a run.

Airflow can run two tries of one task at once, so each stage that writes takes a new number (epoch) of its
scope's lease; whoever holds an older number is fenced off at its next write.
"""

from dataclasses import asdict

from ml.errors import DataError
from ml.params import Context
from ml.settings import Settings
from ml.warehouse import Lease, Warehouse


def open_run(settings: Settings, context: Context, scope: str | None = None) -> Lease:
    """Find or make the run of ``(scope, as_of, started_by)`` and take a new epoch for it.

    A run that was published is never written again: the same three values then make a new run.

    Parameters
    ----------
    settings
        Where Postgres is.
    context
        As-of date, who started the run, and the values of its form, which are recorded with the run.
    scope
        What is published together; the scenario of the form when None.

    Returns
    -------
    Lease
        To be handed to ``Warehouse.replace_run``; every earlier lease of the scope is void from now on.
    """
    scope = scope or context.params.scenario
    warehouse = Warehouse(settings, "ml")
    ((run_id, epoch),) = warehouse.call(
        "ops.open_run",
        scope=scope,
        as_of=context.as_of,
        started_by=context.started_by,
        seed=context.params.seed,
        params=asdict(context.params),
        git_commit=settings.git_commit,
    )
    warehouse.call("ops.note_run", run_id=run_id, patch={"lock_sha256": settings.lock_sha256})
    return Lease(scope, run_id, epoch)


def audited_lease(settings: Settings, context: Context) -> Lease:
    """Return the lease under which the run of this context was last audited.

    Raises
    ------
    DataError
        When there is no such run, or it was not audited yet.
    """
    scope = context.params.scenario
    warehouse = Warehouse(settings, "publisher")
    key = {"scope": scope, "as_of": context.as_of, "started_by": context.started_by}
    runs: list[int] = warehouse.read_view("ops.runs", key, ["run_id"], order_by=["run_id"])["run_id"].to_list()
    if not runs:
        raise DataError(f"no run of scope {scope} for {context.as_of}, started by {context.started_by}")
    run_id = runs[-1]
    epochs = warehouse.read_view("ops.audits", {"run_id": run_id}, ["epoch"])["epoch"].to_list()
    if not epochs:
        raise DataError(f"run {run_id} ({scope}, {context.as_of}) was never audited: run audit_bundles first")
    return Lease(scope, run_id, max(epochs))
