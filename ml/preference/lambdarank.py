"""The ranker with another objective: the order of a customer's products instead of each product's probability."""

from typing import Any, ClassVar, Self

import polars as pl

from ml.preference.ranker import Ranker

REQUEST = ("customer_id", "cut")


class Lambdarank(Ranker):
    """LightGBM with the lambdarank objective on the features, start and candidates of :class:`Ranker`.

    Its trees are grown to put what was bought among a request's first places; the sum of a tree's leaves is no log
    odds, so P is what an isotonic map makes of it on the validation examples, wherever that lowers the Brier score.
    ``curve`` holds NDCG@20, which rises.

    Raises
    ------
    As :class:`Ranker`.

    Source
    ------
    Burges (2010), From RankNet to LambdaRank to LambdaMART: an overview, Microsoft Research MSR-TR-2010-82.
    """

    kind: ClassVar[str] = "lambdarank"
    objective: ClassVar[dict[str, Any]] = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [20],
        # Pairs with one of them among the first 30 teach: somewhat more than the places that are looked at.
        "lambdarank_truncation_level": 30,
    }
    watched: ClassVar[str] = "ndcg@20"

    def fit(self, baskets: pl.DataFrame, products: pl.DataFrame, examples: pl.DataFrame) -> Self:
        """Learn from examples; see :class:`ml.preference.contract.PreferenceModel`."""
        return super().fit(baskets, products, examples.sort(*REQUEST, "product_id"))

    def refit(self, baskets: pl.DataFrame, products: pl.DataFrame, examples: pl.DataFrame) -> Self:
        """Grow as many trees as ``fit`` found best on all examples, validation included."""
        return super().refit(baskets, products, examples.sort(*REQUEST, "product_id"))

    def _groups(self, examples: pl.DataFrame) -> list[int] | None:
        return examples.group_by(REQUEST, maintain_order=True).len()["len"].to_list()
