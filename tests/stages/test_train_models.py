"""From features to champions and the comparison of policies, through real Postgres and a real MLflow store."""

import json
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import ml.stages.evaluate_policies
import ml.stages.propose_candidates
import ml.stages.train_association
import ml.stages.train_preference
from ml.datasets import Dataset
from ml.errors import DataError, NotEnoughDataError, NothingToDo
from ml.evaluation.drift import DriftCheck
from ml.measurement.stability import row_of
from ml.params import Context, Counts, RunParams
from ml.publishing.audit import Check
from ml.publishing.lease import open_run
from ml.publishing.publish import publish, record
from ml.settings import Settings, TrackingSettings
from ml.tables import BASKETS, DRIFT_CHECKS, POLICY_METRICS
from ml.tracking import Tracking
from ml.warehouse import Warehouse
from tests.stages.features import AS_OF, plant, plant_earlier, tiny
from tests.stages.runs import CONTEXT, read

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def evaluated(shop: Settings, trained: dict[str, Counts]) -> Counts:
    # Anew, as other tests of the shop may have had policies compared by models of their own.
    return ml.stages.evaluate_policies.run(shop, Context(AS_OF, CONTEXT.started_by, RunParams(retrain=True)))


@pytest.fixture(scope="module")
def planted(settings: Settings) -> Settings:
    """The shop's features in a database of their own."""
    bare = tiny(settings, "")
    plant(bare)
    return bare


@pytest.fixture
def untrained(planted: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The shop before any training, whatever ran before."""
    monkeypatch.chdir(tmp_path)
    return planted.model_copy(update={"tracking": TrackingSettings(uri=f"sqlite:///{tmp_path / 'mlflow.db'}")})


def test_there_are_no_bundles_before_a_champion(untrained: Settings) -> None:
    with pytest.raises(DataError, match=r"champion|passed its gate"):
        ml.stages.propose_candidates.run(untrained, CONTEXT)


def test_the_association_model_is_the_champion_with_a_written_reason(
    shop: Settings, trained: dict[str, Counts]
) -> None:
    assert trained["association"]["is_champion"] == "true"
    version = MlflowClient(shop.tracking.uri).get_model_version_by_alias("association", "champion")
    assert version.tags["gate_reason"].startswith("passed: ")
    assert version.tags["data_cut_off"] == AS_OF.isoformat()
    assert version.tags["dbt_invocation_id"] == "0f3b"


def test_every_association_is_a_run_of_its_own_with_the_same_metrics(
    shop: Settings, trained: dict[str, Counts]
) -> None:
    client = MlflowClient(shop.tracking.uri)
    experiment = client.get_experiment_by_name("association")
    assert experiment is not None
    runs = {run.data.tags["model"]: run for run in client.search_runs([experiment.experiment_id])}
    roles = {name: run.data.tags["role"] for name, run in runs.items()}
    assert roles == {
        "lift": "champion",
        "population_lift": "comparison",
        "cosine": "comparison",
        "scaled_cosine": "baseline",
        "regression": "comparison",
        "graph": "comparison",
        "category_lift": "comparison",
        "all": "comparison",
    }
    for run in (run for name, run in runs.items() if name != "all"):
        assert {"pair_auc", "completion_recall_10", "completion_hit_10"} <= set(run.data.metrics)
        assert run.data.tags["complete"] == "true"
    files = {file.path for file in client.list_artifacts(runs["lift"].info.run_id, "model")}
    assert {file.removeprefix("model/") for file in files} == {
        "association.json",
        "back_off.json",
        "back_off.safetensors",
        "manifest.json",
        "pairs.safetensors",
        "relations.json",
        "relations.safetensors",
    }


def test_all_readings_are_shown_with_their_intervals_in_one_picture(shop: Settings, trained: dict[str, Counts]) -> None:
    client = MlflowClient(shop.tracking.uri)
    experiment = client.get_experiment_by_name("association")
    assert experiment is not None
    runs = {run.data.tags["model"]: run for run in client.search_runs([experiment.experiment_id])}
    files = {file.path for file in client.list_artifacts(runs["all"].info.run_id, "plots")}
    assert files == {"plots/pair_readings.png", "plots/completion_recall_10_differences.png"}
    ours = runs["lift"].data.metrics
    assert ours["pair_auc_low"] <= ours["pair_auc"] <= ours["pair_auc_high"]
    assert ours["embedded_products"] == 24, "those that are not counted too"


def test_an_association_of_other_params_is_refused_unless_better_and_the_champions_recipe_refreshed(
    untrained: Settings,
) -> None:
    earlier = AS_OF - timedelta(days=28)
    plant_earlier(untrained, earlier)
    ml.stages.train_association.run(untrained, Context(earlier, "counted_first", RunParams()))
    other = untrained.association.model_copy(update={"shrinkage": 5.5})
    changed = untrained.model_copy(update={"association": other})
    ml.stages.train_association.run(changed, Context(AS_OF, "counted_else", RunParams()))
    where = {"model": "association", "started_by": "counted_else"}
    rows = Warehouse(untrained, "ml").read_view("ops.promotions", where, ["kind", "verdict"], ["promotion_id"]).rows()
    assert rows[0] == ("challenger", "refused")
    assert [kind for kind, _ in rows] == ["challenger", "refresh"], "whether it is promoted is for later baskets to say"


@pytest.mark.parametrize("name", ["association", "preference"])
def test_how_far_customers_are_bounded_is_logged(name: str, shop: Settings, trained: dict[str, Counts]) -> None:
    client = MlflowClient(shop.tracking.uri)
    run_id = client.get_model_version(name, str(trained[name]["version"])).run_id
    logged = client.get_run(run_id).data.metrics
    assert {key: logged[key] for key in ("bounded_customers", "smallest_customer_weight", "uncounted_line_share")} == {
        "bounded_customers": 0,
        "smallest_customer_weight": 1,
        "uncounted_line_share": 0,
    }
    assert "influence.csv" in {file.path for file in client.list_artifacts(run_id)}


def test_a_young_champion_is_confirmed_without_training(shop: Settings, trained: dict[str, Counts]) -> None:
    later = Context(AS_OF + timedelta(days=5), "test", RunParams())
    assert ml.stages.train_association.run(shop, later) == {
        "confirmed_version": trained["association"]["version"],
        "age_days": 5,
    }


def test_published_drift_trains_a_young_champion_once(untrained: Settings) -> None:
    earlier, measured_on = AS_OF - timedelta(days=10), AS_OF - timedelta(days=1)
    plant_earlier(untrained, earlier)
    first = ml.stages.train_association.run(untrained, Context(earlier, "before drift", RunParams()))
    assert first["trained_because"] == "first: there is no champion"
    confirmed = ml.stages.train_association.run(untrained, Context(AS_OF, "no drift", RunParams()))
    assert confirmed == {"confirmed_version": first["version"], "age_days": 10}
    publish_drift(untrained, measured_on, "basket_cents psi 0.31 > 0.25")
    counts = ml.stages.train_association.run(untrained, Context(AS_OF, "drift", RunParams()))
    assert counts["trained_because"] == "drift: feature basket_cents psi 0.31 > 0.25"
    newest = max(runs_of(untrained, "association"), key=lambda run: run.info.start_time)
    assert newest.data.tags["trained_because"] == counts["trained_because"]
    again = ml.stages.train_association.run(untrained, Context(AS_OF, "after drift", RunParams()))
    assert "confirmed_version" in again, "what drifted is answered by the training, whoever won"


def test_a_champion_stays_where_there_is_too_little_to_learn_from_and_without_one_training_fails(
    shop: Settings, trained: dict[str, Counts], untrained: Settings
) -> None:
    judged = [promotions_of(shop, model) for model in ("association", "preference")]
    again = Context(AS_OF, "again", RunParams(retrain=True))
    for stage in (ml.stages.train_association, ml.stages.train_preference):
        with pytest.raises(NothingToDo, match=r"^not_enough_data: .* version \d+ stays the champion$"):
            stage.run(thin(shop), again)
        with pytest.raises(NotEnoughDataError, match=r"^not_enough_data: "):
            stage.run(thin(untrained), again)
    with pytest.raises(NothingToDo, match=r"^not_enough_data: no customer has a basket of two products"):
        ml.stages.evaluate_policies.run(thin(shop), again)
    assert [promotions_of(shop, model) for model in ("association", "preference")] == judged


def thin(settings: Settings) -> Settings:
    """Return settings that ask for more baskets of a customer, and of a pair, than the shop has."""
    few = {"min_pair_baskets": 1_000_000}
    return settings.model_copy(
        update={
            "preference": settings.preference.model_copy(update={"min_customer_baskets": 1_000_000}),
            "association": settings.association.model_copy(update=few),
        }
    )


def promotions_of(settings: Settings, model: str) -> int:
    """Return how often a model was judged."""
    return Warehouse(settings, "ml").read_view("ops.promotions", {"model": model}).height


def publish_drift(settings: Settings, day: date, reason: str) -> None:
    """Publish measurements of a day that say of one feature that it has drifted."""
    context = Context(day, "drifted", RunParams(scenario="measurements"))
    lease = open_run(settings, context)
    check = DriftCheck("basket_cents", "psi", 0.31, 0.25, 1e-9, 900, 900, "drifted", reason)
    Warehouse(settings, "ml").replace_run(DRIFT_CHECKS, DRIFT_CHECKS.frame([row_of("feature", check)]), lease)
    record(settings, lease, [Check("stands for the audit", 0)])
    publish(settings, context)


def test_all_policies_are_compared_on_the_same_customers(shop: Settings, evaluated: Counts) -> None:
    rows = read(shop, POLICY_METRICS, evaluated)
    assert rows.filter(pl.col("metric") == "hit_5").height == 4 * 2
    assert rows["customers"].unique().to_list() == [evaluated["customers"]]
    assert (rows["window_from"][0], rows["window_to"][0]) == (AS_OF - timedelta(days=27), AS_OF)
    ours = rows.filter(
        pl.col("policy") == "expected_joint_purchase", pl.col("metric") == "hit_5", pl.col("variant") == "plain"
    ).to_dicts()[0]
    assert ours["compared_with"] == "frequently_bought_together"
    assert ours["low"] <= ours["value"] <= ours["high"]
    assert ours["value"] > 0, "complements and favourites can be foretold here"


def test_each_policy_has_its_run_in_the_experiment(shop: Settings, evaluated: Counts) -> None:
    client = MlflowClient(shop.tracking.uri)
    experiment = client.get_experiment_by_name("bundle_policy")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len({run.data.tags["policy"] for run in runs}) == 4
    assert all({"hit_5", "hit_5_cross_sell", "precision_5"} <= set(run.data.metrics) for run in runs)
    noted = Warehouse(shop, "ml").read_view("ops.runs", {"run_id": evaluated["run_id"]})["mlflow_run_id"][0]
    assert noted in {run.info.run_id for run in runs}


def test_a_comparison_of_the_same_models_is_copied_not_repeated(shop: Settings, evaluated: Counts) -> None:
    again = ml.stages.evaluate_policies.run(shop, Context(AS_OF, "another", RunParams()))
    assert again["run_id"] != evaluated["run_id"]
    assert again["copied"] == evaluated["metrics"]
    assert read(shop, POLICY_METRICS, again).drop("run_id").equals(read(shop, POLICY_METRICS, evaluated).drop("run_id"))


def test_each_model_is_a_run_that_shows_what_it_learnt_from_and_how_it_did(
    shop: Settings, trained: dict[str, Counts]
) -> None:
    client = MlflowClient(shop.tracking.uri)
    experiment = client.get_experiment_by_name("preference")
    assert experiment is not None
    runs = {run.data.tags["model"]: run for run in client.search_runs([experiment.experiment_id])}
    roles = {name: run.data.tags["role"] for name, run in runs.items()}
    compared = {"global_popularity", "two_tower_additive"}
    assert roles.items() >= {"ranker": "champion", "item_cosine": "comparison", "all": "comparison"}.items()
    assert {name for name, role in roles.items() if role == "baseline"} == compared
    for name in ("ranker", "item_cosine", *compared):
        assert {"recall_20", "recall_20_low", "ece", "product_coverage_20"} <= set(runs[name].data.metrics)
        used = {one.dataset.name: one.dataset for one in runs[name].inputs.dataset_inputs}
        assert set(used) == {"features.ftr_baskets", "features.ftr_products"}
        held = Warehouse(shop, "ml").read(BASKETS, {"as_of": AS_OF})
        assert json.loads(used["features.ftr_baskets"].profile)["num_rows"] == held.height
        assert used["features.ftr_baskets"].digest == Dataset.of("", held, AS_OF).digest[:32]
    ranker = runs["ranker"].info.run_id
    plots = {Path(file.path).name for file in client.list_artifacts(ranker, "plots")}
    own = {"recall_by_k.png", "reliability.png", "segments.png"}
    assert plots == own | {"training_curve.png", "feature_importance.png", "shap_summary.png"}
    compared_run = client.list_artifacts(runs["all"].info.run_id, "plots")
    assert {Path(file.path).name for file in compared_run} >= {"recall_by_k.png", "recall_20_over_candidate.png"}
    curve = [point.value for point in client.get_metric_history(ranker, "training_binary_logloss")]
    assert len(curve) == len(client.get_metric_history(ranker, "held_out_binary_logloss")) and curve[-1] < curve[0]
    card = mlflow_text(client, ranker, "card.md")
    assert "## The gate\n\npassed: NDCG@10" in card and "## Going back" in card and "| warm products |" in card
    table = json.loads(mlflow_text(client, runs["all"].info.run_id, "differences.json"))
    assert {"model", "against", "metric", "difference", "low", "high"} <= set(table["columns"])
    assert {row[1] for row in table["data"]} >= {"candidate"}


def mlflow_text(client: MlflowClient, run_id: str, file: str) -> str:
    return Path(client.download_artifacts(run_id, file)).read_text("utf-8")


def test_each_judgement_is_a_row_of_ops(shop: Settings, trained: dict[str, Counts]) -> None:
    rows = Warehouse(shop, "ml").read_view("ops.promotions", {"started_by": "test"}, order_by=["promotion_id"])
    first = rows.filter(pl.col("kind") == "first").sort("model").select("model", "verdict", "version")
    assert first.rows() == [("association", "promoted", 1), ("preference", "promoted", 1)]
    assert rows["reason"].str.starts_with("passed: ").all()


def test_another_recipe_that_is_no_better_is_refused_with_its_reason(
    shop: Settings, trained: dict[str, Counts]
) -> None:
    """Fewer trees: compared with the champion's recipe on the same windows, though the champion saw all of them."""
    smaller = shop.model_copy(update={"preference": shop.preference.model_copy(update={"trees": 2})})
    counts = ml.stages.train_preference.run(smaller, Context(AS_OF, "smaller", RunParams(retrain=True)))
    assert (counts["verdict"], counts["windows"]) == ("refused", 2)
    version = Tracking(shop).numbered("preference", int(counts["version"])).version
    reason = version.tags["gate_reason"]
    assert "FAILED: recall@20 against the champion's recipe in 2 windows: " in reason and "must be above 0" in reason
    assert version.tags["gate"] == "failed"
    row = Warehouse(shop, "ml").read_view("ops.promotions", {"started_by": "smaller"}).to_dicts()[0]
    assert (row["kind"], row["verdict"], row["reason"]) == ("challenger", "refused", reason)
    assert json.loads(row["metrics"])["gate_recall_20_over_champion_low"] <= 0
    client = MlflowClient(shop.tracking.uri)
    assert client.get_run(version.run_id).data.tags["role"] == "challenger"
    assert int(client.get_model_version_by_alias("preference", "champion").version) == trained["preference"]["version"]


def test_a_refresh_is_compared_with_its_recipe_on_older_data(untrained: Settings) -> None:
    earlier = AS_OF - timedelta(days=28)
    plant_earlier(untrained, earlier)
    for stage in (ml.stages.train_association, ml.stages.train_preference):
        first = stage.run(untrained, Context(earlier, "first", RunParams()))
        refreshed = stage.run(untrained, Context(AS_OF, "refresh", RunParams()))
        assert first["is_champion"] == "true" and int(refreshed["version"]) > int(first["version"])
        where = {"model": stage.MODEL, "started_by": "refresh"}
        row = Warehouse(untrained, "ml").read_view("ops.promotions", where, None, ["promotion_id"]).to_dicts()[-1]
        assert (row["kind"], row["previous_version"]) == ("refresh", first["version"])
        assert "against the champion's recipe on data 1 x 28 days older in 2 windows" in row["reason"]
        again = stage.run(untrained, Context(AS_OF, "again", RunParams()))
        assert "confirmed_version" in again, "what was judged today is not due, whoever won"
        roles = [run.data.tags["role"] for run in runs_of(untrained, stage.MODEL)]
        assert roles.count("champion") == 1, "the recipe that was followed anew is not the champion"
        assert roles.count("former_champion") == (refreshed["is_champion"] == "true")


def test_a_backfill_serves_its_days_by_the_model_that_passed_and_a_freeze_registers_nothing_in_its_place(
    untrained: Settings,
) -> None:
    """Neither is a refusal, so no baseline stands in."""
    wanted = untrained.preference.model_copy(update={"compared": ("global_popularity",), "trees": 5})
    small = untrained.model_copy(update={"preference": wanted})
    frozen = ml.stages.train_preference.run(small, Context(AS_OF, "frozen", RunParams(freeze_promotion=True)))
    tracking = Tracking(small)
    assert frozen["verdict"] == "frozen" and len(tracking.versions("preference")) == 1
    assert ml.stages.train_preference.run(small, Context(AS_OF, "newer", RunParams()))["verdict"] == "promoted"
    earlier = AS_OF - timedelta(days=28)
    plant_earlier(small, earlier)
    backfilled = ml.stages.train_preference.run(small, Context(earlier, "backfill", RunParams()))
    assert (backfilled["verdict"], backfilled["kind"]) == ("outdated", "ranker")
    served = tracking.find_champion("preference", earlier)
    assert served is not None and (served.number, served.tags["model"]) == (backfilled["version"], "ranker")
    assert len(tracking.versions("preference")) == 3


def test_a_challenger_of_a_champion_that_cannot_be_followed_is_refused(untrained: Settings) -> None:
    wanted = untrained.preference.model_copy(update={"compared": ("global_popularity",), "trees": 5})
    small = untrained.model_copy(update={"preference": wanted})
    first = ml.stages.train_preference.run(small, Context(AS_OF, "first", RunParams()))
    lost = {"recipe": '{"kind": "crystal_ball", "params": {}}'}
    Tracking(small).tag_version("preference", int(first["version"]), lost)
    retrain = RunParams(retrain=True)
    assert ml.stages.train_preference.run(small, Context(AS_OF, "lost", retrain))["verdict"] == "refused"
    rows = Warehouse(small, "ml").read_view("ops.promotions", {"started_by": "lost"}).to_dicts()
    assert [row["kind"] for row in rows] == ["challenger"]
    assert "cannot be compared with the champion" in rows[0]["reason"] and "crystal_ball" in rows[0]["reason"]


def runs_of(shop: Settings, experiment: str) -> list[Run]:
    client = MlflowClient(shop.tracking.uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return list(client.search_runs([found.experiment_id]))


def test_where_a_challenger_is_refused_the_champions_recipe_is_refreshed(untrained: Settings) -> None:
    """Popularity knows nobody's favourites: counting them stands in, and its recipe is refreshed beside it."""
    wanted = {"kind": "global_popularity", "compared": ("personal_frequency",)}
    few = untrained.model_copy(update={"preference": untrained.preference.model_copy(update=wanted)})
    earlier = AS_OF - timedelta(days=28)
    plant_earlier(few, earlier)
    first = ml.stages.train_preference.run(few, Context(earlier, "stood_in", RunParams()))
    assert (first["kind"], first["is_champion"]) == ("personal_frequency", "true")
    ml.stages.train_preference.run(few, Context(AS_OF, "beside", RunParams()))
    where = {"model": "preference", "started_by": "beside"}
    rows = Warehouse(few, "ml").read_view("ops.promotions", where, ["kind", "verdict"], ["promotion_id"]).rows()
    assert rows == [("challenger", "refused"), ("refresh", "promoted")]
