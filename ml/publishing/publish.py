"""Moving the published pointer: forward to an audited run, or back to the run before."""

from dataclasses import dataclass

from ml.params import Context
from ml.publishing.audit import Check
from ml.publishing.lease import audited_lease
from ml.settings import Settings
from ml.warehouse import Lease, Warehouse

STATEMENT_SECONDS = 30
"""A pointer that takes longer to move gives up the lease that it holds meanwhile."""
KEPT_RUNS = 2
"""The published run and the one before it, so that a rollback moves a pointer and nothing else."""


@dataclass(frozen=True)
class Publication:
    """What became of a run: ``published``, or ``superseded`` by a newer as-of date that is published already."""

    run_id: int
    outcome: str


def record(settings: Settings, lease: Lease, checks: list[Check]) -> None:
    """Record the outcome of each check for the lease's run and epoch: all, or none where it is stopped.

    Half of the checks, all passed, would be an audit to whoever publishes.
    """
    of_run = {"run_id": lease.run_id, "epoch": lease.epoch}
    Warehouse(settings, "publisher").call_each(
        "ops.record_audit",
        [
            {
                **of_run,
                "check_name": check.name,
                "is_passed": check.is_passed,
                "failures": check.failures,
                "detail": check.detail,
            }
            for check in checks
        ],
    )


def publish(settings: Settings, context: Context) -> Publication:
    """Publish the audited run of this context in one fenced transaction, then drop the runs nobody needs.

    Statistics of the run's partitions are made first, because the first reader after a publish would otherwise get
    a plan for an unknown table; and what is offered is copied for those who ask later, which takes the longer the more
    customers there are.

    Raises
    ------
    DataError
        When the run does not exist, was not audited, or a check failed.
    FencedError
        When another try or run took the scope's lease since the audit.
    TemporaryError
        When Postgres does not answer, or takes longer than ``STATEMENT_SECONDS``.
    """
    lease = audited_lease(settings, context)
    warehouse = Warehouse(settings, "publisher")
    warehouse.call("ops.analyze_run", run_id=lease.run_id)
    of_run = {"run_id": lease.run_id, "epoch": lease.epoch}
    warehouse.call("ops.prepare_offers", **of_run)
    asked = {**of_run, "actor": context.started_by}
    (((outcome,),),) = warehouse.call_each("ops.publish", [asked], STATEMENT_SECONDS)
    warehouse.call("ops.drop_old_runs", scope=lease.scope, keep=KEPT_RUNS)
    return Publication(lease.run_id, outcome)


def rollback(settings: Settings, scope: str, actor: str) -> int:
    """Move the scope's pointer back to the run published before, and return that run.

    Raises
    ------
    DataError
        When no earlier run is kept.
    """
    asked = {"scope": scope, "actor": actor}
    (((run_id,),),) = Warehouse(settings, "publisher").call_each("ops.rollback", [asked], STATEMENT_SECONDS)
    return int(run_id)
