"""The ledger of what was offered: written with the pointer, kept when the run goes."""

from datetime import date, timedelta

import psycopg2.extensions
import pytest

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


def publish(settings: Settings, run_id: int, epoch: int) -> str:
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
                "update ops.offered_bundles set published_at = now() - %s where as_of = %s",
                (timedelta(days=age), date(2017, 12, day)),
            )
    publish(settings, *audited(settings, owner, 12))
    with owner.cursor() as cursor:
        cursor.execute("select as_of from ops.offered_bundles order by as_of")
        assert cursor.fetchall() == [(date(2017, 12, 11),), (date(2017, 12, 12),)]
