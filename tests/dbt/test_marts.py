"""The marts: replaced and never dropped, read by the analyst alone, showing the published run."""

import shutil
from datetime import timedelta
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest

from ml.errors import DataError, TemporaryError
from ml.settings import DbtSettings, Settings
from ml.transform import build
from ml.warehouse import Warehouse
from tests.database.permissions import surprises, unused_lines
from tests.dbt.conftest import AS_OF, Plant, tiny_world

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection


@pytest.fixture(scope="module", autouse=True)
def built(shop: Settings, plant: Plant) -> None:
    for table, records in tiny_world(seed=11).items():
        plant(table, records)
    build(shop, AS_OF)


def test_the_rights_after_a_full_build_and_a_publish_are_those_of_the_matrix(owner: Connection, database: str) -> None:
    publish(owner, 0)
    # Rights in this copy of `shop`; those on databases are held against `shop` itself.
    assert [one for one in surprises(owner, ignored="*")] == []
    assert set(unused_lines(owner)) == set()


def publish(owner: Connection, day: int) -> int:
    """Plant a published run with one bundle of milk and bread for a day, as the stages leave it behind."""
    with owner.cursor() as cursor:
        cursor.execute(
            "select run_id from ops.open_run('personal', %s, %s, 1, '{}', 'abc')",
            (AS_OF + timedelta(days=day), f"test {day}"),
        )
        ((run_id,),) = cursor.fetchall()
        cursor.execute(
            "insert into ml.bundles values (%s, 'b1', 'c1', 1, 'expected_joint_purchase', 'exact', 'all', 9, 2, .1, .1,"
            " 0, 'optimal', .1, 250, 249, 24.9, null, null, 'cost unknown', 'often together', null, 'stock', true,"
            " '{stock}')",
            (run_id,),
        )
        cursor.execute(
            "insert into ml.bundle_items values (%s, 'b1', 1, 'p03', .3, 100, 99, '{history}'),"
            " (%s, 'b1', 2, 'p05', .2, 150, 150, '{history}')",
            (run_id, run_id),
        )
        cursor.execute(
            "insert into ml.shadow_prices values (%s, 'p03', 10, 8, 4, 1.5, .4, .15, .25);"
            "insert into ml.catalogue_bundles values (%s, 1, '{p05,p03}', 2, 250, 7, 2.5, 2.5, 3, 16.7, 'liked by 7');"
            "insert into ml.given_bundle_ranks values (%s, 'c1', 'breakfast', 1, .2, .1, 475);"
            "insert into ml.why_not values (%s, 'c1', 'p03 + p09', '{p03,p09}', 'infeasible', null, null, .1, null,"
            " '{budget}', 'too dear')",
            (run_id,) * 4,
        )
        cursor.execute("update ops.runs set status = 'published' where run_id = %s", (run_id,))
        cursor.execute(
            "insert into ops.published values ('personal', %s, %s, %s, now()) on conflict (scope) do update"
            " set run_id = excluded.run_id, as_of = excluded.as_of, published_at = now()",
            (run_id, AS_OF, AS_OF),
        )
    return int(run_id)


def test_an_analysts_own_view_survives_five_publishes_and_a_full_build(shop: Settings, owner: Connection) -> None:
    transformer = Warehouse(shop, "transformer")
    with transformer.transaction() as connection, connection.cursor() as cursor:
        # A view of somebody else on a mart, with a grant of its own.
        cursor.execute("create view marts.my_cheap_bundles as select * from marts.fct_bundles where bundle_price < 100")
        cursor.execute("grant select on marts.my_cheap_bundles to bundles_analyst")
        cursor.execute("select 'marts.fct_bundles'::regclass::oid")
        ((before,),) = cursor.fetchall()
    analyst = Warehouse(shop, "analyst")
    for day in range(5):
        run_id = publish(owner, day)
        assert analyst.read_view("marts.my_cheap_bundles")["run_id"].to_list() == [run_id]
    build(shop, AS_OF)
    with transformer.transaction() as connection, connection.cursor() as cursor:
        cursor.execute("select 'marts.fct_bundles'::regclass::oid")
        assert cursor.fetchall() == [(before,)], "the mart was dropped and made anew"
    shown = analyst.read_view("marts.my_cheap_bundles").to_dicts()
    assert [(row["run_id"], str(row["bundle_price"]), row["products"]) for row in shown] == [
        (run_id, "2.49", "Product 3 + Product 5")
    ]


def test_the_analyst_reads_marts_and_nothing_behind_them(shop: Settings, owner: Connection) -> None:
    run_id = publish(owner, 9)
    analyst = Warehouse(shop, "analyst")
    items = analyst.read_view("marts.fct_bundle_items", order_by=["item_position"])
    assert items["product_id"].to_list() == ["p03", "p05"]
    runs = analyst.read_view("marts.fct_runs", {"is_published": True})
    assert runs["run_id"].to_list() == [run_id]
    assert analyst.read_view("marts.dim_products").height == 18
    for hidden in ("features.ftr_products", "ml.bundles", "ops.runs", "raw.orders", "staging.stg_raw__orders"):
        with (
            pytest.raises(DataError, match="permission denied"),
            analyst.transaction() as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"select * from {hidden} limit 1")


def test_the_analyst_reads_why_a_model_is_champion(shop: Settings) -> None:
    facts = {"model": "preference", "metrics": {"gain": 0.01}, "as_of": AS_OF, "started_by": "t", "mlflow_run_id": "r"}
    given = [(1, None, "first", "promoted", "passed: better"), (2, 1, "challenger", "refused", "not passed: worse")]
    for version, previous, kind, verdict, reason in given:
        judged = {"version": version, "previous_version": previous, "kind": kind, "verdict": verdict, "reason": reason}
        Warehouse(shop, "ml").call("ops.record_promotion", **judged, **facts)
    columns = ["version", "previous_version", "verdict", "is_champion_since", "reason"]
    shown = Warehouse(shop, "analyst").read_view("marts.fct_model_promotions", None, columns, ["promotion_id"])
    assert shown.rows() == [
        (1, None, "promoted", True, "passed: better"),
        (2, 1, "refused", False, "not passed: worse"),
    ]


def test_the_analyst_reads_what_the_optimizer_answers_beyond_the_bundles(shop: Settings, owner: Connection) -> None:
    before, run_id = publish(owner, 20), publish(owner, 21)
    analyst = Warehouse(shop, "analyst")

    def shown(mart: str, *columns: str) -> list[tuple[object, ...]]:
        return analyst.read_view(f"marts.{mart}", columns=[*columns, "run_id"]).rows()

    assert shown("fct_bundles", "held_back_by", "is_kept", "lost_to") == [("stock", True, ["stock"], run_id)]
    assert shown("fct_shadow_prices", "title", "capacity_units", "shadow_price") == [("Product 3", 8, 0.25, run_id)]
    assert shown("fct_catalogue_bundles", "products", "list_price") == [("Product 5 + Product 3", "2.50", run_id)]
    assert shown("fct_given_bundle_ranks", "given_bundle_id", "list_price") == [("breakfast", "4.75", run_id)]
    answers = analyst.read_view("marts.fct_why_not", {"run_id": [before, run_id]}, order_by=["run_id"])
    assert answers.select("products", "binding", "is_published", "as_of").rows() == [
        ("Product 3 + Product 9", ["budget"], False, AS_OF + timedelta(days=20)),
        ("Product 3 + Product 9", ["budget"], True, AS_OF + timedelta(days=21)),
    ]


def test_the_models_role_reads_the_features(shop: Settings) -> None:
    assert Warehouse(shop, "ml").read_view("features.ftr_products").height == 18


def test_a_build_waits_for_no_reader_and_a_changed_mart_lets_readers_pass(shop: Settings, tmp_path: Path) -> None:
    analyst = Warehouse(shop, "analyst")
    listed = "select table_name from information_schema.views where table_schema = 'marts' order by 1"
    with analyst.transaction() as connection, connection.cursor() as cursor:
        cursor.execute("set idle_in_transaction_session_timeout = 0")
        cursor.execute(listed)
        for (name,) in cursor.fetchall():
            cursor.execute(f"select * from marts.{name} limit 1")
        build(shop, AS_OF)
        changed = changed_project(
            shop, tmp_path, "fct_bundles", "bundles.bundle_rank,", "bundles.bundle_rank + 0 as bundle_rank,"
        )
        with pytest.raises(TemporaryError, match="lock timeout"):
            build(changed, AS_OF)
    build(changed, AS_OF)
    with Warehouse(shop, "transformer").transaction() as connection, connection.cursor() as cursor:
        cursor.execute("select pg_get_viewdef('marts.fct_bundles'::regclass)")
        ((text,),) = cursor.fetchall()
    assert "bundle_rank + 0" in text
    build(shop, AS_OF)


def test_what_goes_with_a_staging_view_whose_columns_changed_is_made_anew(shop: Settings, tmp_path: Path) -> None:
    first, second = "        feedback_id,\n", "        bundle_id,\n"
    changed = changed_project(
        shop, tmp_path, "stg_raw__bundle_feedback", first + second, second + first, schema="staging"
    )
    marts = "select count(*) from information_schema.views where table_schema = 'marts'"
    transformer = Warehouse(shop, "transformer")
    with transformer.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(marts)
        before = cursor.fetchall()
    build(changed, AS_OF)
    with transformer.transaction() as connection, connection.cursor() as cursor:
        cursor.execute(marts)
        assert cursor.fetchall() == before


def changed_project(shop: Settings, folder: Path, model: str, old: str, new: str, schema: str = "marts") -> Settings:
    """Return settings with a copy of the dbt project in which a model reads otherwise."""
    changed = folder / "dbt_project"
    shutil.copytree(shop.dbt.project_dir, changed, ignore=shutil.ignore_patterns("target", "logs"))
    file = changed / "models" / schema / f"{model}.sql"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    return shop.model_copy(update={"dbt": DbtSettings(project_dir=changed, target_dir=folder / "target")})


def test_a_mart_whose_columns_changed_is_not_replaced_and_says_which(shop: Settings, tmp_path: Path) -> None:
    elsewhere = changed_project(shop, tmp_path, "fct_bundles", "bundles.bundle_rank,", "")
    with pytest.raises(DataError, match="fct_bundles") as refused:
        build(elsewhere, AS_OF)
    assert "1 failed" in str(refused.value)
    assert Warehouse(shop, "analyst").read_view("marts.fct_bundles").columns[2] == "bundle_rank"
