"""Part some products into groups that go together, by what was bought together, titles and categories."""

from typing import Literal

import numpy as np
import polars as pl
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from ml.association.baskets import Ints, Reals, index_baskets
from ml.association.content import category_levels, title_pieces, title_words
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence

Linkage = Literal["single", "average"]


class Likeness:
    """How well products of a catalogue go together, 0 to 1: the mean of four cosines.

    Of baskets, of the words and of the pieces of titles, and of category paths; pairs of which nothing is known get 0.

    Parameters
    ----------
    baskets
        Baskets that are learned from, as ``features.ftr_baskets``; may be empty.
    products
        Catalogue, ``product_id`` in ascending order, ``title``, ``category_path``.
    """

    def __init__(self, baskets: pl.DataFrame, products: pl.DataFrame) -> None:
        indexed = index_baskets(baskets, products["product_id"].to_list())
        self._cosine = fit_cooccurrence(indexed, CooccurrenceParams(min_pair_baskets=1)).matrix("cosine")
        self._rows = (
            title_words(products["title"]), title_pieces(products["title"]), category_levels(products["category_path"])
        )  # fmt: skip

    def among(self, codes: Ints) -> Reals:
        """Return the (n, n) likeness among n distinct products."""
        content = sum((rows[codes] @ rows[codes].T).toarray() for rows in self._rows)
        return np.clip((self._cosine.block(codes) + content) / (len(self._rows) + 1), 0.0, 1.0)


def grouped(likeness: Reals, least: float, method: Linkage) -> list[Ints]:
    """Return groups of at least two products, as positions; all of them in one where no two are alike enough.

    Parameters
    ----------
    likeness
        (n, n) symmetric, 0 to 1.
    least
        Likeness down to which groups are joined.
    method
        ``single``: groups are joined by their most alike pair, which gives connected components; ``average``: by the
        mean over their pairs.

    Source
    ------
    Mullner (2011), Modern hierarchical, agglomerative clustering algorithms, arXiv:1109.2378.
    """
    everything = np.arange(len(likeness))
    if len(likeness) < 2:
        return [everything]
    apart = 1 - (likeness + likeness.T) / 2
    np.fill_diagonal(apart, 0.0)
    label = fcluster(linkage(squareform(apart, checks=False), method), 1 - least, "distance")
    groups = [np.flatnonzero(label == one) for one in np.unique(label)]
    return [group for group in groups if len(group) > 1] or [everything]
