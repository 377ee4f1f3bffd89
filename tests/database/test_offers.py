"""The ledger of what was offered: written with the pointer, kept when the run goes."""

from datetime import date, timedelta

import psycopg2.extensions
import pytest

from ml.errors import FencedError
from ml.settings import Settings
from ml.warehouse import Warehouse

Connection = psycopg2.extensions.connection


@pytest.fixture(autouse=True)
def clean(owner: Connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("truncate ops.published, ops.publish_log, ops.audits, ops.leases, ops.offered_bundles")


def audited(settings: Settings, owner: Connection, day: int, scope: str = "personal") -> tuple[int, int]:
    """Leave a run with a bundle and an abstention, ready to be published."""
    facts = {"as_of": date(2017, 12, day), "started_by": f"offers {scope}", "seed": 1, "params": {}, "git_commit": ""}
    ((run_id, epoch),) = Warehouse(settings, "ml").call("ops.open_run", scope=scope, **facts)
    with owner.cursor() as cursor:
        cursor.execute("delete from ml.bundles where run_id = %s", (run_id,))
        cursor.execute("delete from ml.bundle_items where run_id = %s", (run_id,))
        cursor.execute(
            "insert into ml.bundles values (%(run)s, 'b1', 'ann', 1, 'joint', 'exact', 'all', 9, 2, .1, .1, 0,"
            " 'optimal', .1, 250, 240, 24.9, null, null, 'cost unknown', 'often together', null, null, false),"
            " (%(run)s, 'none', 'bob', 0, 'joint', 'exact', 'all', 9, 0, 0, 0, 0, 'abstained', 0, 0, 0, 0, null, null,"
            " null, null, 'thin', null, false);"
            "insert into ml.bundle_items values (%(run)s, 'b1', 2, 'jam', .3, 100, 99, '{history}'),"
            " (%(run)s, 'b1', 1, 'tea', .2, 150, 141, '{history}')",
            {"run": run_id},
        )
    Warehouse(settings, "publisher").call(
        "ops.record_audit", run_id=run_id, epoch=epoch, check_name="sums", is_passed=True, failures=0, detail=None
    )
    return int(run_id), int(epoch)


def prepare(settings: Settings, run_id: int, epoch: int) -> int:
    ((copied,),) = Warehouse(settings, "publisher").call("ops.prepare_offers", run_id=run_id, epoch=epoch)
    return int(copied)


def publish(settings: Settings, run_id: int, epoch: int, is_prepared: bool = True) -> str:
    if is_prepared:
        prepare(settings, run_id, epoch)
    ((outcome,),) = Warehouse(settings, "publisher").call("ops.publish", run_id=run_id, epoch=epoch, actor="test")
    return str(outcome)


def offers(settings: Settings) -> list[tuple[object, ...]]:
    columns = ["run_id", "bundle_id", "customer_id", "product_ids", "list_price_cents", "bundle_price_cents", "scope"]
    return Warehouse(settings, "publisher").read_view("ops.offered_bundles", None, columns, ["run_id"]).rows()


def test_publishing_keeps_the_offers_once_and_they_outlive_their_run(settings: Settings, owner: Connection) -> None:
    runs = []
    for day in (1, 2, 3, 4):
        run_id, epoch = audited(settings, owner, day)
        assert publish(settings, run_id, epoch) == publish(settings, run_id, epoch) == "published"
        runs.append(run_id)
    ((dropped,),) = Warehouse(settings, "publisher").call("ops.drop_old_runs", scope="personal", keep=2)
    assert dropped == 2
    assert offers(settings) == [(run_id, "b1", "ann", ["tea", "jam"], 250, 240, "personal") for run_id in runs]


def test_whoever_moves_the_pointer_without_preparing_keeps_the_offers_too(
    settings: Settings, owner: Connection
) -> None:
    run_id, epoch = audited(settings, owner, 1)
    for _ in range(2):
        publish(settings, run_id, epoch, is_prepared=False)
    assert offers(settings) == [(run_id, "b1", "ann", ["tea", "jam"], 250, 240, "personal")]


def test_the_pointer_moves_without_copying_what_was_prepared(settings: Settings, owner: Connection) -> None:
    run_id, epoch = audited(settings, owner, 1)
    assert prepare(settings, run_id, epoch) == prepare(settings, run_id, epoch) == 1
    with owner.cursor() as cursor:
        cursor.execute("update ops.offered_bundles set bundle_rank = 7")
        publish(settings, run_id, epoch, is_prepared=False)
        cursor.execute("select bundle_rank from ops.offered_bundles")
        assert cursor.fetchall() == [(7,)]


def test_what_was_prepared_under_an_earlier_lease_is_copied_anew(settings: Settings, owner: Connection) -> None:
    run_id, epoch = audited(settings, owner, 1)
    prepare(settings, run_id, epoch)
    again, later = audited(settings, owner, 1)
    assert (again, later) == (run_id, epoch + 1)
    with pytest.raises(FencedError):
        prepare(settings, run_id, epoch)
    with owner.cursor() as cursor:
        cursor.execute("update ml.bundles set bundle_price_cents = 230 where run_id = %s", (run_id,))
    publish(settings, run_id, later, is_prepared=False)
    assert [row[5] for row in offers(settings)] == [230]


def test_what_was_prepared_for_a_run_that_is_not_published_goes_with_the_next(
    settings: Settings, owner: Connection
) -> None:
    """But not what was shown once, whatever its run is called since."""
    once = audited(settings, owner, 1)
    publish(settings, *once)
    with owner.cursor() as cursor:
        cursor.execute("update ops.runs set status = 'superseded' where run_id = %s", (once[0],))
    given_up = audited(settings, owner, 2)
    prepare(settings, *given_up)
    shown = audited(settings, owner, 3)
    publish(settings, *shown)
    assert [row[0] for row in offers(settings)] == [once[0], shown[0]]


def test_a_rollback_leaves_the_ledger_and_is_in_the_log(settings: Settings, owner: Connection) -> None:
    runs = []
    for day in (5, 6):
        runs.append(audited(settings, owner, day))
        publish(settings, *runs[-1])
    before = offers(settings)
    Warehouse(settings, "publisher").call("ops.rollback", scope="personal", actor="test")
    assert offers(settings) == before
    moves = Warehouse(settings, "publisher").read_view("ops.publish_log", None, ["run_id"], ["publish_id"])
    assert moves["run_id"].to_list() == [runs[0][0], runs[1][0], runs[0][0]]


def test_what_came_too_late_or_was_refused_was_not_offered(settings: Settings, owner: Connection) -> None:
    shown = audited(settings, owner, 8)
    assert publish(settings, *shown) == "published"
    late = audited(settings, owner, 7)
    assert publish(settings, *late) == "superseded"
    assert {row[0] for row in offers(settings)} == {shown[0]}


def test_scenarios_offer_nothing_to_single_customers(settings: Settings, owner: Connection) -> None:
    run = audited(settings, owner, 9, scope="bundle_sale")
    assert publish(settings, *run) == "published"
    assert offers(settings) == []


def test_offers_that_no_feedback_can_be_about_are_forgotten(settings: Settings, owner: Connection) -> None:
    for day, age in ((10, 401), (11, 399)):
        publish(settings, *audited(settings, owner, day))
        with owner.cursor() as cursor:
            cursor.execute(
                "update ops.offered_bundles set kept_at = now() - %s where as_of = %s",
                (timedelta(days=age), date(2017, 12, day)),
            )
    publish(settings, *audited(settings, owner, 12))
    with owner.cursor() as cursor:
        cursor.execute("select as_of from ops.offered_bundles order by as_of")
        assert cursor.fetchall() == [(date(2017, 12, 11),), (date(2017, 12, 12),)]
