"""Each invariant holds in a shop at rest, and finds the fault that is planted for it."""

from contextlib import closing

import psycopg2
import psycopg2.extensions
import pytest

from ml.errors import DataError
from ml.params import Context, RunParams
from ml.settings import Settings
from ml.stages import check_invariants
from ml.transform import build
from tests.dbt.audits import _compiled, checked
from tests.dbt.conftest import AS_OF, Plant, tiny_world

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
PUBLISHED = """
with run as (
    insert into ops.runs (scope, as_of, started_by, seed, status, git_commit, dbt_invocation_id, model_versions)
    values ('personal', '2024-03-31', 'test', 1, 'published', 'abc', 'dbt', '{"preference": 1, "association": 1}')
    returning run_id, as_of
), pointer as (
    insert into ops.published (scope, run_id, as_of, published_at)
    select 'personal', run_id, as_of, '2024-04-01 06:00+00' from run
), log as (
    insert into ops.publish_log (scope, run_id, epoch, as_of, action, actor, published_at)
    select 'personal', run_id, 5, as_of, 'publish', 'test', '2024-04-01 06:00+00' from run
), audit as (
    insert into ops.audits (run_id, epoch, check_name, is_passed, failures) select run_id, 5, 'sums', true, 0 from run
)
insert into ml.unavailable (run_id, result, reason) select run_id, 'bundles', 'not available: needs orders' from run
"""
FAULTS = {
    "every_record_is_accounted_for": "insert into ops.quarantine (load_id, table_name, record_number, reason,"
    " raw_record) select min(load_id), 'orders', 1, 'nan', '{}' from ops.load_manifest",
    "a_pointer_shows_rows_or_says_why_not": "delete from ml.unavailable",
    "a_run_is_published_once_and_in_turn": "insert into ops.publish_log (scope, run_id, epoch, as_of, action, actor)"
    " values ('launch', 8, 5, '2024-03-31', 'publish', 'test'), ('launch', 9, 4, '2024-03-31', 'publish', 'late')",
    "nothing_is_left_lying_about": "create table ops.runs__dbt_backup ()",
    "freshness_is_that_of_the_published_run": "update ops.published set data_through = '2024-03-30'",
    "a_published_run_tells_its_lineage": "update ops.runs set git_commit = null",
    "a_published_run_passed_its_audit": "insert into ops.audits (run_id, epoch, check_name, is_passed, failures)"
    " select run_id, 5, 'stock', false, 1 from ops.published",
    "roles_may_do_their_own_work_only": "grant select on raw.customers to bundles_analyst",
}


@pytest.fixture(scope="module")
def at_rest(shop: Settings, plant: Plant, owner: Connection) -> None:
    for table, records in tiny_world(seed=5).items():
        plant(table, records)
    build(shop, AS_OF)
    with owner.cursor() as cursor:
        cursor.execute("create table ml.unavailable_r1 partition of ml.unavailable for values in (1)")
        cursor.execute(PUBLISHED)


def test_all_hold_at_rest_and_the_stage_says_how_many_there_are(shop: Settings, at_rest: None) -> None:
    assert check_invariants.run(shop, Context(AS_OF, "test", RunParams())) == {"checks": len(FAULTS)}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(shop: Settings, at_rest: None, owner: Connection, name: str) -> None:
    owner.autocommit = False
    try:
        with owner.cursor() as cursor:
            cursor.execute(FAULTS[name])
        checks = checked(shop, AS_OF, 1, "invariant", owner)
    finally:
        owner.rollback()
        owner.autocommit = True
    assert {check.name for check in checks if not check.is_passed} == {f"invariant_{name}"}


def test_the_stage_fails_and_names_what_does_not_hold(shop: Settings, at_rest: None, owner: Connection) -> None:
    with owner.cursor() as cursor:
        cursor.execute("update ops.published set data_through = '2024-03-30'")
    with pytest.raises(DataError, match="1 of 8 invariants do not hold: invariant_freshness_is_that_of_the_published"):
        check_invariants.run(shop, Context(AS_OF, "test", RunParams()))
    with owner.cursor() as cursor:
        cursor.execute("select kind, subject, detail from ops.incidents")
        noted = cursor.fetchall()
    assert noted == [("invariant_broken", "invariant_freshness_is_that_of_the_published_run", "1 rows")]


def test_a_forgotten_transaction_of_another_role_is_seen(shop: Settings, at_rest: None) -> None:
    """Postgres shows a role its own sessions only, unless it may look at all."""
    ((name, query),) = [
        one for one in _compiled(shop, AS_OF, "invariant") if one[0] == "invariant_nothing_is_left_lying_about"
    ]
    where = shop.warehouse
    address = {"host": where.host, "port": where.port, "dbname": where.database}
    with (
        closing(psycopg2.connect(user="bundles_publisher", password=where.password("publisher"), **address)) as other,  # type: ignore[call-overload]
        closing(psycopg2.connect(user="bundles_transformer", password=where.password("transformer"), **address)) as own,  # type: ignore[call-overload]
        own.cursor() as cursor,
    ):
        other.cursor().execute("select 1")
        cursor.execute(query.replace("interval '1 hour'", "interval '0 seconds'"))
        seen = cursor.fetchall()
    assert any("bundles_publisher" in what for _, what in seen), name
