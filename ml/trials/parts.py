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
from ml.candidates import whole_catalogue
from ml.optimizer.rules import UNKNOWN_MARGIN
from ml.preference.ranker import Ranker
from ml.settings import Settings
from ml.trials.arguments import ASSOCIATIONS
from ml.trials.next_basket import fitted
from ml.trials.shop import Files

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
COUNTED = ASSOCIATIONS[:4]
SEED = 0
"""Of the graph."""


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
        requests = customers.alias("customer_id").to_frame().with_columns(cut=pl.lit(self._cut))
        grid = requests.join(names.alias("product_id").to_frame(), how="cross", maintain_order="left_right")
        if isinstance(self._model, Ranker):
            whole = whole_catalogue(self._before, self._products, requests)
            grid = grid.join(whole, on=["customer_id", "cut", "product_id"], how="left", maintain_order="left")
        return self._model.score(self._before, self._products, grid).reshape(len(customers), len(names))


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
