"""Two at once: rival publishers, a publish against a new try, readers against new and old partitions."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psycopg2
import pytest

from ml.errors import FencedError
from ml.settings import Settings
from ml.warehouse import Warehouse

Connection = psycopg2.extensions.connection


@pytest.fixture(autouse=True)
def clean(owner: Connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("delete from ops.published; delete from ops.publish_log; delete from ops.audits")


@pytest.fixture
def second(owner: Connection) -> Iterator[Connection]:
    """A second connection of the owner, for holding transactions open."""
    connection = psycopg2.connect(owner.dsn, password=owner.info.password)
    yield connection
    connection.close()


def opened(settings: Settings, day: int, started_by: str) -> tuple[int, int]:
    rows = Warehouse(settings, "ml").call(
        "ops.open_run",
        scope="personal",
        as_of=date(2017, 12, day),
        started_by=started_by,
        seed=1,
        params={},
        git_commit="",
    )
    return rows[0][0], rows[0][1]


def audited(settings: Settings, run_id: int, epoch: int) -> None:
    Warehouse(settings, "publisher").call(
        "ops.record_audit", run_id=run_id, epoch=epoch, check_name="sums", is_passed=True, failures=0, detail=None
    )


def published(settings: Settings, day: int, started_by: str) -> int:
    run_id, epoch = opened(settings, day, started_by)
    audited(settings, run_id, epoch)
    Warehouse(settings, "publisher").call("ops.publish", run_id=run_id, epoch=epoch, actor=started_by)
    return run_id


@pytest.mark.parametrize("day", range(1, 6))
def test_of_rival_tries_exactly_one_publishes(settings: Settings, owner: Connection, day: int) -> None:
    """Four tries of the same run, each with its own epoch, publish at the same moment."""
    tries = [opened(settings, day, "rival") for _ in range(4)]
    for run_id, epoch in tries:
        audited(settings, run_id, epoch)
    start = threading.Barrier(len(tries))

    def attempt(run_id: int, epoch: int) -> str:
        publisher = Warehouse(settings, "publisher")
        start.wait()
        try:
            return str(publisher.call("ops.publish", run_id=run_id, epoch=epoch, actor=str(epoch))[0][0])
        except FencedError:
            return "fenced"

    with ThreadPoolExecutor(len(tries)) as pool:
        outcomes = list(pool.map(attempt, *zip(*tries, strict=True)))
    assert sorted(outcomes) == ["fenced"] * 3 + ["published"]
    with owner.cursor() as cursor:
        cursor.execute("select actor, epoch from ops.publish_log where action = 'publish'")
        assert cursor.fetchall() == [(str(tries[-1][1]), tries[-1][1])], "only the newest epoch may publish"


def test_a_try_that_was_overtaken_while_it_wrote_is_waited_for_and_then_fenced(
    settings: Settings, second: Connection
) -> None:
    """A new try cannot take the lease from under a write transaction; afterwards the old one is fenced.

    It waits for longer than a writer waits for other locks, or a slow write would use up all tries.
    """
    run_id, epoch = opened(settings, 10, "slow")
    cursor = second.cursor()
    cursor.execute("select ops.hold_lease('personal', %s, %s)", (run_id, epoch))
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(opened, settings, 10, "slow")
        with pytest.raises(TimeoutError):
            taken.result(timeout=6)
        second.commit()
        assert taken.result(timeout=10) == (run_id, epoch + 1)
    with pytest.raises(psycopg2.Error, match="fenced") as fenced:
        cursor.execute("select ops.hold_lease('personal', %s, %s)", (run_id, epoch))
    assert fenced.value.pgcode == "P0F01"


def test_a_long_reader_does_not_stop_a_new_run(settings: Settings, second: Connection) -> None:
    second.cursor().execute("select count(*) from ml.bundles")
    run_id, _ = opened(settings, 11, "beside a reader")
    assert run_id


def test_partitions_that_are_being_read_stay_until_the_next_call(
    settings: Settings, owner: Connection, second: Connection
) -> None:
    runs = [published(settings, day, "keeper") for day in (12, 13, 14)]
    publisher = Warehouse(settings, "publisher")
    second.cursor().execute("select count(*) from ml.bundles")
    assert publisher.call("ops.drop_old_runs", scope="personal", keep=2)[0][0] == 0
    second.rollback()
    # A call that takes long leaves the rest to the next one.
    dropped = [publisher.call("ops.drop_old_runs", scope="personal", keep=2)[0][0] for _ in range(5)]
    assert sum(dropped) >= 1
    with owner.cursor() as cursor:
        cursor.execute("select to_regclass('ml.bundles_r' || n) is not null from unnest(%s) as n", (runs,))
        assert [kept for (kept,) in cursor.fetchall()] == [False, True, True]


def test_a_run_that_was_taken_back_is_not_gone_back_to(settings: Settings) -> None:
    good, bad = published(settings, 20, "good"), published(settings, 21, "bad")
    publisher = Warehouse(settings, "publisher")
    assert publisher.call("ops.rollback", scope="personal", actor="test") == [(good,)]
    publisher.call("ops.drop_old_runs", scope="personal", keep=2)
    also_bad = published(settings, 22, "also bad")
    publisher.call("ops.drop_old_runs", scope="personal", keep=2)
    assert publisher.call("ops.rollback", scope="personal", actor="test") == [(good,)]
    kept = publisher.read_view("pg_catalog.pg_class", {"relname": [f"bundles_r{run}" for run in (good, bad, also_bad)]})
    assert sorted(kept["relname"]) == sorted([f"bundles_r{good}", f"bundles_r{also_bad}"]), "taken back: not kept"
