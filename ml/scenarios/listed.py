"""Bundles for everybody: which ones the shop should list, and what those it has are worth to each customer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.optimizer.coverage import cover
from ml.optimizer.given import given_values
from ml.policies.shelf import Shelf
from ml.scenarios.slates import Desk, Slate

Row = dict[str, Any]

MOST_POOLED = 2000
"""Bundles that compete for a place on the list: those that most customers get, then those worth most."""
BEST_GIVEN = 5
"""Given bundles kept for each customer."""


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

    def worths(self, slate: Slate, desk: Desk) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
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
    pool: Pool, worths: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], bundles: int, desk: Desk
) -> list[Row]:
    """Return the rows of ``ml.catalogue_bundles`` without the run: the list that covers the customers best.

    Parameters
    ----------
    worths
        Of each customer, from :meth:`Pool.worths`.
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
    result = []
    for rank, place in enumerate(found.chosen):
        codes = pool.codes[place][pool.codes[place] >= 0]
        result.append(
            {
                "bundle_rank": rank + 1,
                "product_ids": [desk.shelf.product_ids[code] for code in codes],
                "bundle_size": len(codes),
                "list_price_cents": int(desk.shelf.price_cents[codes].sum()),
                "customers": int((best == rank).sum()),
                "gain": float(coverage[rank] - (coverage[rank - 1] if rank else 0.0)),
                "coverage": float(coverage[rank]),
                "upper_bound": max(found.upper_bound, float(coverage[-1])),
                "gap_pct": 100.0 * max(0.0, 1.0 - float(coverage[-1]) / found.upper_bound),
                "reason": None,
            }
        )
    return result


def given_rows(slate: Slate, pool: Pool, names: Sequence[str], desk: Desk) -> list[Row]:
    """Return a customer's rows of ``ml.given_bundle_ranks`` without the run: the best of the given bundles."""
    able, values = pool.worths(slate, desk)
    problem, rows = slate.problem(desk), []
    for rank, place in enumerate(np.lexsort((able, -values))[:BEST_GIVEN], start=1):
        codes = pool.codes[able[place]][pool.codes[able[place]] >= 0]
        items = tuple(int(item) for item in np.flatnonzero(np.isin(slate.codes, codes)))
        rows.append(
            {
                "customer_id": slate.customer_id,
                "given_bundle_id": names[able[place]],
                "bundle_rank": rank,
                "objective": float(values[place]),
                "joint_probability": problem.joint_probability(items),
                "list_price_cents": int(desk.shelf.price_cents[codes].sum()),
            }
        )
    return rows


def known_bundles(given: pl.DataFrame, desk: Desk, largest: int) -> tuple[Pool, list[str]]:
    """Return the given bundles all of whose products are on the shelf, and their names."""
    names, bundles = [], []
    for name, product_ids in given.sort("given_bundle_id").select("given_bundle_id", "product_ids").iter_rows():
        codes = [desk.shelf.code.get(product, -1) for product in product_ids]
        if min(codes) >= 0 and len(codes) <= largest:
            names.append(name)
            bundles.append(codes)
    return Pool.of(bundles), names
