"""What customers share: stock that is promised once, and how much of what is live may change."""

from collections.abc import Iterator

import polars as pl
import psycopg2.extensions
import pytest

import ml.stages.explain_bundle
import ml.stages.list_bundles
import ml.stages.optimise_bundles
import ml.stages.propose_candidates
from ml.errors import DataError
from ml.params import Context, Counts, Question, RunParams
from ml.publishing.audit import Check
from ml.publishing.lease import open_run
from ml.publishing.publish import publish, record
from ml.settings import Settings
from ml.tables import BUNDLE_ITEMS, BUNDLES, CATALOGUE_BUNDLES, SHADOW_PRICES, WHY_NOT
from ml.warehouse import Warehouse
from tests.stages.features import AS_OF, set_stock
from tests.stages.runs import audited, read

pytestmark = pytest.mark.slow


@pytest.fixture
def scarce(shop: Settings) -> Iterator[Settings]:
    """The shop with four units of each product on that day."""
    set_stock(shop, 4)
    yield shop
    set_stock(shop, None)


def publish_unaudited(shop: Settings, context: Context) -> None:
    record(shop, open_run(shop, context), [Check("stands for the audit", 0)])
    assert publish(shop, context).outcome == "published"


def ask(shop: Settings, customer: str, *products: str) -> Counts:
    return ml.stages.explain_bundle.run(shop, Context(AS_OF, "cli", RunParams(), Question(customer, products)))


def sets_of(shop: Settings, counts: Counts) -> pl.DataFrame:
    """Return customer, bundle and, as one text, its products, of a run."""
    held = read(shop, BUNDLE_ITEMS, counts).group_by("bundle_id").agg(pl.col("product_id").sort().str.join("+"))
    return read(shop, BUNDLES, counts).select("customer_id", "bundle_id", "bundle_rank").join(held, on="bundle_id")


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


def test_a_change_budget_is_kept_against_what_is_published(
    shop: Settings, trained: dict[str, Counts], shop_owner: psycopg2.extensions.connection
) -> None:
    first = Context(AS_OF, "live", RunParams(bundle_size=2))
    ml.stages.propose_candidates.run(shop, first)
    live_run = ml.stages.optimise_bundles.run(shop, first)
    publish_unaudited(shop, first)
    for table, columns in (("bundles", '"customer_id": "ghost", '), ("bundle_items", "")):
        changes = f'{{{columns}"bundle_id": "20171203-ghost-1"}}'  # nobody of today's customers
        with shop_owner.cursor() as cursor:
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
