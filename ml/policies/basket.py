"""A basket that is half filled: what completes it is worth more, and what would replace something in it is left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.optimizer.objective import Objective, values_beside

COMPLETING = 20
"""Products that are proposed because they complete a basket: as many as new ones, far fewer than a customer's own."""

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Basket:
    """The products that are in a basket already, C of them on the shelf, as every customer's problem reads them.

    Attributes
    ----------
    association
        (C, products) what the policy's objective gets for each of them with each product of the shelf.
    is_inside, is_replacing
        (products,) is in the basket; is a substitute of something in it.
    margin_cents
        (products,) ``UNKNOWN_MARGIN`` where the cost is not known.
    """

    association: Reals
    is_inside: Flags
    is_replacing: Flags
    margin_cents: NDArray[np.int64]

    def values(self, objective: Objective, codes: NDArray[np.int64], preference: Reals, spread: float) -> Reals:
        """Return (n,) what each candidate is worth because of the basket; see :func:`values_beside`."""
        with_each = values_beside(objective, preference, self.association[:, codes], self.margin_cents[codes], spread)
        total: Reals = with_each.sum(axis=0)
        return total


def completing(pairs: pl.DataFrame, product_ids: Sequence[str], offered: pl.Series) -> list[str]:
    """Return the offered products most strongly associated with what is in a basket, at most ``COMPLETING``.

    Parameters
    ----------
    pairs
        ``product_a``, ``product_b``, ``association``, ``relation``; substitutes complete nothing.
    product_ids
        What is in the basket, and so completes nothing either.
    """
    if not product_ids:
        return []
    inside = pl.Series(product_ids)
    facing = [("product_a", "product_b"), ("product_b", "product_a")]
    partners = pl.concat(
        pairs.filter(pl.col("relation") != "substitute", pl.col(here).is_in(inside.implode())).select(
            pl.col(there).alias("product_id"), "association"
        )
        for here, there in facing
    )
    ranked = (
        partners.filter(pl.col("product_id").is_in(offered.implode()), ~pl.col("product_id").is_in(inside.implode()))
        .group_by("product_id")
        .agg(pl.col("association").max())
        .sort("association", "product_id", descending=[True, False])
    )
    return ranked["product_id"].head(COMPLETING).to_list()
