"""Each invariant holds in a shop at rest, and finds the fault that is planted for it, and no other does."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from ml.errors import DataError
from ml.params import Context, RunParams
from ml.settings import Settings, TrackingSettings
from ml.sources.contract import TABLES
from ml.stages import check_invariants
from ml.transform import build
from tests.dbt.audits import _compiled, checked
from tests.dbt.conftest import AS_OF, Plant, tiny_world
from tests.publishing.published import publish_everywhere, restored

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
OWED = {
    "personal": ("candidates", "bundles"),
    "cross_category": ("promotion_products", "promotion_invitations"),
    "bundle_sale": ("elasticities", "bundle_prices"),
    "replenishment": ("demand_forecasts", "replenishment"),
    "launch": ("launches",),
    "customer_care": ("customer_cards",),
    "measurements": ("experiment_readouts", "off_policy_values", "drift_checks"),
}
"""Results of each scope that a reader may count on; here none has rows, and each says why."""
ROOT = Path(__file__).resolve().parents[2]
INVARIANTS = ROOT / "dbt_project" / "tests" / "invariants"
OWED_CHECKS = {
    scope: re.findall(r"'(\w+)',", names)
    for scope, names in re.findall(
        r"'(\w+)': \[(.*?)\]",
        (INVARIANTS / "invariant_a_published_run_passed_its_audit.sql").read_text("utf-8"),
        re.DOTALL,
    )
}
"""The checks that the audit of a scope must have, as the invariant says."""
A_RUN = "(select run_id from ops.published where scope = '{}')"
LOADED = "(select min(load_id) from ops.load_manifest where table_name = '{}')"
COUNTED = "update ops.load_manifest set {} where load_id = " + LOADED
DELIVERY = (
    "insert into ops.load_manifest (source, table_name, file_name, file_sha256, status, {})"
    " values ('test', 'reviews', 'f', 'sha', {})"
)
BUNDLE = (
    "insert into ml.bundles select {run}, 'b1', 'c1', 1, 'p', 'exact', 'all', 9, 2, .1, .1, 0, 'optimal', .1, 250, 249,"
    " 24.9, null, null, null, 'often together', null, null, false, '{{}}'"
)
LAUNCH = (
    "insert into ml.launches (run_id, product_id, is_launched, partners, impressions, budget_impressions, is_pinned,"
    " past_launches, reason, is_exploration)"
    " select {run}, 'p01', true, {partners}, {impressions}, 9, false, 0, 'n', true"
)
AGED = "update ops.load_manifest set loaded_at = now() - interval '{}'"
WAITS = {"invariant_no_delivery_waits_to_be_shown"}
MOVED = "insert into ops.publish_log (scope, run_id, epoch, as_of, action, actor) values "
CANCELLING = (
    "insert into ops.load_manifest (source, table_name, file_name, file_sha256, status, rows_in, rows_accepted, notes)"
    " values ('test', 'orders', 'f', 'sha', 'accepted', 1, 1, '{}')"
)
LATER = '{"cancelled_later": 1}'
TAKEN = (
    "update raw.orders set status = 'cancelled', load_id = (select max(load_id) from ops.load_manifest)"
    " where ctid = (select min(ctid) from raw.orders)"
)
CANCELLATION = (
    "insert into ops.cancellations (load_id, earlier_load_id, orders)"
    f" select max(load_id), {LOADED.format('orders')}, 1 from ops.load_manifest"
)
FAULTS: dict[str, list[str]] = {
    "every_record_is_accounted_for": [
        f"insert into ops.quarantine (load_id, table_name, record_number, reason, raw_record)"
        f" select {LOADED.format('orders')}, 'orders', 1, 'nan', '{{}}'",
        f"insert into ops.quarantine (load_id, table_name, record_number, reason, raw_record)"
        f" select {LOADED.format('orders')}, 'reviews', 1, 'nan', '{{}}'",
        *(
            f"delete from raw.{name} where ctid = (select min(ctid) from raw.{name})"
            for name in ("orders", "promotions")
        ),
        COUNTED.format("rows_in = rows_in + 1, rows_accepted = rows_accepted + 1", "order_items"),
        COUNTED.format("rows_in = rows_in + 1, rows_quarantined = 1", "products"),
        COUNTED.format("rows_in = rows_in - 1, rows_accepted = rows_accepted - 1", "customers"),
        "insert into raw.sessions (session_id, started_at, load_id) values ('s', now(), 999999)",
        f"insert into raw.sessions (session_id, started_at, load_id) values ('s', now(), {LOADED.format('orders')})",
        DELIVERY.format("rows_accepted", "'refused', 1"),
        DELIVERY.format("rows_in, rows_quarantined", "'unchanged', 1, 1"),
        f"insert into ops.quarantine (load_id, table_name, record_number, reason, raw_record)"
        f" select {LOADED.format('orders')}, 'orders', 1, 'nan', '{{}}';"
        f" {COUNTED.format('rows_in = rows_in + 1, rows_quarantined = 1', 'orders')};"
        f" insert into ops.replays (quarantine_id, load_id, outcome, is_mended)"
        f" select quarantine_id, {LOADED.format('reviews')}, 'accepted', false from ops.quarantine",
        # An order that a later delivery took without saying so in both places, and one that it says it took.
        f"{CANCELLING.format('{}')}; {TAKEN}",
        f"{CANCELLING.format(LATER)}; {TAKEN}",
        f"{CANCELLING.format('{}')}; {TAKEN}; {CANCELLATION}",
        f"{CANCELLING.format(LATER)}; {CANCELLATION}",
    ],
    "a_pointer_shows_rows_or_says_why_not": [
        *(f"delete from ml.unavailable where result = '{name}'" for results in OWED.values() for name in results),
        BUNDLE.format(run=A_RUN.format("personal")),
        LAUNCH.format(run=A_RUN.format("launch"), partners=1, impressions=0),
        LAUNCH.format(run=A_RUN.format("launch"), partners=0, impressions=1),
    ],
    "a_run_is_published_once_and_in_turn": [
        MOVED + "('other', 8, 6, '2024-03-31', 'publish', 'a'), ('other', 9, 5, '2024-03-31', 'publish', 'late')",
        MOVED + "('other', 8, 6, '2024-03-31', 'publish', 'a'), ('other', 8, 7, '2024-03-31', 'publish', 'again')",
    ],
    "nothing_is_left_lying_about": ["create table ops.runs__dbt_backup ()", "create table ml.bundles__dbt_tmp ()"],
    "freshness_is_that_of_the_published_run": [
        "update ops.published set data_through = '2024-03-30' where scope = 'personal'",
        "update ops.published set published_at = now() where scope = 'launch'",
        "update ops.published set as_of = '2024-04-01' where scope = 'launch'",
        "update ops.runs set data_through = '2024-03-30' where scope = 'personal'",
    ],
    "a_published_run_tells_its_lineage": [
        "update ops.runs set git_commit = null where scope = 'launch'",
        "update ops.runs set lock_sha256 = default where scope = 'launch'",
        "update ops.runs set status = 'open' where scope = 'launch'",
        "update ops.runs set dbt_invocation_id = null where scope = 'personal'",
        "update ops.runs set model_versions = '{\"preference\": 1}' where scope = 'personal'",
        "update ops.load_manifest set loaded_through = '2024-03-01'; update ops.runs set data_through = '2024-03-30';"
        " update ops.published set data_through = '2024-03-30'",
    ],
    "a_published_run_passed_its_audit": [
        "insert into ops.audits (run_id, epoch, check_name, is_passed, failures)"
        " select run_id, 5, 'of its own', false, 1 from ops.published limit 1",
        "update ops.audits set is_passed = false where check_name = 'margin_floor_is_kept'",
        *(
            f"delete from ops.audits where run_id = {A_RUN.format(scope)} and ctid = (select max(ctid) from ops.audits"
            f" where run_id = {A_RUN.format(scope)})"
            for scope in OWED
        ),
        # The next try recorded one check and was stopped.
        "insert into ops.audits (run_id, epoch, check_name, is_passed, failures)"
        " select run_id, 6, 'audit_item_is_in_stock', true, 0 from ops.published where scope = 'personal'",
    ],
    "no_delivery_waits_to_be_shown": [
        AGED.format("37 hours"),
        AGED.format("37 hours") + " where table_name = 'reviews'",
        # A publish of another scope is no answer.
        AGED.format("37 hours") + "; insert into ops.publish_log (scope, run_id, epoch, as_of, action, actor)"
        " values ('launch', 8, 6, '2024-03-31', 'superseded', 'a')",
    ],
    "roles_may_do_their_own_work_only": [
        "grant select on raw.customers to bundles_analyst",
        "grant select (order_id) on raw.orders to bundles_ml",
        "grant update on ml.bundles to bundles_ml",
        "grant truncate on raw.orders to bundles_loader",
        "grant references on ops.runs to bundles_publisher",
        f"do $$ begin execute 'grant select on ml.bundles_r' || {A_RUN.format('personal')} || ' to bundles_ml'; end $$",
        "grant select on ops.runs to public",
        "grant usage on schema raw to bundles_ml",
        "grant create on schema ops to bundles_loader",
    ],
}
"""By invariant, statements of which each must break it, and it alone."""


@pytest.fixture(scope="module")
def tracked(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with a store in which both models have a version."""
    home = tmp_path_factory.mktemp("tracked")
    settings = shop.model_copy(update={"tracking": TrackingSettings(uri=f"sqlite:///{home / 'mlflow.db'}")})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        yield settings


@pytest.fixture(scope="module")
def at_rest(tracked: Settings, plant: Plant, owner: Connection, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Every scope is published, without rows, and says why."""
    for table, records in tiny_world(seed=5).items():
        plant(table, records)
    build(tracked, AS_OF)
    runs = publish_everywhere(tracked, owner, tmp_path_factory.mktemp("models"))
    with owner.cursor() as cursor:
        for scope, results in OWED.items():
            run_id = runs[scope]
            for table in ("unavailable", "bundles", "launches"):
                cursor.execute(f"create table ml.{table}_r{run_id} partition of ml.{table} for values in ({run_id})")
            cursor.execute(
                "insert into ops.audits (run_id, epoch, check_name, is_passed, failures)"
                " select %s, 5, unnest(%s), true, 0",
                (run_id, OWED_CHECKS[scope]),
            )
            for result in results:
                cursor.execute("insert into ml.unavailable values (%s, %s, 'not available')", (run_id, result))
    return tracked


def broken(settings: Settings, owner: Connection, *statements: str) -> set[str]:
    """Return the invariants that do not hold after the statements, which are taken back."""
    owner.autocommit = False
    try:
        with owner.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        checks = checked(settings, AS_OF, 1, "invariant", owner)
    finally:
        owner.rollback()
        owner.autocommit = True
    return {check.name for check in checks if not check.is_passed}


def check(settings: Settings) -> Any:
    return check_invariants.run(settings, Context(AS_OF, "test", RunParams()))


def test_all_hold_at_rest_and_the_stage_says_how_many_there_are(at_rest: Settings) -> None:
    assert check(at_rest) == {"checks": len(FAULTS) + 1}


@pytest.mark.parametrize(("name", "fault"), [(name, fault) for name, faults in FAULTS.items() for fault in faults])
def test_a_planted_fault_is_found_by_its_invariant_alone(
    at_rest: Settings, owner: Connection, name: str, fault: str
) -> None:
    assert broken(at_rest, owner, fault) == {f"invariant_{name}"}


def test_every_check_that_is_owed_is_one_that_the_audit_has() -> None:
    rules = (ROOT / "ml" / "publishing" / "audit.py").read_text("utf-8")
    assert set(OWED_CHECKS) == set(OWED)
    for scope, names in OWED_CHECKS.items():
        files = {path.stem for path in (INVARIANTS.parent / "audit" / scope).glob("*.sql")}
        unknown = [name for name in names if name not in files and f'"{name}"' not in rules]
        assert names and not unknown, scope


def test_every_table_of_the_contract_is_counted(at_rest: Settings) -> None:
    queries = dict(_compiled(at_rest, AS_OF, "invariant"))
    counted = re.findall(r'from "\w+"\."raw"\."(\w+)"', queries["invariant_every_record_is_accounted_for"])
    assert sorted(counted) == sorted(TABLES)


def test_the_stage_fails_and_names_all_that_does_not_hold(at_rest: Settings, owner: Connection) -> None:
    with restored(owner) as cursor:
        cursor.execute("select coalesce(max(incident_id), 0) from ops.incidents")
        ((before,),) = cursor.fetchall()
        cursor.execute("update ops.published set data_through = '2024-03-30' where scope = 'personal'")
        cursor.execute("update ops.runs set model_versions = '{\"preference\": 7}' where scope = 'launch'")
        try:
            with pytest.raises(
                DataError, match="2 of 10 invariants do not hold: invariant_freshness_is_that_of_the_publ"
            ):
                check(at_rest)
        finally:
            cursor.execute("update ops.published set data_through = null")
        cursor.execute(
            "select kind, subject, detail from ops.incidents where incident_id > %s order by incident_id", (before,)
        )
        freshness, lineage = cursor.fetchall()
    assert freshness == ("invariant_broken", "invariant_freshness_is_that_of_the_published_run", "1 rows")
    assert lineage[1] == check_invariants.LINEAGE and "(launch): preference: MLflow" in lineage[2]


def test_what_was_published_before_the_lock_was_noted_may_lack_it(at_rest: Settings, owner: Connection) -> None:
    assert broken(at_rest, owner, "update ops.runs set lock_sha256 = null") == set()


@pytest.mark.parametrize(
    "since",
    [
        # It landed yesterday night, and the next night's chain is at work.
        AGED.format("35 hours"),
        # The shop has delivered nothing since it was shown.
        "update ops.load_manifest set loaded_at = '2024-04-01'",
        # It never has published: nothing old is shown.
        f"{AGED.format('9 days')}; delete from ops.publish_log; delete from ops.published",
        # A day before the one that is shown was computed.
        f"{AGED.format('9 days')}; {MOVED}('personal', 8, 6, '2024-03-30', 'superseded', 'a')",
        # All that it held was there before.
        f"{AGED.format('9 days')}, rows_accepted = 0, rows_duplicate = rows_in",
    ],
)
def test_a_delivery_that_need_not_be_shown_yet_does_not_wait(at_rest: Settings, owner: Connection, since: str) -> None:
    assert not broken(at_rest, owner, since) & WAITS


def test_what_was_let_out_of_quarantine_waits_for_the_next_delivery(at_rest: Settings, owner: Connection) -> None:
    landed = (
        "insert into ops.load_manifest (source, table_name, file_name, file_sha256, status, rows_in, rows_accepted,"
        " loaded_at) values ('test', 'reviews', 'quarantine', 'sha', 'accepted', 1, 1, now() - interval '9 days')"
    )
    replayed = (
        "insert into ops.replays (quarantine_id, load_id, outcome, is_mended)"
        " select 1, load_id, 'accepted', false from ops.load_manifest where file_name = 'quarantine'"
    )
    held = (
        "insert into ops.quarantine (quarantine_id, load_id, table_name, record_number, reason, raw_record)"
        f" overriding system value select 1, {LOADED.format('reviews')}, 'reviews', 1, 'nan', '{{}}'"
    )
    assert broken(at_rest, owner, landed) & WAITS
    assert not broken(at_rest, owner, landed, held, replayed) & WAITS


@pytest.mark.parametrize(
    ("table", "asked_at", "found"),
    [
        ("orders", "now() + interval '1 minute'", set()),
        ("orders", "now() - interval '1 day'", {"invariant_every_record_is_accounted_for"}),
        ("promotions", "now() + interval '1 minute'", {"invariant_every_record_is_accounted_for"}),
    ],
)
def test_rows_that_an_operator_erased_for_somebody_are_not_missed(
    at_rest: Settings, owner: Connection, table: str, asked_at: str, found: set[str]
) -> None:
    """Of a delivery after the last who asked, and of what no customer left behind, every row is."""
    asked = f"insert into ops.erasures (customer_id, asked_by, asked_at) values ('c1', 'test', {asked_at})"
    erased = f"delete from raw.{table} where ctid = (select min(ctid) from raw.{table})"
    assert broken(at_rest, owner, asked, erased) == found


def test_an_order_that_a_later_delivery_cancelled_is_accounted_for(at_rest: Settings, owner: Connection) -> None:
    assert broken(at_rest, owner, CANCELLING.format(LATER), TAKEN, CANCELLATION) == set()


@pytest.mark.parametrize(("limit", "kind"), [("interval '1 hour'", "transaction"), ("interval '3 hours'", "session")])
def test_what_another_role_forgot_is_seen(at_rest: Settings, limit: str, kind: str) -> None:
    """Postgres shows a role its own sessions only, unless it may look at all."""
    query = dict(_compiled(at_rest, AS_OF, "invariant"))["invariant_nothing_is_left_lying_about"]
    where = at_rest.warehouse
    address = {"host": where.host, "port": where.port, "dbname": where.database}
    with (
        closing(psycopg2.connect(user="bundles_publisher", password=where.password("publisher"), **address)) as other,  # type: ignore[call-overload]
        closing(psycopg2.connect(user="bundles_transformer", password=where.password("transformer"), **address)) as own,  # type: ignore[call-overload]
        own.cursor() as cursor,
    ):
        other.cursor().execute("select 1")
        cursor.execute(query.replace(limit, "interval '0 seconds'"))
        seen = cursor.fetchall()
    assert any(what.startswith("of bundles_publisher") for one, what in seen if one == kind), seen
