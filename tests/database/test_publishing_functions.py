"""The functions of ``ops``: who may publish what, and when the pointer moves."""

from datetime import date

import polars as pl
import psycopg2
import pytest

from ml.errors import DataError, FencedError
from ml.publishing.audit import Check
from ml.publishing.publish import record
from ml.settings import Settings
from ml.tables import POLICY_METRICS
from ml.warehouse import Lease, Warehouse

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def clean(owner: psycopg2.extensions.connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("delete from ops.published; delete from ops.publish_log; delete from ops.audits")
        cursor.execute("delete from ops.leases")


@pytest.fixture
def ml(settings: Settings) -> Warehouse:
    return Warehouse(settings, "ml")


@pytest.fixture
def publisher(settings: Settings) -> Warehouse:
    return Warehouse(settings, "publisher")


def open_run(ml: Warehouse, day: int, started_by: str = "test", scope: str = "personal") -> tuple[int, int]:
    rows = ml.call(
        "ops.open_run",
        scope=scope,
        as_of=date(2017, 12, day),
        started_by=started_by,
        seed=1,
        params={},
        git_commit="",
    )
    return rows[0][0], rows[0][1]


def metrics() -> pl.DataFrame:
    facts = {"policy": "ours", "metric": "hit_5", "variant": "plain", "value": 0.2, "low": 0.1, "high": 0.3}
    peer = dict.fromkeys(("compared_with", "difference", "difference_low", "difference_high"))
    window = {"customers": 9, "window_from": date(2017, 11, 1), "window_to": date(2017, 11, 28)}
    return pl.DataFrame([{**facts, **peer, **window}])


def audit(publisher: Warehouse, run_id: int, epoch: int, passed: bool = True) -> None:
    publisher.call(
        "ops.record_audit", run_id=run_id, epoch=epoch, check_name="sums", is_passed=passed, failures=0, detail=None
    )


def test_an_audit_is_recorded_as_a_whole_or_not_at_all(settings: Settings, ml: Warehouse, publisher: Warehouse) -> None:
    lease = Lease("personal", *open_run(ml, 1))
    with pytest.raises(DataError, match="not-null"):
        record(settings, lease, [Check("sums", 0), Check("stock", 0), Check("", None)])  # type: ignore[arg-type]
    assert publisher.read_view("ops.audits").is_empty()
    record(settings, lease, [Check("sums", 0), Check("stock", 2, "milk")])
    kept = publisher.read_view("ops.audits", columns=["check_name", "is_passed", "failures"], order_by=["check_name"])
    assert kept.rows() == [("stock", False, 2), ("sums", True, 0)]


def publish(publisher: Warehouse, run_id: int, epoch: int) -> str:
    answer: str = publisher.call("ops.publish", run_id=run_id, epoch=epoch, actor="test")[0][0]
    return answer


def pointer(publisher: Warehouse) -> int:
    run_id: int = publisher.read_view("ops.published", {"scope": "personal"})["run_id"][0]
    return run_id


def test_a_retry_finds_its_own_run_under_a_new_epoch(ml: Warehouse) -> None:
    first, again = open_run(ml, 1), open_run(ml, 1)
    assert first[0] == again[0] and again[1] == first[1] + 1


def test_an_overtaken_try_is_fenced(ml: Warehouse, publisher: Warehouse) -> None:
    run_id, epoch = open_run(ml, 1)
    audit(publisher, run_id, epoch)
    open_run(ml, 1)
    with pytest.raises(FencedError, match="fenced"):
        publish(publisher, run_id, epoch)
    assert publisher.read_view("ops.published").is_empty()


@pytest.mark.parametrize("audited", [False, True])
def test_a_run_without_audit_or_with_a_failed_one_is_not_published(
    ml: Warehouse, publisher: Warehouse, audited: bool
) -> None:
    run_id, epoch = open_run(ml, 2)
    if audited:
        audit(publisher, run_id, epoch, passed=False)
    with pytest.raises(DataError, match="sums" if audited else "no audit"):
        publish(publisher, run_id, epoch)
    assert publisher.read_view("ops.published").is_empty()


def test_an_older_day_never_moves_the_pointer_back(ml: Warehouse, publisher: Warehouse) -> None:
    new, new_epoch = open_run(ml, 5)
    audit(publisher, new, new_epoch)
    assert publish(publisher, new, new_epoch) == "published"
    old, old_epoch = open_run(ml, 4)
    audit(publisher, old, old_epoch)
    assert publish(publisher, old, old_epoch) == "superseded"
    assert pointer(publisher) == new


def test_publishing_twice_logs_once(ml: Warehouse, publisher: Warehouse) -> None:
    run_id, epoch = open_run(ml, 6)
    audit(publisher, run_id, epoch)
    assert publish(publisher, run_id, epoch) == publish(publisher, run_id, epoch) == "published"
    assert publisher.read_view("ops.publish_log").height == 1


def test_rollback_moves_back_one_run_at_a_time_and_old_partitions_go(ml: Warehouse, publisher: Warehouse) -> None:
    runs = []
    for day in (7, 8, 9):
        run_id, epoch = open_run(ml, day)
        audit(publisher, run_id, epoch)
        publish(publisher, run_id, epoch)
        runs.append(run_id)
    assert publisher.call("ops.rollback", scope="personal", actor="test")[0][0] == runs[1]
    assert publisher.call("ops.rollback", scope="personal", actor="test")[0][0] == runs[0]
    with pytest.raises(DataError, match="no earlier run"):
        publisher.call("ops.rollback", scope="personal", actor="test")
    publisher.call("ops.drop_old_runs", scope="personal", keep=2)
    assert pointer(publisher) == runs[0], "the published run is kept whatever its age"


def test_runs_of_the_models_make_no_partitions_and_keep_their_metrics(
    ml: Warehouse, publisher: Warehouse, owner: psycopg2.extensions.connection
) -> None:
    """One such run a day for years must not slow the planning of every query, and people follow the metrics."""

    def partitions() -> int:
        with owner.cursor() as cursor:
            cursor.execute("select count(*) from pg_inherits where inhparent::regclass::text like 'ml.%'")
            ((number,),) = cursor.fetchall()
        return int(number)

    before, runs = partitions(), []
    for day in (10, 11, 12, 13):
        run_id, epoch = open_run(ml, day, scope="models")
        ml.replace_run(POLICY_METRICS, metrics(), Lease("models", run_id, epoch))
        runs.append(run_id)
        publisher.call("ops.drop_old_runs", scope="models", keep=2)
    assert partitions() == before
    assert ml.read(POLICY_METRICS, {"run_id": runs})["run_id"].to_list() == runs
    open_run(ml, 14)
    assert partitions() > before, "bundles are still kept by run"


def test_each_role_can_do_its_own_work_only(settings: Settings, owner: psycopg2.extensions.connection) -> None:
    analyst = Warehouse(settings, "analyst")
    with pytest.raises(DataError, match="permission denied"), analyst.transaction() as connection:
        connection.cursor().execute("select * from raw.customers")
    with pytest.raises(DataError, match="permission denied"), analyst.transaction() as connection:
        connection.cursor().execute("set transaction read write; create table marts.mine (a int)")
    with pytest.raises(DataError, match="permission denied"):
        Warehouse(settings, "ml").call("ops.publish", run_id=1, epoch=1, actor="me")
    with owner.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_proc where pronamespace = 'ops'::regnamespace"
            " and has_function_privilege('bundles_analyst', oid, 'execute')"
        )
        assert cursor.fetchone() == (0,)
