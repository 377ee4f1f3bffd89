"""Baskets as compact arrays: what the counting kernels read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.errors import ColumnError
from ml.influence import counted

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Reals = NDArray[np.float64]

NO_CUSTOMER = -1


@dataclass(frozen=True)
class IndexedBaskets:
    """Baskets as sparse rows over a sorted list of products, ordered by customer.

    Attributes
    ----------
    product_ids
        Identifier of each column, ascending.
    starts
        (baskets + 1,) int64: basket b holds ``items[starts[b]:starts[b + 1]]``.
    items
        Product codes, ascending and distinct within a basket, int32.
    customers
        (baskets,) int32, ascending: code of the customer, ``NO_CUSTOMER`` where unknown.
    customer_ids
        Identifier of each customer code, where it is known.
    """

    product_ids: tuple[str, ...]
    starts: Ints
    items: Codes
    customers: Codes
    customer_ids: tuple[str, ...] = ()

    @property
    def baskets_total(self) -> int:
        """Return how many baskets there are."""
        return len(self.customers)

    def product_baskets(self) -> Ints:
        """Return (products,) in how many baskets each product lies."""
        return np.bincount(self.items, minlength=len(self.product_ids)).astype(np.int64)

    def of_known_customers(self) -> "IndexedBaskets":
        """Return the baskets whose customer is known, over the same products."""
        first = int(np.searchsorted(self.customers, NO_CUSTOMER, side="right"))
        offset = self.starts[first]
        return IndexedBaskets(
            self.product_ids,
            self.starts[first:] - offset,
            self.items[offset:],
            self.customers[first:],
            self.customer_ids,
        )

    def where(self, is_kept: NDArray[np.bool_]) -> "IndexedBaskets":
        """Return the baskets of a (baskets,) mask, over the same products and customers."""
        sizes = np.diff(self.starts)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[is_kept])])
        items = self.items[np.repeat(is_kept, sizes)]
        return IndexedBaskets(self.product_ids, starts, items, self.customers[is_kept], self.customer_ids)


def index_baskets(baskets: pl.DataFrame, product_ids: Sequence[str] | None = None) -> IndexedBaskets:
    """Return baskets as sparse rows.

    Parameters
    ----------
    baskets
        Columns ``customer_id`` (null where unknown), ``product_ids`` (distinct, list of text), as in
        ``features.ftr_baskets``; rows with a true ``is_giant`` are left out where that column stands, and those that
        :func:`ml.influence.counted` does not count.
    product_ids
        Products to keep; all that occur when None. Baskets left without one are dropped.

    Raises
    ------
    ColumnError
        When a column is missing.
    """
    missing = {"customer_id", "product_ids"} - set(baskets.columns)
    if missing:
        raise ColumnError(f"baskets: columns missing: {', '.join(sorted(missing))}")
    if "is_giant" in baskets.columns:
        baskets = baskets.filter(~pl.col("is_giant"))
    ordered = (
        counted(baskets).select("customer_id", "product_ids").sort("customer_id", nulls_last=False, maintain_order=True)
    )
    lines = ordered.select("product_ids").with_row_index("basket").explode("product_ids").drop_nulls("product_ids")
    known = sorted(set(product_ids) if product_ids is not None else lines["product_ids"].unique().to_list())
    codes = pl.DataFrame(
        {"product_ids": known, "item": np.arange(len(known), dtype=np.int64)},
        schema={"product_ids": pl.String, "item": pl.Int64},
    )
    lines = lines.join(codes, on="product_ids", maintain_order="left")
    cells = lines["basket"].to_numpy().astype(np.int64) * len(known) + lines["item"].to_numpy()
    if (cells[1:] <= cells[:-1]).any():  # seldom: the features hold products distinct and in order
        cells = np.unique(cells)
    basket, items = np.divmod(cells, max(len(known), 1))
    first = np.flatnonzero(np.diff(basket, prepend=-1))
    owners = ordered["customer_id"].gather(basket[first])
    ranks = owners.rank("dense").cast(pl.Int32) - 1
    return IndexedBaskets(
        tuple(known),
        np.append(first, len(items)).astype(np.int64),
        items.astype(np.int32),
        cast(Codes, ranks.fill_null(NO_CUSTOMER).to_numpy()),
        tuple(owners.drop_nulls().unique().sort()),
    )
