"""New products of a tiny shop: partners, audience, budget and stock; and a shop where nothing is new."""

from collections.abc import Iterator

import pytest

import ml.stages.optimise_bundles
import ml.stages.plan_launch
import ml.stages.propose_candidates
from ml.params import Context, Counts, RunParams
from ml.publishing.audit import Check
from ml.publishing.lease import open_run
from ml.publishing.publish import record
from ml.scenarios.evaluations import EVALUATIONS
from ml.scenarios.ground import Ground
from ml.settings import Settings
from ml.tables import APPLIED_RULES, LAUNCH_AUDIENCE, LAUNCH_PARTNERS, LAUNCHES, RULE_COSTS, UNAVAILABLE
from tests.stages.features import AS_OF, launch, rule, set_stock, withdraw
from tests.stages.runs import read

NOVELTY = "n00"
PERSONAL = Context(AS_OF, "before launch", RunParams())


def context(name: str, **asked: object) -> Context:
    return Context(AS_OF, name, RunParams(scenario="launch", **asked))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def novel(shop: Settings, trained: dict[str, Counts]) -> Iterator[Settings]:
    """The shop with a new product like p00, and a personal run of that day that passed its audit."""
    launch(shop, NOVELTY, like="p00")
    ml.stages.propose_candidates.run(shop, PERSONAL)
    ml.stages.optimise_bundles.run(shop, PERSONAL)
    record(shop, open_run(shop, PERSONAL), [Check("stands for the audit", 0)])
    yield shop
    withdraw(shop, NOVELTY)
    rule(shop)


def test_a_new_product_gets_partners_and_an_audience_within_the_budget(novel: Settings) -> None:
    counts = ml.stages.plan_launch.run(novel, context("plain", launch_audience=20, launch_impressions=15))
    (row,) = read(novel, LAUNCHES, counts).iter_rows(named=True)
    assert (row["product_id"], row["is_launched"], row["is_exploration"]) == (NOVELTY, True, True)
    assert row["impressions"] == counts["impressions"] == 15
    assert counts["unspent_impressions"] == 0
    audience = read(novel, LAUNCH_AUDIENCE, counts)
    assert audience.height == audience["customer_id"].n_unique() == 15
    assert audience.sort("audience_rank")["interest"].is_sorted(descending=True)
    partners = read(novel, LAUNCH_PARTNERS, counts)
    assert row["partners"] == partners.height
    assert (partners["association_low"] <= partners["association"]).all()
    assert (partners["association"] <= partners["association_high"]).all()
    assert "p12" not in partners["partner_id"], "a product of its own category may replace it"
    assert row["conversion"] is None and row["expected_units"] is None, "everything was sold from the first weeks on"


def test_two_runs_give_the_same_rows(novel: Settings) -> None:
    tables = (LAUNCHES, LAUNCH_PARTNERS, LAUNCH_AUDIENCE)
    runs = [ml.stages.plan_launch.run(novel, context(f"again {n}")) for n in range(2)]
    for table in tables:
        one, other = (read(novel, table, run).drop("run_id") for run in runs)
        assert one.equals(other)


def test_rules_keep_a_new_product_back_and_say_so(novel: Settings) -> None:
    for wanted, words in (
        ({"rule_kind": "veto", "product_id": NOVELTY}, "rule r1 (as planned)"),
        ({"rule_kind": "exclude_category", "category": "CATEGORY 0"}, "rule r1 (as planned)"),
        ({"rule_kind": "price_floor", "product_id": NOVELTY, "floor_cents": 101}, "1.00, is below 1.01, see rule r1"),
    ):
        rule(novel, {"rule_id": "r1", **wanted})
        counts = ml.stages.plan_launch.run(novel, context(f"ruled {wanted['rule_kind']}"))
        (row,) = read(novel, LAUNCHES, counts).iter_rows(named=True)
        assert not row["is_launched"] and words in row["reason"]
        assert (counts["impressions"], counts["partners"]) == (0, 0)
        assert read(novel, APPLIED_RULES, counts)["is_applied"].all()
        assert read(novel, RULE_COSTS, counts).is_empty(), "without a launch of the past nobody knows what it costs"


def test_stock_bounds_the_audience(novel: Settings) -> None:
    rule(novel)
    set_stock(novel, 5)
    try:
        counts = ml.stages.plan_launch.run(novel, context("scarce", reserve_units=2))
    finally:
        set_stock(novel, None)
    assert counts["impressions"] == 3, "where the conversion is not known, each impression may take a unit"


def test_a_shop_where_nothing_is_new_says_so(shop: Settings, novel: Settings) -> None:
    withdraw(shop, NOVELTY)
    try:
        counts = ml.stages.plan_launch.run(shop, context("nothing new"))
    finally:
        launch(shop, NOVELTY, like="p00")
    assert (counts["new_products"], counts["impressions"]) == (0, 0)
    reasons = read(shop, UNAVAILABLE, counts)
    assert reasons.select("result", "reason").rows() == [("launches", "no product was launched in the last 28 days")]


def test_the_tiny_shop_has_no_launch_of_the_past_to_be_judged_by(novel: Settings) -> None:
    assert EVALUATIONS["launch"](Ground(novel, context("judged"))) == []
