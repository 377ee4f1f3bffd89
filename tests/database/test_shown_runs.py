"""Rows of a published run stay as they are, whoever has the password of ``ml``."""

from contextlib import closing
from datetime import date
from uuid import uuid4

import psycopg2
import pytest

from ml.errors import DataError
from ml.settings import Settings
from ml.tables import UNAVAILABLE
from ml.warehouse import Lease, Warehouse

Connection = psycopg2.extensions.connection
REFUSED = "was published, and its rows stay as they are|was published, and stays so"


@pytest.fixture
def runs(settings: Settings) -> tuple[int, int, int]:
    """A run that is shown, the one before it, and one at work, each with a row."""
    before, shown, at_work = (one_run(settings, is_published) for is_published in (True, True, False))
    publisher = Warehouse(settings, "publisher")
    assert publisher.read_view("ops.published", {"scope": "replenishment"})["run_id"].to_list() == [shown]
    return before, shown, at_work


def one_run(settings: Settings, is_published: bool) -> int:
    ml, publisher = Warehouse(settings, "ml"), Warehouse(settings, "publisher")
    facts = {"as_of": date(2017, 12, 11), "started_by": str(uuid4()), "seed": 1, "params": {}, "git_commit": ""}
    ((run_id, epoch),) = ml.call("ops.open_run", scope="replenishment", **facts)
    with ml.transaction() as connection:
        connection.cursor().execute("insert into ml.unavailable values (%s, 'replenishment', 'no stock')", (run_id,))
    if is_published:
        check = {"check_name": "sums", "is_passed": True, "failures": 0, "detail": None}
        publisher.call("ops.record_audit", run_id=run_id, epoch=epoch, **check)
        publisher.call("ops.publish", run_id=run_id, epoch=epoch, actor="test")
    return run_id


@pytest.mark.parametrize(
    "statement",
    [
        "delete from ml.unavailable where run_id = {}",
        "insert into ml.unavailable values ({}, 'more', 'planted')",
        "delete from ml.unavailable",
        """select ops.note_run({}, '{{"status": "failed"}}')""",
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_ml_cannot_change_what_is_shown_or_was(
    settings: Settings, runs: tuple[int, int, int], statement: str, which: int
) -> None:
    ml = Warehouse(settings, "ml")
    with pytest.raises(DataError, match=REFUSED), ml.transaction() as connection:
        connection.cursor().execute(statement.format(runs[which]))
    for run in runs:
        assert ml.read_view("ml.unavailable", {"run_id": run}).height == 1


def test_a_lease_that_outlived_its_publish_writes_nothing(settings: Settings, runs: tuple[int, int, int]) -> None:
    """The bulk way, with the epoch that published."""
    ml, publisher = Warehouse(settings, "ml"), Warehouse(settings, "publisher")
    run_id, epoch = runs[2], publisher.read_view("ops.leases", {"scope": "replenishment"})["epoch"][0]
    publisher.call(
        "ops.record_audit", run_id=run_id, epoch=epoch, check_name="sums", is_passed=True, failures=0, detail=None
    )
    assert publisher.call("ops.publish", run_id=run_id, epoch=epoch, actor="test") == [("published",)]
    with pytest.raises(DataError, match=REFUSED):
        ml.replace_run(UNAVAILABLE, UNAVAILABLE.frame([]), Lease("replenishment", run_id, epoch))
    assert ml.read_view("ml.unavailable", {"run_id": run_id}).height == 1


def test_a_run_at_work_is_changed_freely(settings: Settings, runs: tuple[int, int, int]) -> None:
    ml = Warehouse(settings, "ml")
    with ml.transaction() as connection:
        connection.cursor().execute("delete from ml.unavailable where run_id = %s", (runs[2],))
    assert ml.read_view("ml.unavailable", {"run_id": runs[2]}).is_empty()


def test_every_table_that_a_run_fills_is_guarded(owner: Connection) -> None:
    with closing(owner.cursor()) as cursor:
        cursor.execute(
            "select t.name, count(g.tgname) from ops.result_tables() as t (name)"
            " left join pg_trigger as g on g.tgrelid = ('ml.' || t.name)::regclass"
            " and g.tgname in ('shown_rows_stay', 'nothing_joins_shown_rows') and g.tgenabled = 'O'"
            " group by t.name having count(g.tgname) <> 2"
        )
        assert cursor.fetchall() == []
