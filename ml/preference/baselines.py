"""Named baselines that only count: what a ranker has to beat."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import polars as pl

from ml.influence import counted
from ml.preference.contract import Probabilities, check_candidates, check_fitted, read_facts, write_facts

KEYS = ["customer_id", "cut", "product_id"]


class Counting(ABC):
    """What only counts: all is taken from the baskets before each cut, and ``fit`` learns nothing."""

    kind: ClassVar[str]

    def __init__(self) -> None:
        self._is_fitted = False

    def fit(self, baskets: pl.DataFrame, products: pl.DataFrame, examples: pl.DataFrame) -> Self:
        """Mark as fitted: all is counted when scoring, from baskets before each cut."""
        self._is_fitted = True
        return self

    def score(self, baskets: pl.DataFrame, products: pl.DataFrame, candidates: pl.DataFrame) -> Probabilities:
        """Return P of each candidate; see :class:`ml.preference.contract.PreferenceModel`."""
        check_fitted(self._is_fitted, self.kind)
        check_candidates(candidates)
        scores = np.zeros(candidates.height)
        rows = candidates.select(KEYS).with_row_index("row")
        for (cut,), asked in rows.group_by("cut", maintain_order=True):
            before = baskets.filter(pl.col("basket_on") < cut).with_columns(
                age=(pl.lit(cut) - pl.col("basket_on")).dt.total_days()
            )
            scores[asked["row"].to_numpy()] = self._at(before, asked).to_numpy()
        return scores

    def save(self, folder: Path) -> None:
        """Write the kind; there is nothing else."""
        check_fitted(self._is_fitted, self.kind)
        write_facts(folder, self.kind, {})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote."""
        read_facts(folder)
        model = cls()
        model._is_fitted = True
        return model

    @abstractmethod
    def _at(self, before: pl.DataFrame, asked: pl.DataFrame) -> pl.Series:
        """Return the score of each asked row from the baskets before its cut."""


class GlobalPopularity(Counting):
    """P = share of all baskets before the cut that hold the product: the same for every customer."""

    kind = "global_popularity"

    def _at(self, before: pl.DataFrame, asked: pl.DataFrame) -> pl.Series:
        return popularity(before, asked)


class PersonalFrequency(Counting):
    """P = (n + popularity) / (N + 1): n of the customer's N baskets hold the product.

    One imagined basket of the average customer orders what the customer never bought and keeps P below 1.
    """

    kind = "personal_frequency"
    decay_days: ClassVar[float] = float("inf")

    def _at(self, before: pl.DataFrame, asked: pl.DataFrame) -> pl.Series:
        own = (
            before.filter(pl.col("customer_id").is_in(asked["customer_id"].unique().implode()))
            .select("customer_id", product_id="product_ids", weight=(-pl.col("age") / self.decay_days).exp())
        )  # fmt: skip
        total = own.group_by("customer_id").agg(total=pl.col("weight").sum())
        held = own.explode("product_id").group_by("customer_id", "product_id").agg(held=pl.col("weight").sum())
        joined = (
            asked.join(total, on="customer_id", how="left", maintain_order="left")
            .join(held, on=["customer_id", "product_id"], how="left", maintain_order="left")
            .with_columns(popularity=popularity(before, asked))
        )
        p = (pl.col("held").fill_null(0) + pl.col("popularity")) / (pl.col("total").fill_null(0) + 1)
        return joined.select(p=p)["p"]


class PersonalDecayed(PersonalFrequency):
    """Personal frequency where a basket of age a days counts exp(-a / 180)."""

    kind = "personal_decayed"
    decay_days = 180.0


def popularity(before: pl.DataFrame, asked: pl.DataFrame) -> pl.Series:
    """Return the share of the baskets ``before`` that hold the product of each row asked, of those that count.

    Giant baskets do not, nor those that :func:`ml.influence.counted` leaves out.
    """
    before = counted(before.filter(~pl.col("is_giant")))
    held = before.select(product_id="product_ids").explode("product_id").group_by("product_id").len("held")
    joined = asked.join(held, on="product_id", how="left", maintain_order="left")
    return (joined["held"].fill_null(0) / max(1, before.height)).alias("popularity")
