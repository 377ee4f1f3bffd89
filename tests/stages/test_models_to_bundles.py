"""From features to audited bundles through real Postgres and a real MLflow store."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import psycopg2.extensions
import pytest
from mlflow import MlflowClient

import ml.stages.evaluate_policies
import ml.stages.explain_bundle
import ml.stages.list_bundles
import ml.stages.optimise_bundles
import ml.stages.propose_candidates
import ml.stages.train_association
import ml.stages.train_preference
from ml.errors import DataError
from ml.params import Context, Counts, Question, RunParams
from ml.publishing.audit import CandidateRun, Check, business_rules
from ml.publishing.lease import open_run
from ml.publishing.publish import publish, record
from ml.settings import Settings
from ml.tables import (
    ASSOCIATIONS,
    BUNDLE_ITEMS,
    BUNDLES,
    CANDIDATES,
    CATALOGUE_BUNDLES,
    CATALOGUE_GAPS,
    GIVEN_BUNDLE_RANKS,
    GIVEN_BUNDLES,
    GIVEN_CANDIDATES,
    POLICY_METRICS,
    PRODUCTS,
    SHADOW_PRICES,
    WHY_NOT,
    Table,
)
from ml.tracking import Tracking
from ml.warehouse import Warehouse
from tests.stages.features import AS_OF, COLD, COMPLEMENTS, CUSTOMERS_WITH_HISTORY, POOR, plant, set_stock, tiny

pytestmark = pytest.mark.slow

CONTEXT = Context(AS_OF, "test", RunParams(bundle_size=3, cost_per_product=0.001, min_joint_probability=0.001))


@pytest.fixture(scope="module")
def shop(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A tiny shop with features; MLflow keeps its artifacts below the working directory."""
    home = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        whole = tiny(settings, f"sqlite:///{home / 'mlflow.db'}")
        plant(whole)
        yield whole


@pytest.fixture(scope="module")
def trained(shop: Settings) -> dict[str, Counts]:
    return {
        "association": ml.stages.train_association.run(shop, CONTEXT),
        "preference": ml.stages.train_preference.run(shop, CONTEXT),
    }


@pytest.fixture(scope="module")
def evaluated(shop: Settings, trained: dict[str, Counts]) -> Counts:
    return ml.stages.evaluate_policies.run(shop, CONTEXT)


@pytest.fixture(scope="module")
def solved(shop: Settings, trained: dict[str, Counts]) -> Counts:
    ml.stages.propose_candidates.run(shop, CONTEXT)
    return ml.stages.optimise_bundles.run(shop, CONTEXT)


def read(shop: Settings, table: Table, counts: Counts) -> pl.DataFrame:
    return Warehouse(shop, "ml").read(table, {"run_id": counts["run_id"]})


def audited(shop: Settings, counts: Counts, params: RunParams) -> list[str]:
    run = CandidateRun(
        read(shop, BUNDLES, counts),
        read(shop, BUNDLE_ITEMS, counts),
        read(shop, CANDIDATES, counts),
        Warehouse(shop, "ml").read(PRODUCTS, {"as_of": AS_OF}),
    )
    return [f"{check.name}: {check.detail}" for check in business_rules(run, params) if not check.is_passed]


def test_there_are_no_bundles_before_a_champion(shop: Settings) -> None:
    with pytest.raises(DataError, match=r"champion|passed its gate"):
        ml.stages.propose_candidates.run(shop, CONTEXT)


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
    assert set(runs) == {"lift", "population_lift", "cosine", "scaled_cosine"}
    for run in runs.values():
        assert {"pair_auc", "completion_recall_10", "completion_hit_10"} <= set(run.data.metrics)
        assert run.data.tags["complete"] == "true"
    files = {file.path for file in client.list_artifacts(runs["lift"].info.run_id, "model")}
    assert files == {"model/association.json", "model/manifest.json", "model/pairs.safetensors"}


def test_a_young_champion_is_confirmed_without_training(shop: Settings, trained: dict[str, Counts]) -> None:
    later = Context(AS_OF + timedelta(days=5), "test", RunParams())
    assert ml.stages.train_association.run(shop, later) == {
        "confirmed_version": trained["association"]["version"],
        "age_days": 5,
    }


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


def test_the_run_passes_its_audit(shop: Settings, solved: Counts) -> None:
    assert audited(shop, solved, CONTEXT.params) == []


def test_every_bundle_is_proven_optimal_and_says_over_what(shop: Settings, solved: Counts) -> None:
    offered = read(shop, BUNDLES, solved).filter(pl.col("status") != "abstained")
    assert solved["proven_optimal_share"] == 1.0
    assert offered["status"].unique().to_list() == ["optimal"]
    named = offered.group_by(is_first=pl.col("bundle_rank") == 1).agg(pl.col("candidate_set").unique())
    assert dict(named.iter_rows()) == {True: ["top_20"], False: ["top_20_without_earlier_bundles"]}
    assert (offered.filter(pl.col("bundle_rank") > 1)["candidates"] < 20).all()
    assert (offered["upper_bound"] >= offered["objective"]).all()
    assert offered["customer_id"].n_unique() == CUSTOMERS_WITH_HISTORY


def test_the_objective_can_be_worked_out_again_from_the_tables(shop: Settings, solved: Counts) -> None:
    items = read(shop, BUNDLE_ITEMS, solved)
    pairs = {row[:2]: row[2] for row in read(shop, ASSOCIATIONS, solved).select(
        "product_a", "product_b", "association").iter_rows()}  # fmt: skip
    bundles = read(shop, BUNDLES, solved).filter(pl.col("status") != "abstained")
    for bundle in bundles.iter_rows(named=True):
        own = items.filter(pl.col("bundle_id") == bundle["bundle_id"]).sort("product_id")
        found = list(zip(own["product_id"], own["preference"], strict=True))
        total = -CONTEXT.params.cost_per_product * len(found)
        for at, (left, p) in enumerate(found):
            for right, q in found[at + 1 :]:
                total += min(p * q * pairs.get((left, right), 0.0), p, q)
        assert bundle["objective"] == pytest.approx(total, rel=1e-12)


def test_planted_complements_are_found(shop: Settings, solved: Counts) -> None:
    """Of a complement pair both parts are bought by habit; what is planted on top is that they come together."""
    pairs = read(shop, ASSOCIATIONS, solved)
    planted = pairs.filter(
        pl.concat_list("product_a", "product_b").is_in([sorted(pair) for pair in COMPLEMENTS.items()])
    )
    assert planted.height == 3
    assert planted["association"].min() > pairs["association"].median() + 0.2  # type: ignore[operator]
    assert (planted["lift_low"] > 1).all()


def test_products_without_a_price_are_not_proposed(shop: Settings, solved: Counts) -> None:
    assert "p22" not in read(shop, CANDIDATES, solved)["product_id"].to_list()


def test_customers_without_evidence_get_a_reason_instead_of_a_bundle(shop: Settings, solved: Counts) -> None:
    reasons = dict(
        read(shop, BUNDLES, solved)
        .filter(pl.col("status") == "abstained")
        .select("customer_id", "fallback_reason")
        .iter_rows()
    )
    assert reasons[COLD] == "cold_customer"
    assert solved["abstained_cold_customer"] == 1
    assert POOR not in reasons or reasons[POOR] in ("below_threshold", "not_worth_showing")


def test_unknown_costs_are_said_and_known_ones_make_a_margin(shop: Settings, solved: Counts) -> None:
    offered = read(shop, BUNDLES, solved).filter(pl.col("status") != "abstained")
    assert (offered["margin_cents"].is_null() == (offered["margin_note"] == "cost unknown").fill_null(False)).all()


def test_the_gap_to_the_catalogue_is_measured_on_a_sample(shop: Settings, solved: Counts) -> None:
    gaps = read(shop, CATALOGUE_GAPS, solved)
    assert gaps.height == 6
    assert (gaps["catalogue_bound"] >= gaps["objective"]).all()
    assert gaps["catalogue_products"].unique().to_list() == [23], "24 products, one without a price"


def test_solving_again_gives_the_same_rows(shop: Settings, solved: Counts) -> None:
    tables = (CANDIDATES, ASSOCIATIONS, BUNDLES, BUNDLE_ITEMS, CATALOGUE_GAPS)
    before = [read(shop, table, solved) for table in tables]
    ml.stages.propose_candidates.run(shop, CONTEXT)
    again = ml.stages.optimise_bundles.run(shop, CONTEXT)
    assert again["run_id"] == solved["run_id"]
    assert all(old.equals(read(shop, table, again)) for old, table in zip(before, tables, strict=True))


@pytest.mark.parametrize(
    "values",
    [
        {"policy": "pairwise_sum", "bundle_size": 2},
        {"policy": "frequently_bought_together", "bundle_size": 2},
        {"policy": "independence", "bundles_per_customer": 1},
        {"solver": "greedy"},
        {"solver": "annealing", "bundles_per_customer": 1},
        {"solver": "genetic", "bundles_per_customer": 1},
        {"budget_cents": 600, "max_per_category": 2},
        {"bundle_size": 5, "min_bundle_size": 3, "max_overlap": 2, "max_per_category": 2},
        {"must_include": ("p00", "p02"), "exclude": ("p01",), "needs_anchor": True},
        {"pinned": ("p03",), "min_categories": 3, "min_price_cents": 400, "bundles_per_customer": 1},
    ],
)
def test_every_policy_solver_and_limit_of_the_form_passes_the_audit(
    shop: Settings, trained: dict[str, Counts], values: dict[str, object]
) -> None:
    params = RunParams(**values)  # type: ignore[arg-type]
    context = Context(AS_OF, f"form {values}", params)
    ml.stages.propose_candidates.run(shop, context)
    counts = ml.stages.optimise_bundles.run(shop, context)
    assert counts["bundles"]
    assert audited(shop, counts, params) == []


def test_limits_that_nothing_keeps_to_are_named(shop: Settings, trained: dict[str, Counts]) -> None:
    context = Context(AS_OF, "poor", RunParams(budget_cents=150))
    ml.stages.propose_candidates.run(shop, context)
    counts = ml.stages.optimise_bundles.run(shop, context)
    rows = read(shop, BUNDLES, counts).filter(pl.col("fallback_reason") != "cold_customer")
    assert counts["bundles"] == 0
    assert rows.height > CUSTOMERS_WITH_HISTORY
    assert rows["fallback_reason"].str.contains("infeasible:.*budget").all()


def test_optimising_without_candidates_is_refused(shop: Settings, trained: dict[str, Counts]) -> None:
    with pytest.raises(DataError, match="run propose_candidates"):
        ml.stages.optimise_bundles.run(shop, Context(AS_OF, "nobody proposed", RunParams()))


def test_features_of_another_day_are_not_taken(shop: Settings, trained: dict[str, Counts], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run build_features"):
        ml.stages.propose_candidates.run(shop, Context(AS_OF + timedelta(days=1), "test", RunParams()))


def test_a_gap_is_in_per_cent_of_the_bound_as_the_audit_demands(shop: Settings, trained: dict[str, Counts]) -> None:
    context = Context(AS_OF, "greedy gaps", RunParams(solver="greedy"))
    ml.stages.propose_candidates.run(shop, context)
    bundles = read(shop, BUNDLES, ml.stages.optimise_bundles.run(shop, context))
    offered = bundles.filter(pl.col("status") != "abstained")
    expected = 100 * (offered["upper_bound"] - offered["objective"]) / offered["upper_bound"]
    assert offered["gap_pct"].to_list() == pytest.approx(expected.to_list(), abs=1e-9)


def test_a_champion_that_saw_the_held_out_baskets_is_not_the_measure(
    shop: Settings, trained: dict[str, Counts]
) -> None:
    counts = ml.stages.train_preference.run(shop, Context(AS_OF, "again", RunParams(retrain=True)))
    version = Tracking(shop).numbered("preference", int(counts["version"])).version
    assert "trained on these baskets" in version.tags["gate_reason"]
    assert "of the champion" not in version.tags["gate_reason"]


@pytest.fixture
def scarce(shop: Settings) -> Iterator[Settings]:
    """The shop with four units of each product on that day."""
    set_stock(shop, 4)
    yield shop
    set_stock(shop, None)


def test_nobody_is_promised_what_another_was_promised(scarce: Settings, trained: dict[str, Counts]) -> None:
    params = RunParams(reserve_units=1, bundles_per_customer=2)
    context = Context(AS_OF, "scarce", params)
    ml.stages.propose_candidates.run(scarce, context)
    counts = ml.stages.optimise_bundles.run(scarce, context)
    items, bundles = read(scarce, BUNDLE_ITEMS, counts), read(scarce, BUNDLES, counts)
    prices = read(scarce, SHADOW_PRICES, counts)
    held = dict(items.group_by("product_id").len().iter_rows())
    assert prices["capacity_units"].unique().to_list() == [3]
    assert {row["product_id"]: row["promised_units"] for row in prices.iter_rows(named=True)} == {
        product: held.get(product, 0) for product in prices["product_id"]
    }
    assert prices["promised_units"].max() == 3
    assert prices["shadow_price"].max() > 0  # type: ignore[operator]
    assert counts["stock_counted_products"] == prices.height
    assert 0 <= float(counts["stock_gap_pct"]) < 30
    assert bundles.filter(pl.col("held_back_by") == "stock").height > 0
    assert (bundles["upper_bound"] >= bundles["objective"]).all()
    assert audited(scarce, counts, params) == []
    again = ml.stages.optimise_bundles.run(scarce, context)
    assert read(scarce, BUNDLES, again).equals(bundles)


def test_a_run_that_does_not_couple_stock_says_nothing_of_it(scarce: Settings, trained: dict[str, Counts]) -> None:
    context = Context(AS_OF, "uncoupled", RunParams(couples_stock=False))
    ml.stages.propose_candidates.run(scarce, context)
    counts = ml.stages.optimise_bundles.run(scarce, context)
    assert read(scarce, SHADOW_PRICES, counts).is_empty()
    assert read(scarce, BUNDLES, counts)["held_back_by"].null_count() == read(scarce, BUNDLES, counts).height


def publish_unaudited(shop: Settings, context: Context) -> None:
    record(shop, open_run(shop, context), [Check("stands for the audit", 0)])
    assert publish(shop, context).outcome == "published"


def ask(shop: Settings, customer: str, *products: str) -> Counts:
    return ml.stages.explain_bundle.run(shop, Context(AS_OF, "cli", RunParams(), Question(customer, products)))


def test_a_change_budget_is_kept_against_what_is_published(
    shop: Settings, trained: dict[str, Counts], owner: psycopg2.extensions.connection
) -> None:
    first = Context(AS_OF, "live", RunParams(bundle_size=2))
    ml.stages.propose_candidates.run(shop, first)
    live_run = ml.stages.optimise_bundles.run(shop, first)
    publish_unaudited(shop, first)
    for table, columns in (("bundles", '"customer_id": "ghost", '), ("bundle_items", "")):
        changes = f'{{{columns}"bundle_id": "20171203-ghost-1"}}'  # nobody of today's customers
        with owner.cursor() as cursor:
            cursor.execute(
                f"insert into ml.{table} select (jsonb_populate_record(r, %s)).* from ml.{table} as r where run_id = %s"
                " and bundle_id = (select min(bundle_id) from ml.bundles where run_id = %s and bundle_rank = 1)",
                (changes, live_run["run_id"], live_run["run_id"]),
            )
    live = read(shop, BUNDLE_ITEMS, live_run)

    later = Context(AS_OF, "changed", RunParams(bundle_size=2, policy="pairwise_sum", max_change_share=0.1))
    ml.stages.propose_candidates.run(shop, later)
    counts = ml.stages.optimise_bundles.run(shop, later)
    before = sets_of(shop, live_run)
    rows = read(shop, BUNDLES, counts)
    now = rows.filter("is_kept").select("customer_id", "bundle_id").join(sets_of(shop, counts), on="bundle_id")
    assert set(now.select("customer_id", "product_id").rows()) <= set(before.select("customer_id", "product_id").rows())
    fresh = sets_of(shop, counts).join(now, on="bundle_id", how="anti")
    assert not set(fresh.select("customer_id", "product_id").rows()) & set(
        before.select("customer_id", "product_id").rows()
    ), "a bundle with the products of a live one is that bundle"
    kept = now.height
    assert counts["live_bundles"] == live["bundle_id"].n_unique()
    assert counts["forced_replacements"] == 1, "a customer who is not there any more loses a live bundle in any case"
    assert counts["live_bundles"] - kept == counts["replaced_bundles"] <= 0.1 * int(counts["live_bundles"])
    assert set(rows["held_back_by"].drop_nulls()) == {"change_budget"}
    assert counts["lost_to_change_budget"] == rows["lost_to"].list.len().sum()
    assert audited(shop, counts, later.params) == []

    listed = ml.stages.list_bundles.run(shop, later)
    rows = read(shop, CATALOGUE_BUNDLES, listed)
    assert 0 < rows.height <= later.params.catalogue_bundles
    assert rows["coverage"].is_sorted() and (rows["upper_bound"] >= rows["coverage"] - 1e-9).all()

    assert rows["reason"].str.contains("^Worth showing to [0-9]+ of [0-9]+ customers").all()

    customer = live["bundle_id"].str.split("-").list.get(1)[0]
    own = live.filter(pl.col("bundle_id").str.contains(f"-{customer}-1"))["product_id"].to_list()
    for products, verdict in ((tuple(own), "offered"), (("p00", "unknown"), "not_a_candidate")):
        answer = ask(shop, customer, *products)
        assert answer["verdict"] == verdict
        assert ("not offered by the shop on that day: unknown" in str(answer["detail"])) == ("unknown" in products)
        noted = Warehouse(shop, "ml").read(WHY_NOT, {"run_id": answer["run_id"], "customer_id": customer})
        assert verdict in noted["verdict"].to_list()
    with pytest.raises(DataError, match="no candidates for customer"):
        ask(shop, "nobody", "p00", "p01")


def sets_of(shop: Settings, counts: Counts) -> pl.DataFrame:
    """Return customer, bundle and, as one text, its products, of a run."""
    held = read(shop, BUNDLE_ITEMS, counts).group_by("bundle_id").agg(pl.col("product_id").sort().str.join("+"))
    return read(shop, BUNDLES, counts).select("customer_id", "bundle_id", "bundle_rank").join(held, on="bundle_id")


def test_what_stock_took_is_told_of_every_customer_and_product(scarce: Settings, trained: dict[str, Counts]) -> None:
    counts = {}
    for name, couples in (("alone", False), ("shared", True)):
        params = RunParams(reserve_units=1, bundles_per_customer=2, couples_stock=couples, solver="greedy")
        context = Context(AS_OF, f"stock {name}", params)
        ml.stages.propose_candidates.run(scarce, context)
        counts[name] = ml.stages.optimise_bundles.run(scarce, context)
    assert audited(scarce, counts["shared"], params) == []
    publish_unaudited(scarce, context)
    rows = read(scarce, BUNDLES, counts["shared"])
    alone, shared = sets_of(scarce, counts["alone"]), sets_of(scarce, counts["shared"])
    fewer = alone.group_by("customer_id").len().join(shared.group_by("customer_id").len(), on="customer_id", how="left")
    wanted = {who: had - (has or 0) for who, had, has in fewer.iter_rows() if had > (has or 0)}
    lost = rows.group_by("customer_id").agg(pl.col("lost_to").list.len().sum()).filter(pl.col("lost_to") > 0)
    assert dict(lost.iter_rows()) == wanted
    assert counts["shared"]["lost_to_stock"] == sum(wanted.values()) > 0
    unchanged = shared.join(alone, on=["customer_id", "product_id"])["bundle_id"]
    solvers = rows.filter(pl.col("status") != "abstained").group_by("solver").agg("bundle_id")
    of = {solver: set(bundles) for solver, bundles in solvers.iter_rows()}
    assert set(of) == {"greedy", "stock_coupled"}
    assert of["greedy"] <= set(unchanged), "what greedy search did not choose does not bear its name"

    missing = alone.filter(pl.col("bundle_rank") == 1).join(shared, on=["customer_id", "product_id"], how="anti")
    verdicts = {}
    for customer, products in missing.head(12).select("customer_id", "product_id").iter_rows():
        answer = ask(scarce, customer, *products.split("+"))
        verdicts[str(answer["verdict"])] = str(answer["detail"])
    assert "out_of_stock" in verdicts and "nothing is left to promise of p" in verdicts["out_of_stock"]
    assert "ranked_lower" not in verdicts


def test_each_given_bundle_is_ranked_for_each_customer_or_says_why(shop: Settings, trained: dict[str, Counts]) -> None:
    context = Context(AS_OF, "given", CONTEXT.params)
    ml.stages.propose_candidates.run(shop, context)
    solved = ml.stages.optimise_bundles.run(shop, context)
    listed = ml.stages.list_bundles.run(shop, context)
    rows, candidates = read(shop, GIVEN_BUNDLE_RANKS, listed), read(shop, CANDIDATES, solved)
    assert rows.height == 3 * candidates["customer_id"].n_unique() == 3 * (CUSTOMERS_WITH_HISTORY + 2)
    unranked = rows.filter(pl.col("bundle_rank").is_null())
    assert unranked.height == listed["given_bundles_unranked"]
    assert set(unranked["unranked_reason"]) <= {"not_offered:p22", "not_worth_showing"} | {
        f"infeasible:{broken}" for broken in ("joint_probability", "substitute", "substitute+joint_probability")
    }
    assert rows.filter(pl.col("given_bundle_id") == "unpriced")["bundle_rank"].null_count() == rows.height / 3
    assert rows["bundle_rank"].drop_nulls().len() > 0

    more = read(shop, GIVEN_CANDIDATES, solved)
    assert more.height > 0 and set(more["product_id"]) <= {"p00", "p01", "p20", "p21", "p23"}
    assert more.join(candidates, on=["customer_id", "product_id"]).is_empty()


def test_given_bundles_change_neither_candidates_nor_bundles(
    shop: Settings, trained: dict[str, Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(AS_OF, "with and without", CONTEXT.params)
    ml.stages.propose_candidates.run(shop, context)
    with_given = ml.stages.optimise_bundles.run(shop, context)
    before = [read(shop, table, with_given) for table in (CANDIDATES, BUNDLES, BUNDLE_ITEMS)]
    scored_more = read(shop, GIVEN_CANDIDATES, with_given).height

    def read_without(self: Warehouse, table: Table, *rest: object, **named: object) -> pl.DataFrame:
        found = whole(self, table, *rest, **named)  # type: ignore[arg-type]
        return found.clear() if table is GIVEN_BUNDLES else found

    whole = Warehouse.read
    monkeypatch.setattr(Warehouse, "read", read_without)
    ml.stages.propose_candidates.run(shop, context)
    without = ml.stages.optimise_bundles.run(shop, context)
    assert scored_more and read(shop, GIVEN_CANDIDATES, without).is_empty()
    tables = (CANDIDATES, BUNDLES, BUNDLE_ITEMS)
    assert all(old.equals(read(shop, table, without)) for old, table in zip(before, tables, strict=True))


def test_margin_without_any_cost_is_refused(shop: Settings, trained: dict[str, Counts]) -> None:
    context = Context(AS_OF, "margin", RunParams(policy="expected_incremental_margin"))
    ml.stages.propose_candidates.run(shop, context)
    with pytest.raises(DataError, match="needs costs"):
        ml.stages.optimise_bundles.run(shop, context)
