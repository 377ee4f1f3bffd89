"""Bundles that the shop itself put together, through real Postgres and a real MLflow store."""

import polars as pl
import pytest

import ml.stages.list_bundles
import ml.stages.optimise_bundles
import ml.stages.propose_candidates
from ml.params import Context, Counts
from ml.settings import Settings
from ml.tables import BUNDLE_ITEMS, BUNDLES, CANDIDATES, GIVEN_BUNDLE_RANKS, GIVEN_BUNDLES, GIVEN_CANDIDATES, Table
from ml.warehouse import Warehouse
from tests.stages.features import AS_OF, CUSTOMERS_WITH_HISTORY
from tests.stages.runs import CONTEXT, read

pytestmark = pytest.mark.slow


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
