"""Bundles for everybody: which ones the shop should list, of those that its customers get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.optimizer.coverage import cover
from ml.optimizer.given import given_values
from ml.policies.shelf import Shelf
from ml.reasons import PairFacts, listed_reason, pair_facts
from ml.scenarios.slates import Desk, Slate

Row = dict[str, Any]
Worths = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Rows of the pool that a customer may have, and what each is worth."""

MOST_POOLED = 2000
"""Bundles that compete for a place on the list: those that most customers get, then those worth most. The certificate
speaks of lists made of these; one with other bundles could cover more than its bound."""


@dataclass(frozen=True)
class Pool:
    """Bundles by the codes of their products, (bundles, largest size), -1 after the last."""

    codes: NDArray[np.int64]

    @classmethod
    def of(cls, bundles: Sequence[Sequence[int]]) -> "Pool":
        """Return the pool of bundles given by product codes."""
        codes = np.full((len(bundles), max(map(len, bundles), default=1)), -1, np.int64)
        for row, bundle in enumerate(bundles):
            codes[row, : len(bundle)] = bundle
        return cls(codes)

    def worths(self, slate: Slate, desk: Desk) -> Worths:
        """Return which bundles the customer may have, of candidates alone, and what each is worth."""
        place = np.full(len(desk.shelf.product_ids) + 1, -1, np.int64)  # the last one stands for no product
        place[slate.codes] = np.arange(len(slate.codes))
        is_there = ((place[self.codes] >= 0) | (self.codes < 0)).all(axis=1)
        able = np.flatnonzero(is_there)
        bundles = [tuple(place[row[row >= 0]].tolist()) for row in self.codes[able]]
        values = given_values(slate.problem(desk), bundles)
        return able[values > 0], values[values > 0]


def offered_pool(bundles: pl.DataFrame, items: pl.DataFrame, shelf: Shelf) -> Pool:
    """Return the bundles that compete for a place on the list: what customers get in this run.

    Parameters
    ----------
    bundles, items
        Offered rows of ``ml.bundles``, and rows of ``ml.bundle_items``.
    """
    codes = pl.DataFrame({"product_id": shelf.product_ids}).with_row_index("code")
    held = items.join(codes, on="product_id").group_by("bundle_id").agg(pl.col("code").sort())
    tally = bundles.join(held, on="bundle_id").group_by("code").agg(pl.len(), pl.col("objective").sum())
    ranked = sorted(tally.iter_rows(), key=lambda row: (-row[1], -row[2], row[0]))
    return Pool.of([row[0] for row in ranked[:MOST_POOLED]])


def catalogue_rows(
    pool: Pool, worths: Sequence[Worths], bundles: int, desk: Desk, products: pl.DataFrame, pairs: pl.DataFrame
) -> list[Row]:
    """Return the rows of ``ml.catalogue_bundles`` without the run: the list that covers the customers best.

    ``upper_bound`` and ``gap_pct`` compare it with every list of as many bundles of the pool, and with no others.

    Parameters
    ----------
    worths
        Of each customer, from :meth:`Pool.worths`.
    products, pairs
        Rows of ``features.ftr_products`` and ``ml.associations``, for the reasons.
    """
    customer = np.repeat(np.arange(len(worths)), [len(own) for own, _ in worths])
    rows = np.concatenate([own for own, _ in worths]) if worths else np.empty(0, np.int64)
    if not len(rows) or not bundles:
        return []
    values = np.concatenate([value for _, value in worths])
    matrix = sparse.csr_matrix((values, (rows, customer)), shape=(len(pool.codes), len(worths)))
    found = cover(matrix, bundles)
    own = matrix[found.chosen].toarray()
    best = np.where(own.max(axis=0) > 0, own.argmax(axis=0), -1)
    coverage = np.maximum.accumulate(own, axis=0).sum(axis=1)
    listed = [[desk.shelf.product_ids[code] for code in pool.codes[place] if code >= 0] for place in found.chosen]
    evidence = Evidence.of(listed, products, pairs)
    result = []
    for rank, product_ids in enumerate(listed):
        customers = int((best == rank).sum())
        result.append(
            {
                "bundle_rank": rank + 1,
                "product_ids": product_ids,
                "bundle_size": len(product_ids),
                "list_price_cents": sum(int(desk.shelf.price_cents[desk.shelf.code[one]]) for one in product_ids),
                "customers": customers,
                "gain": float(coverage[rank] - (coverage[rank - 1] if rank else 0.0)),
                "coverage": float(coverage[rank]),
                "upper_bound": max(found.upper_bound, float(coverage[-1])),
                "gap_pct": 100.0 * max(0.0, 1.0 - float(coverage[-1]) / found.upper_bound),
                "reason": evidence.reason(product_ids, int((own[rank] > 0).sum()), customers, len(worths)),
            }
        )
    return result


@dataclass(frozen=True)
class Evidence:
    """Names of the listed products, and what is known of their pairs, the smaller identifier first."""

    names: Mapping[str, str]
    pairs: Mapping[tuple[str, str], PairFacts]

    @classmethod
    def of(cls, listed: Sequence[Sequence[str]], products: pl.DataFrame, pairs: pl.DataFrame) -> "Evidence":
        """Return what is known of the listed bundles."""
        held = pl.DataFrame({"product_id": sorted({product for own in listed for product in own})})
        named = products.join(held, on="product_id").select(
            "product_id", pl.coalesce("title", "category", "product_id").alias("name")
        )
        known = pairs.join(held, left_on="product_a", right_on="product_id", how="semi").join(
            held, left_on="product_b", right_on="product_id", how="semi"
        )
        facts = {(row["product_a"], row["product_b"]): pair_facts(row) for row in known.iter_rows(named=True)}
        return cls(dict(named.iter_rows()), facts)

    def reason(self, product_ids: Sequence[str], wanting: int, best: int, customers: int) -> str:
        """Return why a bundle is on the list: whom it serves, and what speaks for its pairs."""
        places = combinations(range(len(product_ids)), 2)
        keys = {at: tuple(sorted((product_ids[at[0]], product_ids[at[1]]))) for at in places}
        known = {at: self.pairs[low, high] for at, (low, high) in keys.items() if (low, high) in self.pairs}
        names = [self.names.get(product, product) for product in product_ids]
        return listed_reason(names, known, wanting, best, customers)
