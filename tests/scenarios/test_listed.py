"""Bundles for everybody."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest

from ml.optimizer.limits import Limits
from ml.scenarios.listed import Pool, catalogue_rows, offered_pool
from ml.tables import CATALOGUE_BUNDLES
from tests.policies.shop import products
from tests.scenarios.shop import customers, desk

NAMES = [f"p{number:02d}" for number in range(12)]
COLUMNS = {"product_id": [*NAMES], "title": [name.upper() for name in NAMES], "category": [*NAMES]}
PRODUCTS = products(**COLUMNS, price_cents=[100] * 12, is_bundleable=[True] * 12)
PAIRS = pl.DataFrame(
    [(a, b, 20, 2.0, 1.5, 3.0, "counted") for a, b in combinations(NAMES, 2)],
    schema=["product_a", "product_b", "pair_baskets", "lift", "lift_low", "lift_high", "evidence"],
    orient="row",
)


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
    rows = catalogue_rows(pool, worths, 4, shop, PRODUCTS, PAIRS)
    assert [row["bundle_rank"] for row in rows] == list(range(1, len(rows) + 1))
    best = np.zeros(30)
    for row in rows:
        codes, wanting = {shop.shelf.code[name] for name in row["product_ids"]}, 0
        for number, slate in enumerate(slates):
            items_of = tuple(place for place, code in enumerate(slate.codes) if code in codes)
            problem = slate.problem(shop)
            if len(items_of) == len(codes) and problem.is_feasible(items_of):
                best[number] = max(best[number], problem.value(items_of))
                wanting += problem.value(items_of) > 0
        served = f"Worth showing to {wanting} of 30 customers, the best of the list for {row['customers']} of them. "
        assert row["reason"].startswith(served)
        one, other = sorted(row["product_ids"])[:2]
        assert f"{one.upper()} and {other.upper()} were bought together in 20 baskets, 2.0 times" in row["reason"]
        assert row["coverage"] == pytest.approx(best.sum())
        assert row["upper_bound"] >= row["coverage"] - 1e-9
    assert sum(row["customers"] for row in rows) == (best > 0).sum()
    assert CATALOGUE_BUNDLES.conform(CATALOGUE_BUNDLES.frame(rows).with_columns(run_id=1)).height == len(rows)


def test_an_empty_run_lists_nothing() -> None:
    shop = desk(np.random.default_rng(2), Limits())
    assert catalogue_rows(Pool.of([]), [], 5, shop, PRODUCTS, PAIRS) == []
