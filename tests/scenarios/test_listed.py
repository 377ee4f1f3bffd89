"""Bundles for everybody, and the shop's own bundles for each customer."""

import numpy as np
import polars as pl
import pytest

from ml.optimizer.limits import Limits
from ml.scenarios.listed import Pool, catalogue_rows, given_rows, known_bundles, offered_pool
from ml.tables import CATALOGUE_BUNDLES, GIVEN_BUNDLE_RANKS
from tests.scenarios.shop import customers, desk


def test_the_list_covers_what_it_says() -> None:
    rng = np.random.default_rng(1)
    shop = desk(rng, Limits(max_size=3))
    slates = customers(rng, shop, 30, candidates=10)
    offered = [(slate.customer_id, f"{slate.customer_id}-{rank}", one.objective, list(slate.codes[list(one.items)]))
               for slate in slates for rank, one in enumerate(slate.solutions) if one.items]  # fmt: skip
    bundles = pl.DataFrame([row[:3] for row in offered], schema=["customer_id", "bundle_id", "objective"], orient="row")
    items = pl.DataFrame(
        [(row[1], shop.shelf.product_ids[code]) for row in offered for code in row[3]],
        schema=["bundle_id", "product_id"],
        orient="row",
    )
    pool = offered_pool(bundles, items, shop.shelf)
    worths = [pool.worths(slate, shop) for slate in slates]
    rows = catalogue_rows(pool, worths, 4, shop)
    assert [row["bundle_rank"] for row in rows] == list(range(1, len(rows) + 1))
    best = np.zeros(30)
    for row in rows:
        codes = {shop.shelf.code[name] for name in row["product_ids"]}
        for number, slate in enumerate(slates):
            items_of = tuple(place for place, code in enumerate(slate.codes) if code in codes)
            problem = slate.problem(shop)
            if len(items_of) == len(codes) and problem.is_feasible(items_of):
                best[number] = max(best[number], problem.value(items_of))
        assert row["coverage"] == pytest.approx(best.sum())
        assert row["upper_bound"] >= row["coverage"] - 1e-9
    assert sum(row["customers"] for row in rows) == (best > 0).sum()
    assert CATALOGUE_BUNDLES.conform(CATALOGUE_BUNDLES.frame(rows).with_columns(run_id=1)).height == len(rows)


def test_an_empty_run_lists_nothing() -> None:
    shop = desk(np.random.default_rng(2), Limits())
    assert catalogue_rows(Pool.of([]), [], 5, shop) == []


def test_given_bundles_are_ranked_by_what_they_are_worth_to_the_customer() -> None:
    rng = np.random.default_rng(3)
    shop = desk(rng, Limits(max_size=3))
    (slate,) = customers(rng, shop, 1, candidates=12)
    names = [f"p{number:02d}" for number in range(12)]
    table = pl.DataFrame(
        {
            "given_bundle_id": ["a", "b", "c", "unknown", "large"],
            "product_ids": [names[:2], names[2:4], names[4:7], ["p00", "p77"], names[:4]],
        }
    )
    pool, known = known_bundles(table, shop, 3)
    assert known == ["a", "b", "c"]
    rows = given_rows(slate, pool, known, shop)
    problem = slate.problem(shop)
    bundles = {"a": names[:2], "b": names[2:4], "c": names[4:7]}
    value = {name: problem.value(slate.positions(own) or ()) for name, own in bundles.items()}
    wanted = sorted((name for name in value if value[name] > 0), key=lambda name: (-value[name], name))
    assert [row["given_bundle_id"] for row in rows] == wanted
    assert [row["bundle_rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert GIVEN_BUNDLE_RANKS.conform(GIVEN_BUNDLE_RANKS.frame(rows).with_columns(run_id=1)).height == len(rows)
