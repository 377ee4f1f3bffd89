"""From champions to audited bundles, through real Postgres and a real MLflow store."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

import ml.stages.optimise_bundles
import ml.stages.propose_candidates
from ml.errors import DataError
from ml.params import Context, Counts, RunParams
from ml.publishing.lineage import unchanged_features
from ml.settings import Settings
from ml.tables import ASSOCIATIONS, BUNDLE_ITEMS, BUNDLES, CANDIDATES, CATALOGUE_GAPS
from tests.stages.features import AS_OF, COLD, COMPLEMENTS, CUSTOMERS_WITH_HISTORY, POOR, build_again, launch, withdraw
from tests.stages.runs import CONTEXT, audited, read

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def solved(shop: Settings, trained: dict[str, Counts]) -> Counts:
    ml.stages.propose_candidates.run(shop, CONTEXT)
    return ml.stages.optimise_bundles.run(shop, CONTEXT)


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
    # Whether a second product pays for the customer who only ever bought one is the trained model's to say.
    served = set(offered["customer_id"]) - {POOR}
    assert served == {f"c{number:02d}" for number in range(CUSTOMERS_WITH_HISTORY)}


def test_the_objective_can_be_worked_out_again_from_the_tables(shop: Settings, solved: Counts) -> None:
    items = read(shop, BUNDLE_ITEMS, solved)
    pairs = {row[:2]: row[2] for row in read(shop, ASSOCIATIONS, solved).select(
        "product_a", "product_b", "association").iter_rows()}  # fmt: skip
    spread = dict(read(shop, CANDIDATES, solved).select("customer_id", "basket_spread").iter_rows())
    bundles = read(shop, BUNDLES, solved).filter(pl.col("status") != "abstained")
    for bundle in bundles.iter_rows(named=True):
        own = items.filter(pl.col("bundle_id") == bundle["bundle_id"]).sort("product_id")
        found = list(zip(own["product_id"], own["preference"], strict=True))
        total = -CONTEXT.params.cost_per_product * len(found)
        for at, (left, p) in enumerate(found):
            for right, q in found[at + 1 :]:
                total += min(spread[bundle["customer_id"]] * p * q * pairs.get((left, right), 0.0), p, q)
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
    assert planted["relation"].to_list() == ["complement"] * 3


def test_products_without_a_price_are_not_proposed(shop: Settings, solved: Counts) -> None:
    assert "p22" not in read(shop, CANDIDATES, solved)["product_id"].to_list()


def test_a_product_that_was_launched_after_training_enters_bundles_by_its_category(
    shop: Settings, trained: dict[str, Counts]
) -> None:
    launch(shop, "p99", like="p04")
    try:
        # Nobody is likely to want what nobody bought yet: a form that asks for it at any worth brings it to everybody.
        wanted = replace(CONTEXT.params, must_include=("p99",), cost_per_product=0.0, min_joint_probability=0.0)
        context = replace(CONTEXT, started_by="launched", params=wanted)
        proposed = ml.stages.propose_candidates.run(shop, context)
        solved = ml.stages.optimise_bundles.run(shop, context)
        assert proposed["new_products"] == 1
        assert audited(shop, solved, context.params) == []
    finally:
        withdraw(shop, "p99")
    own = read(shop, CANDIDATES, solved).filter(pl.col("product_id") == "p99")
    assert own["sources"].to_list()[0][0] == "new" and own["preference"].is_between(0, 1).all()
    pairs = read(shop, ASSOCIATIONS, solved)
    estimated = pairs.filter(pl.col("evidence") != "counted")
    assert estimated.height > 10 and (estimated["association"] > 0).all()
    assert (estimated["product_b"] == "p99").all(), "what was counted keeps its counts"
    assert not {"p04", "p16"} & set(estimated["product_a"]), "two products of one category may replace each other"
    held = read(shop, BUNDLE_ITEMS, solved).filter(pl.col("product_id") == "p99")["bundle_id"].unique()
    offered = read(shop, BUNDLES, solved).filter(pl.col("status") != "abstained")
    assert set(offered["bundle_id"]) == set(held) and offered["status"].unique().to_list() == ["optimal"]
    assert offered["reason"].str.contains("Novelty.*too new together to have been counted; products like them").any()


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


def test_a_shop_with_nothing_to_offer_is_told_why(shop: Settings, trained: dict[str, Counts]) -> None:
    demanding = shop.model_copy(update={"min_product_baskets": 10**6})
    with pytest.raises(
        DataError, match=r"nothing can be offered on .*: of \d+ products 0 were bought in 1000000 baskets"
    ):
        ml.stages.propose_candidates.run(demanding, Context(AS_OF, "demanding", RunParams()))


def test_features_whose_build_did_not_end_are_not_taken_and_those_built_anew_stop_the_run(
    shop: Settings, solved: Counts
) -> None:
    assert unchanged_features(shop, AS_OF, int(solved["run_id"])).is_passed
    try:
        build_again(shop, "anew")
        check = unchanged_features(shop, AS_OF, int(solved["run_id"]))
        assert (check.failures, check.detail) == (1, "built by dbt's run 0f3b when it began, by anew since")
        build_again(shop, "0f3b", AS_OF - timedelta(days=1))
        with pytest.raises(DataError, match="are not built to their end"):
            ml.stages.propose_candidates.run(shop, Context(AS_OF, "too early", RunParams()))
    finally:
        build_again(shop, "0f3b")


def test_a_gap_is_in_per_cent_of_the_bound_as_the_audit_demands(shop: Settings, trained: dict[str, Counts]) -> None:
    context = Context(AS_OF, "greedy gaps", RunParams(solver="greedy"))
    ml.stages.propose_candidates.run(shop, context)
    bundles = read(shop, BUNDLES, ml.stages.optimise_bundles.run(shop, context))
    offered = bundles.filter(pl.col("status") != "abstained")
    expected = 100 * (offered["upper_bound"] - offered["objective"]) / offered["upper_bound"]
    assert offered["gap_pct"].to_list() == pytest.approx(expected.to_list(), abs=1e-9)


def test_margin_without_any_cost_is_refused(shop: Settings, trained: dict[str, Counts]) -> None:
    context = Context(AS_OF, "margin", RunParams(policy="expected_incremental_margin"))
    ml.stages.propose_candidates.run(shop, context)
    with pytest.raises(DataError, match="needs costs"):
        ml.stages.optimise_bundles.run(shop, context)
