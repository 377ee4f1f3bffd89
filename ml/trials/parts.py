"""The named parts of a policy: whose P and which A."""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.association.baselines import AttributeCosine, attribute_vectors
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.association.readings import Other, other_readings
from ml.association.symmetric import SymmetricPairs
from ml.candidates import propose
from ml.optimizer.rules import UNKNOWN_MARGIN
from ml.preference.ranker import Ranker
from ml.settings import Settings
from ml.trials.arguments import ASSOCIATIONS
from ml.trials.next_basket import fitted
from ml.trials.ranking import BLOCK_ROWS
from ml.trials.shop import Files

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
COUNTED = ASSOCIATIONS[:4]
SEED = 0
"""Of the graph."""
PROPOSED = 300
"""About as many candidates as a ranker looks at for a customer, beside those asked for."""


class Preferences:
    """P of a named model, learned before a cut, for any customers.

    Parameters
    ----------
    name
        A model of next_basket.
    before
        What is learned from.
    """

    def __init__(
        self, name: str, before: pl.DataFrame, products: pl.DataFrame, cut: date, seed: int, settings: Settings
    ) -> None:
        self._before, self._products, self._cut = before, products, cut
        self._model = fitted(name, before, products, seed, settings)

    def of(self, customers: pl.Series, names: pl.Series) -> Reals:
        """Return the (customers, names) probabilities that the next basket holds each product."""
        asked = customers.alias("customer_id").to_frame()
        grid = asked.join(names.alias("product_id").to_frame(), how="cross", maintain_order="left_right")
        return self.each(grid).reshape(len(customers), len(names))

    def each(self, asked: pl.DataFrame) -> Reals:
        """Return the probability of each row of ``customer_id``, ``product_id``, in which customers stand together."""
        if asked.is_empty():
            return np.empty(0)
        number = asked["customer_id"].rle_id()
        # Counts of neighbours are dense in the catalogue, but a cell of theirs is far smaller than a ranker's row.
        beside = PROPOSED if isinstance(self._model, Ranker) else self._products.height // 10
        names = asked.height // (int(number[-1]) + 1)
        step = max(1, BLOCK_ROWS // (names + beside + 1))
        blocks = asked.group_by(number // step, maintain_order=True)
        return np.concatenate([self._scored(block) for _, block in blocks])

    def _scored(self, asked: pl.DataFrame) -> Reals:
        grid = asked.select("customer_id", "product_id", cut=pl.lit(self._cut))
        if isinstance(self._model, Ranker):
            requests = grid.select("customer_id", "cut").drop_nulls().unique(maintain_order=True)
            found = propose(self._before, self._products, requests, asked=grid)
            grid = grid.join(found, on=["customer_id", "cut", "product_id"], how="left", maintain_order="left")
        return self._model.score(self._before, self._products, grid)


class Associations:
    """A of a named reading, for any pairs of the catalogue.

    Parameters
    ----------
    name
        One of ``ASSOCIATIONS``; the first four read the counts.
    baskets
        What is learned from.
    """

    def __init__(self, name: str, baskets: pl.DataFrame, products: pl.DataFrame, settings: Settings) -> None:
        indexed = index_baskets(baskets, products["product_id"].to_list())
        self._reading: SymmetricPairs | AttributeCosine | Other
        if name == "scaled_cosine":
            self._reading = AttributeCosine(attribute_vectors(products))
        elif name in COUNTED:
            params = CooccurrenceParams(settings.association.shrinkage, min_pair_baskets=1)
            self._reading = fit_cooccurrence(indexed, params).matrix(name)  # type: ignore[arg-type]
        else:
            self._reading = other_readings(indexed, products, SEED, settings.association.sentences)[name]

    def between(self, first: Ints, second: Ints) -> Reals:
        """Return the (pairs,) association of pairs given by position in the catalogue, never below 0."""
        return np.maximum(self._reading.between(first, second), 0.0)


def margins(files: Files, names: pl.Series) -> NDArray[np.int64]:
    """Return (names,) price less cost in cents; ``UNKNOWN_MARGIN`` where either is not given."""
    known = files.tables["products"].select("product_id", margin=pl.col("price_cents") - pl.col("cost_cents"))
    joined = names.alias("product_id").to_frame().join(known, on="product_id", how="left", maintain_order="left")
    return joined["margin"].cast(pl.Int64).fill_null(UNKNOWN_MARGIN).to_numpy()
