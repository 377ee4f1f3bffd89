"""The merchandiser's rules in personal bundles, through real Postgres: obeyed, noted, priced, and named when asked."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest

import ml.stages.explain_bundle
import ml.stages.list_bundles
import ml.stages.optimise_bundles
import ml.stages.propose_candidates
from ml.errors import DataError
from ml.params import Context, Counts, Question, RunParams
from ml.settings import Settings
from ml.tables import (
    APPLIED_RULES,
    BUNDLE_ITEMS,
    BUNDLES,
    CATALOGUE_BUNDLES,
    GIVEN_BUNDLE_RANKS,
    RULE_COSTS,
)
from tests.stages.features import AS_OF, rule
from tests.stages.runs import CONTEXT, audited, read
from tests.stages.test_stock_and_changes import publish_unaudited

pytestmark = pytest.mark.slow

VETO = {"rule_id": "veto", "rule_kind": "veto", "product_id": "p01"}
FLOOR = {"rule_id": "floor", "rule_kind": "price_floor", "product_id": "p03", "floor_cents": 999}
CATEGORY = {"rule_id": "category", "rule_kind": "exclude_category", "category": "CATEGORY 5"}
WANTED = {"rule_id": "wanted", "rule_kind": "must_include", "product_id": "p07"}
PIN = {"rule_id": "pin", "rule_kind": "pin", "product_id": "p09"}


@pytest.fixture(autouse=True)
def no_rules_afterwards(shop: Settings) -> Iterator[None]:
    yield
    rule(shop)


def made(shop: Settings, name: str, params: RunParams = CONTEXT.params) -> Counts:
    context = Context(AS_OF, name, params)
    ml.stages.propose_candidates.run(shop, context)
    solved = ml.stages.optimise_bundles.run(shop, context)
    ml.stages.list_bundles.run(shop, context)
    assert audited(shop, solved, params) == []
    return solved


def offered(shop: Settings, counts: Counts) -> list[set[str]]:
    held = read(shop, BUNDLE_ITEMS, counts).group_by("bundle_id").agg("product_id")
    return [set(products) for products in held["product_id"]]


def test_what_rules_forbid_is_in_no_bundle_and_each_says_what_it_cost(
    shop: Settings, trained: dict[str, Counts]
) -> None:
    free = made(shop, "without rules")
    assert read(shop, APPLIED_RULES, free).is_empty() and read(shop, RULE_COSTS, free).is_empty()
    forbidden = {"p01", "p03", "p05", "p17"}
    assert all(any(product in bundle for bundle in offered(shop, free)) for product in ("p01", "p03", "p05"))

    rule(shop, VETO, FLOOR, CATEGORY)
    ruled = made(shop, "forbidding")
    assert not any(bundle & forbidden for bundle in offered(shop, ruled))
    listed = read(shop, CATALOGUE_BUNDLES, ruled)
    assert listed.height and not any(set(products) & forbidden for products in listed["product_ids"])
    given = read(shop, GIVEN_BUNDLE_RANKS, ruled).filter(pl.col("given_bundle_id") == "breakfast")  # p00 with p01
    assert given["bundle_rank"].null_count() == given.height
    assert given["unranked_reason"].str.contains("excluded").all()

    applied = {row["rule_id"]: row for row in read(shop, APPLIED_RULES, ruled).iter_rows(named=True)}
    assert all(row["is_applied"] for row in applied.values())
    assert applied["floor"]["detail"] == "1 product(s): p03; not offered, as its price is 175 cents"
    costs = {row["rule_id"]: row for row in read(shop, RULE_COSTS, ruled).iter_rows(named=True)}
    assert set(costs) == {"veto", "floor", "category"}
    revenue = read(shop, BUNDLES, ruled)["expected_revenue_cents"].sum()
    for row in costs.values():
        assert row["measure"] == "expected_revenue_cents", "most products have no cost here"
        assert row["value_with"] == pytest.approx(revenue)
        assert row["cost"] == pytest.approx(row["value_without"] - row["value_with"])
    rule(shop, FLOOR, CATEGORY)
    without = read(shop, BUNDLES, made(shop, "without the veto"))["expected_revenue_cents"].sum()
    assert costs["veto"]["value_without"] == pytest.approx(without)
    assert costs["veto"]["cost"] != pytest.approx(0.0)


def test_what_rules_want_is_in_every_bundle(shop: Settings, trained: dict[str, Counts]) -> None:
    rule(shop, PIN, WANTED, {**WANTED, "rule_id": "or", "product_id": "p11"})
    loose = replace(CONTEXT.params, cost_per_product=0.0, min_joint_probability=0.0, complements_only=False)
    pinned = made(shop, "wanting", loose)
    bundles = offered(shop, pinned)
    assert bundles and all("p09" in bundle and bundle & {"p07", "p11"} for bundle in bundles)
    costs = read(shop, RULE_COSTS, pinned)
    assert costs.height == 3 and costs.filter(pl.col("rule_id") == "pin")["cost"].to_list()[0] > 0


def test_rules_hold_beside_what_the_form_wants(shop: Settings, trained: dict[str, Counts]) -> None:
    rule(shop, WANTED)
    loose = replace(CONTEXT.params, cost_per_product=0.0, min_joint_probability=0.0, complements_only=False)
    both = made(shop, "form and rule", replace(loose, must_include=("p11", "p13")))
    bundles = offered(shop, both)
    assert bundles and all("p07" in bundle and bundle & {"p11", "p13"} for bundle in bundles)


def test_a_rule_that_cannot_be_obeyed_is_noted_and_binds_nothing(shop: Settings, trained: dict[str, Counts]) -> None:
    rule(
        shop,
        {**PIN, "rule_id": "unpriced", "product_id": "p22"},
        {**PIN, "rule_id": "unknown", "product_id": "zzz"},
        *({**PIN, "rule_id": f"pin {n}", "product_id": f"p{n:02d}"} for n in (4, 5, 6, 7)),
        {**FLOOR, "rule_id": "low", "product_id": "p08"},
        {**PIN, "rule_id": "pin under floor", "product_id": "p08"},
    )
    context = Context(AS_OF, "noted", CONTEXT.params)
    ml.stages.propose_candidates.run(shop, context)
    counts = ml.stages.optimise_bundles.run(shop, context)
    noted = {row["rule_id"]: row for row in read(shop, APPLIED_RULES, counts).iter_rows(named=True)}
    said = {name: row["detail"] for name, row in noted.items() if not row["is_applied"]}
    assert set(said) == {"unpriced", "unknown", "pin 7", "pin under floor"}
    assert "p22 has no price" in said["unpriced"] and "unknown product zzz" in said["unknown"]
    assert "no place is left for it" in said["pin 7"] and "from 999 cents on only" in said["pin under floor"]
    assert set(read(shop, RULE_COSTS, counts)["rule_id"]) == set(noted) - set(said)


def test_a_run_keeps_to_the_rules_it_began_with(shop: Settings, trained: dict[str, Counts]) -> None:
    rule(shop, VETO)
    context = Context(AS_OF, "snapshot", CONTEXT.params)
    ml.stages.propose_candidates.run(shop, context)
    rule(shop, CATEGORY)
    counts = ml.stages.optimise_bundles.run(shop, context)
    assert read(shop, RULE_COSTS, counts)["rule_id"].to_list() == ["veto"]
    assert not any("p01" in bundle for bundle in offered(shop, counts))
    assert any("p05" in bundle for bundle in offered(shop, counts))


@pytest.mark.parametrize(
    ("asked", "written", "said"),
    [
        ({"pinned": ("p01",)}, VETO, "the form pins p01, which rule veto of mia .as planned. forbids"),
        ({"pinned": ("p03",)}, FLOOR, "which rule floor of mia .as planned. forbids below 999 cents"),
        ({"exclude": ("p09",)}, PIN, "the form excludes p09, which rule pin"),
        (
            {"must_include": ("p05", "p17")},
            CATEGORY,
            "nothing is left of must_include, p05, p17: forbidden by rule cat",
        ),
        ({"exclude": ("p07",)}, WANTED, "the form excludes all of p07, of which one is wanted by rule wanted"),
    ],
)
def test_a_form_that_contradicts_a_rule_is_refused_by_the_rules_name(
    shop: Settings, trained: dict[str, Counts], asked: dict[str, object], written: dict[str, object], said: str
) -> None:
    rule(shop, written)
    context = Context(AS_OF, "contradiction", RunParams(**asked))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=said):
        ml.stages.propose_candidates.run(shop, context)


def test_who_asks_why_not_is_told_the_rule(shop: Settings, trained: dict[str, Counts]) -> None:
    rule(shop, VETO)
    ruled = made(shop, "asked about")
    publish_unaudited(shop, Context(AS_OF, "asked about", CONTEXT.params))
    customer = read(shop, BUNDLES, ruled).filter(pl.col("bundle_rank") == 1)["customer_id"][0]
    question = Question(customer, ("p00", "p01"))
    answer = ml.stages.explain_bundle.run(shop, Context(AS_OF, "cli", RunParams(), question))
    assert answer["verdict"] in ("infeasible", "not_a_candidate")
    assert "rule veto of mia (as planned) forbids p01" in str(answer["detail"])
