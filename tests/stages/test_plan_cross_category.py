"""A promotion planned through real Postgres: what is written, which rules hold, and what a lack of data becomes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import polars as pl
import psycopg2.extensions
import pytest

import ml.stages.evaluate_scenario
import ml.stages.optimise_bundles
import ml.stages.plan_cross_category
import ml.stages.propose_candidates
from ml.params import Context, Counts, RunParams
from ml.publishing.audit import Check
from ml.publishing.lease import open_run
from ml.publishing.publish import record
from ml.scenarios.ground import Ground
from ml.settings import Settings
from ml.tables import (
    APPLIED_RULES,
    PROMOTION_INVITATIONS,
    PROMOTION_PRODUCTS,
    RULE_COSTS,
    SCENARIO_METRICS,
    UNAVAILABLE,
)
from tests.stages.features import AS_OF
from tests.stages.runs import CONTEXT, read

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection
WEEKS, PRICES = 40, {f"p{n:02d}": 100 + 25 * n for n in range(6)}
"""Products of known cost, each of a category of its own."""
ASKED: dict[str, Any] = {"scenario": "cross_category", "promotion_products": 3, "promotion_audience": 5}


def sales() -> pl.DataFrame:
    """Return weekly sales of 60 units at the list price, 180 at a third off every ninth week, nothing beside."""
    monday = AS_OF - timedelta(days=7 * WEEKS - 1)
    rows = [
        (product, monday + timedelta(days=7 * week), *((180, price // 3) if (week + n) % 9 == 0 else (60, 0)), price)
        for n, (product, price) in enumerate(PRICES.items())
        for week in range(WEEKS)
    ]
    frame = pl.DataFrame(rows, ["product_id", "sold_on", "units", "off", "price_cents"], orient="row")
    return frame.select(
        "product_id",
        "sold_on",
        "units",
        "price_cents",
        discount_cents=pl.col("off") * pl.col("units"),
        revenue_cents=(pl.col("price_cents") - pl.col("off")) * pl.col("units"),
        is_promoted=pl.lit(False),
    )


@pytest.fixture(scope="module")
def personal(shop: Settings, trained: dict[str, Counts]) -> None:
    """A personal run of the day that passed its audit."""
    context = Context(AS_OF, "for promotions", CONTEXT.params)
    ml.stages.propose_candidates.run(shop, context)
    ml.stages.optimise_bundles.run(shop, context)
    record(shop, open_run(shop, context), [Check("stands for the audit", 0)])


@pytest.fixture
def cheap_weeks(personal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ground, "product_days", property(lambda self: sales()))


@pytest.fixture
def add(shop_owner: Connection) -> Iterator[Any]:
    """Write rows into a table of features, and take them out again."""
    written: list[str] = []

    def insert(table: str, **row: object) -> None:
        written.append(table)
        names = ", ".join(row)
        with shop_owner.cursor() as cursor:
            marks = ", ".join(["%s"] * len(row))
            cursor.execute(f"insert into features.{table} ({names}) values ({marks})", tuple(row.values()))

    yield insert
    with shop_owner.cursor() as cursor:
        for table in set(written):
            cursor.execute(f"delete from features.{table}")


def planned(shop: Settings, name: str, **asked: Any) -> tuple[Counts, pl.DataFrame]:
    context = Context(AS_OF, f"promotion {name}", RunParams(**{**ASKED, **asked}))
    counts = ml.stages.plan_cross_category.run(shop, context)
    return counts, read(shop, PROMOTION_PRODUCTS, counts)


def test_a_promotion_is_written_with_its_invitations(shop: Settings, cheap_weeks: None) -> None:
    counts, products = planned(shop, "usual")
    assert 2 <= products.height <= 3 and products["category"].n_unique() == products.height
    assert set(products["product_id"]) <= set(PRICES), "the others have no cost"
    assert products["discount_cost_cents"].sum() <= 100_000
    assert products["starts_on"].unique().to_list() == [AS_OF + timedelta(days=1)]
    assert products["ends_on"].unique().to_list() == [AS_OF + timedelta(days=7)]
    whole = products["expected_incremental_margin_cents"].sum()
    assert products["objective"].to_list() == pytest.approx([whole] * products.height)
    assert whole > 0 and (products["upper_bound"] >= products["objective"]).all()
    assert (products["incremental_margin_low_cents"] <= products["expected_incremental_margin_cents"]).all()
    invited = read(shop, PROMOTION_INVITATIONS, counts).sort("invitation_rank")
    assert invited["invitation_rank"].to_list() == [1, 2, 3, 4, 5]
    assert set(invited["product_ids"].explode()) <= set(products["product_id"])
    assert invited["expected_margin_cents"].is_sorted(descending=True)
    assert read(shop, UNAVAILABLE, counts).is_empty()


def test_the_same_run_again_gives_the_same_rows(shop: Settings, cheap_weeks: None) -> None:
    counts, once = planned(shop, "twice")
    invited = read(shop, PROMOTION_INVITATIONS, counts)
    again, twice = planned(shop, "twice")
    assert once.equals(twice) and invited.equals(read(shop, PROMOTION_INVITATIONS, again))


def test_rules_are_obeyed_and_cost_what_choosing_without_them_gains(
    shop: Settings, cheap_weeks: None, add: Any
) -> None:
    _, usual = planned(shop, "no rules")
    best = usual.sort("expected_incremental_margin_cents")["product_id"][-1]
    worst = sorted(set(PRICES) - set(usual["product_id"]))[0]
    who = {"rule_author": "mia", "rule_reason": "why"}
    add("ftr_merch_rules", rule_id="a", rule_kind="veto", product_id=best, **who)
    add("ftr_merch_rules", rule_id="b", rule_kind="pin", product_id=worst, **who)
    add("ftr_merch_rules", rule_id="c", rule_kind="price_floor", product_id=worst, floor_cents=PRICES[worst] - 6, **who)
    add("ftr_merch_rules", rule_id="d", rule_kind="pin", product_id="p20", **who)
    counts, products = planned(shop, "rules")
    assert best not in set(products["product_id"])
    pinned = products.filter(pl.col("product_id") == worst)
    assert pinned["promoted_price_cents"].to_list() >= [PRICES[worst] - 6]
    applied = dict(read(shop, APPLIED_RULES, counts).select("rule_id", "is_applied").iter_rows())
    assert applied == {"a": True, "b": True, "c": True, "d": False}, "p20 has no cost"
    costs = {row["rule_id"]: row for row in read(shop, RULE_COSTS, counts).iter_rows(named=True)}
    assert set(costs) == {"a", "b", "c"} and costs["a"]["cost"] > 0
    assert costs["a"]["value_with"] == pytest.approx(products["objective"][0])
    assert costs["a"]["cost"] == pytest.approx(costs["a"]["value_without"] - costs["a"]["value_with"])


def test_a_category_that_a_rule_excludes_is_not_promoted(shop: Settings, cheap_weeks: None, add: Any) -> None:
    _, usual = planned(shop, "no exclusion")
    gone = usual["category"][0]
    add("ftr_merch_rules", rule_id="x", rule_kind="exclude_category", category=gone, rule_author="m", rule_reason="w")
    assert gone not in set(planned(shop, "exclusion")[1]["category"])


def test_no_product_is_promoted_twice_in_the_same_days(shop: Settings, cheap_weeks: None, add: Any) -> None:
    _, usual = planned(shop, "no calendar")
    busy, later = usual["product_id"][0], usual["product_id"][1]
    for product, first in ((busy, 7), (later, 8)):
        day = AS_OF + timedelta(days=first)
        add("ftr_promotions", promotion_id=product, product_id=product, kind="mailer", starts_on=day, ends_on=day)
    _, products = planned(shop, "calendar")
    assert busy not in set(products["product_id"]), "the last day of the promotion is the mailer's"
    assert later in set(products["product_id"]), "the day after is free"


def test_what_is_not_worth_it_is_an_abstention_in_words(shop: Settings, cheap_weeks: None) -> None:
    counts, products = planned(shop, "poor", promotion_budget_cents=0)
    assert products.is_empty() and read(shop, PROMOTION_INVITATIONS, counts).is_empty()
    reasons = read(shop, UNAVAILABLE, counts)
    assert reasons["result"].to_list() == ["promotion_invitations", "promotion_products"]
    assert reasons["reason"].str.starts_with("not ").all()


def test_a_shop_without_costs_prices_or_discounts_says_what_it_lacks(
    shop: Settings, personal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reasons(name: str) -> str:
        counts, products = planned(shop, name)
        assert products.is_empty()
        (reason,) = read(shop, UNAVAILABLE, counts)["reason"].unique().to_list()
        return str(reason)

    assert "discount" in reasons("tiny"), "its discounts of single days show in no week"
    with monkeypatch.context() as patch:
        patch.setattr(Ground, "product_days", property(lambda self: sales().with_columns(
            discount_cents=pl.lit(0), revenue_cents=pl.col("units") * pl.col("price_cents"))))  # fmt: skip
        assert "different prices" in reasons("one price")
    whole = Ground.products.func  # type: ignore[attr-defined]
    for column, word in (("cost_cents", "products.cost_cents"), ("price_cents", "products.price_cents")):
        with monkeypatch.context() as patch:
            less = property(lambda self, name=column: whole(self).with_columns(pl.lit(None, pl.Int32).alias(name)))
            patch.setattr(Ground, "products", less)
            assert word in reasons(column)


def test_an_assumed_cost_is_said(shop: Settings, cheap_weeks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Ground.products.func  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Ground, "products", property(lambda self: whole(self).with_columns(cost_cents=pl.lit(None, pl.Int32)))
    )
    _, products = planned(shop, "assumed", assumed_cost_share=0.3)
    assert products.height and products["margin_note"].unique().to_list() == ["cost assumed"]


def test_promotions_are_judged_on_the_days_held_out(shop: Settings, cheap_weeks: None) -> None:
    context = Context(AS_OF, "promotion judged", RunParams(**ASKED))
    counts = ml.stages.evaluate_scenario.run(shop, context)
    found = {row["kpi"]: row for row in read(shop, SCENARIO_METRICS, counts).iter_rows(named=True)}
    assert {"discounted_units_error", "discounted_units_ratio"} <= set(found)
    assert found["discounted_units_error"]["peer"] == "one uplift for all"
    assert found["discounted_units_ratio"]["value"] == pytest.approx(1, abs=0.2)


def test_a_shop_without_discounts_has_no_numbers(shop: Settings, personal: None) -> None:
    context = Context(AS_OF, "promotion not judged", RunParams(**ASKED))
    assert ml.stages.evaluate_scenario.run(shop, context)["metrics"] == 0
