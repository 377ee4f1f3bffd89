"""Publishing through the code that the stages call, against a real Postgres."""

from dataclasses import replace
from datetime import date

import polars as pl
import psycopg2
import pytest

from ml.errors import DataError, FencedError, NothingToDo
from ml.params import Context, RunParams
from ml.publishing.audit import Check
from ml.publishing.lease import audited_lease, open_run
from ml.publishing.publish import publish, record, rollback
from ml.settings import Settings
from ml.stages import publish_bundles
from ml.tables import CANDIDATES
from ml.warehouse import Lease, Warehouse

PASSED, FAILED = Check("sums", 0), Check("sums", 2, "(1, 2)")


@pytest.fixture(autouse=True)
def clean(owner: psycopg2.extensions.connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("delete from ops.published; delete from ops.publish_log; delete from ops.audits")


def context(day: int, started_by: str = "test") -> Context:
    return Context(date(2017, 12, day), started_by, RunParams())


def candidates(*products: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": ["ann"] * len(products),
            "product_id": products,
            "preference": 0.5,
            "sources": [["history"]] * len(products),
            "candidate_rank": range(1, len(products) + 1),
            "basket_spread": 1.0,
        }
    )


def written(settings: Settings, day: int, *products: str) -> Lease:
    """Write and audit a run of a day, as the stages do."""
    Warehouse(settings, "ml").replace_run(CANDIDATES, candidates(*products), open_run(settings, context(day)))
    lease = open_run(settings, context(day))
    record(settings, lease, [PASSED])
    return lease


def shown(settings: Settings) -> list[str]:
    """Return the products that the pointer shows."""
    publisher = Warehouse(settings, "publisher")
    (run_id,) = publisher.read_view("ops.published", {"scope": "personal"})["run_id"]
    return publisher.read(CANDIDATES, {"run_id": run_id})["product_id"].to_list()


def test_the_stages_of_one_run_share_it_and_each_takes_a_new_epoch(settings: Settings) -> None:
    first, second = open_run(settings, context(1)), open_run(settings, context(1))
    assert (second.run_id, second.epoch) == (first.run_id, first.epoch + 1)


def test_a_late_try_cannot_write_once_the_next_stage_has_begun(settings: Settings) -> None:
    late = open_run(settings, context(1))
    open_run(settings, context(1))
    with pytest.raises(FencedError):
        Warehouse(settings, "ml").replace_run(CANDIDATES, candidates("late"), late)
    assert Warehouse(settings, "ml").read(CANDIDATES, {"run_id": late.run_id}).is_empty()


def test_a_run_that_was_not_audited_is_not_published(settings: Settings) -> None:
    with pytest.raises(DataError, match="no run"):
        publish(settings, context(2, "nobody"))
    open_run(settings, context(2))
    with pytest.raises(DataError, match="never audited"):
        publish(settings, context(2))


def test_a_failed_audit_leaves_yesterdays_rows_to_read(settings: Settings) -> None:
    written(settings, 3, "yesterday")
    publish(settings, context(3))
    lease = written(settings, 4, "today")
    record(settings, lease, [FAILED])
    with pytest.raises(DataError, match="sums"):
        publish(settings, context(4))
    assert shown(settings) == ["yesterday"]


def test_a_run_written_again_after_its_audit_is_fenced(settings: Settings) -> None:
    written(settings, 5, "audited")
    open_run(settings, context(5))
    with pytest.raises(FencedError):
        publish(settings, context(5))


def test_a_published_run_is_never_written_again(settings: Settings) -> None:
    """Clearing a whole finished run in Airflow must not change rows under the eyes of a reader."""
    first = written(settings, 6, "first")
    publish(settings, context(6))
    again = open_run(settings, context(6))
    assert again.run_id != first.run_id
    Warehouse(settings, "ml").replace_run(CANDIDATES, candidates("second"), again)
    assert shown(settings) == ["first"]
    record(settings, again, [PASSED])
    assert publish(settings, context(6)).run_id == again.run_id
    assert shown(settings) == ["second"]


def test_publishing_twice_is_publishing_once(settings: Settings) -> None:
    written(settings, 7, "once")
    assert publish(settings, context(7)) == publish(settings, context(7))
    log = Warehouse(settings, "publisher").read_view("ops.publish_log", {"as_of": date(2017, 12, 7)})
    assert log["action"].to_list() == ["publish"]


def test_an_older_day_is_kept_but_not_shown_and_its_stage_is_skipped(settings: Settings) -> None:
    written(settings, 9, "newer")
    publish(settings, context(9))
    written(settings, 8, "older")
    with pytest.raises(NothingToDo, match="after 2017-12-08"):
        publish_bundles.run(settings, context(8))
    assert shown(settings) == ["newer"]


def test_rollback_shows_the_run_before(settings: Settings) -> None:
    for day, product in ((10, "before"), (11, "mistake")):
        written(settings, day, product)
        publish(settings, context(day))
    rollback(settings, "personal", "somebody")
    assert shown(settings) == ["before"]


def test_only_two_published_runs_keep_their_rows(settings: Settings) -> None:
    runs = []
    for day in (12, 13, 14):
        runs.append(written(settings, day, f"day {day}").run_id)
        publish(settings, context(day))
    kept = Warehouse(settings, "publisher").read_view("ml.candidates", {"run_id": runs})
    assert sorted(kept["product_id"]) == ["day 13", "day 14"]


def test_the_form_of_a_run_is_recorded_with_it(settings: Settings) -> None:
    asked = replace(context(15), params=RunParams(bundle_size=2, seed=7))
    lease = open_run(settings, asked)
    (params,) = Warehouse(settings, "ml").read_view("ops.runs", {"run_id": lease.run_id}, ["params"])["params"]
    assert '"bundle_size": 2' in params
    assert '"seed": 7' in params


def test_the_audited_lease_is_that_of_the_last_audit(settings: Settings) -> None:
    first = written(settings, 16, "a")
    second = open_run(settings, context(16))
    record(settings, second, [PASSED])
    assert audited_lease(settings, context(16)).epoch == second.epoch > first.epoch
