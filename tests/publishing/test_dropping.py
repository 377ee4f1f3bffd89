"""Rows of runs that nobody needs go each night, also where nothing is published; what somebody may look at stays."""

from contextlib import closing, nullcontext, suppress
from itertools import count

import psycopg2.extensions
import pytest

from local.postgres import Server
from ml.errors import DataError
from ml.params import Context, RunParams
from ml.publishing.dropping import drop_unneeded_runs
from ml.settings import Settings
from ml.stages import check_invariants
from ml.transform import AuditCheck
from ml.warehouse import Warehouse
from tests.conftest import owner_of
from tests.publishing.published import AS_OF

Connection = psycopg2.extensions.connection
NIGHTS = count(1)


def opened(settings: Settings, owner: Connection, scope: str, days_ago: int, status: str = "failed") -> int:
    """Open a run that was begun some days ago and came to nothing."""
    facts = {"as_of": AS_OF, "started_by": f"night {next(NIGHTS)}", "seed": 1, "params": {}, "git_commit": ""}
    ((run_id, _),) = Warehouse(settings, "ml").call("ops.open_run", scope=scope, **facts)
    with owner.cursor() as cursor:
        begun = "update ops.runs set status = %s, opened_at = now() - make_interval(days => %s) where run_id = %s"
        cursor.execute(begun, (status, days_ago, run_id))
    return int(run_id)


def kept(owner: Connection, runs: list[int]) -> list[int]:
    with owner.cursor() as cursor:
        cursor.execute("select n from unnest(%s) as n where to_regclass('ml.bundles_r' || n) is not null", (runs,))
        return [run_id for (run_id,) in cursor.fetchall()]


@pytest.mark.parametrize("broken", [[], [AuditCheck("invariant_x", 1, "")]])
def test_nights_that_publish_nothing_leave_no_rows_for_ever(
    settings: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch, broken: list[AuditCheck]
) -> None:
    old = [
        opened(settings, owner, scope, 3, status) for scope in ("personal", "launch") for status in ("failed", "open")
    ]
    young = [opened(settings, owner, "personal", 1, status) for status in ("failed", "open")]
    held = [opened(settings, owner, scope, 3) for scope in ("personal", "launch")]
    monkeypatch.setattr(check_invariants, "invariants", lambda settings, as_of: list(broken))
    monkeypatch.setattr(check_invariants, "broken_lineage", lambda settings: ([], None))
    # One call takes no longer than readers would bear, and leaves the rest to the next night.
    for _ in range(5):
        with suppress(DataError) if broken else nullcontext():
            check_invariants.run(settings, Context(AS_OF, "test", RunParams()))
    assert kept(owner, old + young + held) == young + held


def test_what_cannot_be_dropped_neither_fails_nor_holds_up(
    settings: Settings, owner: Connection, postgres: Server, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    old = [opened(settings, owner, "customer_care", 3) for _ in range(2)]
    with closing(owner_of(postgres, database)) as reader:
        reader.autocommit = False
        reader.cursor().execute("select count(*) from ml.bundles")
        drop_unneeded_runs(settings)
    assert kept(owner, old) == old
    drop_unneeded_runs(settings)
    assert kept(owner, old) == old[1:], "the next night drops it"
    down = settings.model_copy(update={"warehouse": settings.warehouse.model_copy(update={"port": 1})})
    drop_unneeded_runs(down)
    assert "no old runs were dropped" in caplog.text
