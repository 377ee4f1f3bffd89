"""A share of discovery and a half-filled basket, through real Postgres and a real MLflow store."""

from dataclasses import replace

import polars as pl
import pytest

import ml.stages.explain_bundle
import ml.stages.optimise_bundles
import ml.stages.propose_candidates
from ml.errors import DataError
from ml.params import Context, Counts, Question, RunParams
from ml.settings import Settings
from ml.tables import ASSOCIATIONS, BUNDLE_ITEMS, BUNDLES, CANDIDATES, CATALOGUE_GAPS
from tests.stages.features import AS_OF, set_stock
from tests.stages.runs import CONTEXT, audited, read
from tests.stages.test_stock_and_changes import publish_unaudited

pytestmark = pytest.mark.slow


def made(shop: Settings, name: str, **changes: object) -> Counts:
    params = replace(CONTEXT.params, **changes)  # type: ignore[arg-type]
    context = Context(AS_OF, name, params)
    ml.stages.propose_candidates.run(shop, context)
    counts = ml.stages.optimise_bundles.run(shop, context)
    assert audited(shop, counts, params) == []
    return counts


def shares(shop: Settings, counts: Counts) -> pl.DataFrame:
    """Return each customer's bundles, and how many are discoveries."""
    offered = read(shop, BUNDLES, counts).filter(pl.col("status") != "abstained")
    return offered.group_by("customer_id").agg(pl.len(), found=(pl.col("discovery_products") > 0).sum())


def test_a_share_of_every_customers_bundles_holds_something_new(shop: Settings, trained: dict[str, Counts]) -> None:
    free = made(shop, "free mix")
    assert shares(shop, free).filter(pl.col("found") == 0).height > 5, "the test needs customers without discoveries"
    counts = made(shop, "half new", discovery_share=0.5)
    kept = shares(shop, counts)
    assert kept.height > 30 and (kept["found"] >= (kept["len"] * 0.5).ceil()).all()
    bundles = read(shop, BUNDLES, counts)
    offered = bundles.filter(pl.col("status") != "abstained")
    is_new = pl.col("discovery_products") > 0
    assert counts["discovery_bundles"] == offered.filter(is_new).height
    assert counts["repeat_bundles"] == offered.filter(~is_new).height > 0
    revenue = {name: float(counts[f"{name}_expected_revenue_cents"]) for name in ("repeat", "discovery")}
    assert sum(revenue.values()) == pytest.approx(offered["expected_revenue_cents"].sum(), abs=0.02)
    assert offered.filter(pl.col("candidate_set").str.ends_with("_with_something_new"), ~is_new).is_empty()
    assert offered["candidate_set"].str.ends_with("_with_something_new").any()
    assert set(offered["held_back_by"].drop_nulls()) <= {"discovery"}
    held = read(shop, BUNDLE_ITEMS, counts).group_by("bundle_id").agg(
        counted=(~pl.col("sources").list.contains("bought")).sum()
    )  # fmt: skip
    assert offered.join(held, on="bundle_id").filter(pl.col("counted") != pl.col("discovery_products")).is_empty()
    again = ml.stages.optimise_bundles.run(
        shop, Context(AS_OF, "half new", replace(CONTEXT.params, discovery_share=0.5))
    )
    assert read(shop, BUNDLES, again).equals(bundles)


def test_the_share_is_kept_where_stock_is_scarce(shop: Settings, trained: dict[str, Counts]) -> None:
    set_stock(shop, 6)
    try:
        counts = made(shop, "scarce mix", discovery_share=0.4)
    finally:
        set_stock(shop, None)
    kept = shares(shop, counts)
    assert kept.height and (kept["found"] >= (kept["len"] * 0.4).ceil()).all()
    assert counts["stock_scarce_products"]


def test_who_asks_for_a_repeat_that_gave_way_is_told_so(shop: Settings, trained: dict[str, Counts]) -> None:
    free, mixed = made(shop, "asked freely"), made(shop, "asked mixed", discovery_share=1.0)
    publish_unaudited(shop, Context(AS_OF, "asked mixed", replace(CONTEXT.params, discovery_share=1.0)))
    wanted = read(shop, BUNDLES, free).filter(pl.col("bundle_rank") == 1, pl.col("discovery_products") == 0)
    offered = read(shop, BUNDLES, mixed).filter(pl.col("bundle_rank") == 1)
    customer, bundle = wanted.join(offered, on="customer_id", how="semi").select("customer_id", "bundle_id").row(0)
    items = read(shop, BUNDLE_ITEMS, free).filter(pl.col("bundle_id") == bundle)["product_id"].to_list()
    question = Question(customer, tuple(items))
    answer = ml.stages.explain_bundle.run(shop, Context(AS_OF, "cli", RunParams(), question))
    assert (answer["verdict"], "must hold something new" in str(answer["detail"])) == ("discovery", True)


def test_complements_of_the_basket_rise_and_nothing_in_it_is_offered_again(
    shop: Settings, trained: dict[str, Counts]
) -> None:
    def bundles(counts: Counts) -> pl.DataFrame:
        return read(shop, BUNDLES, counts).join(read(shop, BUNDLE_ITEMS, counts), on="bundle_id")

    def first_with(counts: Counts, *products: str) -> float:
        first = bundles(counts).filter(pl.col("bundle_rank") == 1)
        held = first.filter(pl.col("product_id").is_in(products))["customer_id"].n_unique()
        return held / first["customer_id"].n_unique()

    free = made(shop, "empty basket")
    filled = made(shop, "basket of p00 and p02", context_basket=("p00", "p02"))
    assert not set(bundles(filled)["product_id"]) & {"p00", "p02"}
    assert read(shop, CANDIDATES, filled).filter(pl.col("product_id") == "p01").height == 62, "proposed to everybody"
    assert first_with(filled, "p01", "p03") > first_with(free, "p01", "p03") + 0.1


def test_the_objective_counts_pairs_with_the_basket_as_certain(shop: Settings, trained: dict[str, Counts]) -> None:
    counts = made(shop, "worked out", context_basket=("p00", "p02"))
    pairs = {row[:2]: row[2] for row in read(shop, ASSOCIATIONS, counts).select(
        "product_a", "product_b", "association").iter_rows()}  # fmt: skip
    spread = dict(read(shop, CANDIDATES, counts).select("customer_id", "basket_spread").iter_rows())
    items = read(shop, BUNDLE_ITEMS, counts)
    for bundle in read(shop, BUNDLES, counts).filter(pl.col("status") != "abstained").iter_rows(named=True):
        own = items.filter(pl.col("bundle_id") == bundle["bundle_id"]).sort("product_id")
        found, v = list(zip(own["product_id"], own["preference"], strict=True)), spread[bundle["customer_id"]]
        total = -CONTEXT.params.cost_per_product * len(found)
        for at, (left, p) in enumerate(found):
            for right, q in found[at + 1 :]:
                total += min(v * p * q * pairs.get((left, right), 0.0), p, q)
            for inside in ("p00", "p02"):
                low, high = sorted((left, inside))
                total += min(v * p * pairs.get((low, high), 0.0), 1.0)
        assert bundle["objective"] == pytest.approx(total, rel=1e-9)
    gaps = read(shop, CATALOGUE_GAPS, counts)
    assert gaps.height and (gaps["catalogue_bound"] >= gaps["objective"] - 1e-12).all()


def test_an_unknown_product_in_the_basket_is_refused(shop: Settings, trained: dict[str, Counts]) -> None:
    context = Context(AS_OF, "unknown basket", RunParams(context_basket=("p01", "zzz")))
    with pytest.raises(DataError, match="context_basket: unknown products: zzz"):
        ml.stages.propose_candidates.run(shop, context)
