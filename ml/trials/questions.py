"""Baskets of which one product is hidden, and what it must be found among."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.errors import DataError
from ml.preference.history import positions

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Question:
    """A basket to complete.

    Attributes
    ----------
    name
        Its basket.
    shown
        Products, as positions in the catalogue.
    hidden
        The product to find; None where the folder does not tell it.
    listed
        Products to rank, ascending; None: the whole catalogue but what is shown.
    """

    name: str
    shown: Ints
    hidden: int | None
    listed: Ints | None

    def among(self, products: int) -> Ints:
        """Return the products to rank, ascending, in a catalogue of so many."""
        return np.setdiff1d(np.arange(products), self.shown) if self.listed is None else self.listed


def hide_one(
    baskets: pl.DataFrame, products: pl.Series, most: int, seed: int, alternatives: int | None
) -> list[Question]:
    """Return a question for each of up to ``most`` baskets of two or more products, drawn by seed.

    Parameters
    ----------
    baskets
        ``basket_id``, ``product_ids``.
    products
        The catalogue, ascending.
    alternatives
        How many products the hidden one stands among; None: the whole catalogue.
    """
    rng = np.random.default_rng(seed)
    whole = baskets.filter(pl.col("product_ids").list.len() >= 2).sort("basket_id")
    drawn = whole[np.sort(rng.permutation(whole.height)[:most])]
    questions = []
    for name, held in drawn.select("basket_id", "product_ids").iter_rows():
        codes = positions(pl.Series(held), products)
        hidden = int(rng.integers(len(codes)))
        shown, answer = np.delete(codes, hidden), int(codes[hidden])
        listed = None
        if alternatives is not None:
            others = np.setdiff1d(np.arange(len(products)), codes)
            listed = np.sort(np.append(rng.choice(others, min(alternatives, len(others)), replace=False), answer))
        questions.append(Question(name, shown, answer, listed))
    return questions


def given_questions(partial: pl.DataFrame, candidates: pl.DataFrame, products: pl.Series) -> Iterator[Question]:
    """Yield a question for each basket that has candidates, in the order of their names.

    Parameters
    ----------
    partial
        ``basket_id``, ``product_id``: what is shown.
    candidates
        ``basket_id``, ``product_id``, ``is_answer``.

    Raises
    ------
    DataError
        When a basket has more than one answer, or a candidate is shown already.
    """
    shown = dict(partial.group_by("basket_id").agg("product_id").iter_rows())
    listed = candidates.filter(pl.col("basket_id").is_in(list(shown))).sort("basket_id", "product_id")
    for (name,), rows in listed.group_by("basket_id", maintain_order=True):
        codes = positions(rows["product_id"], products)
        held = positions(pl.Series(shown[name]), products)
        right = np.flatnonzero(rows["is_answer"].to_numpy())
        if len(right) > 1 or np.isin(codes, held).any():
            raise DataError(f"basket_candidates: basket {name} has two answers, or a candidate that it holds already")
        yield Question(str(name), held, int(codes[right[0]]) if len(right) else None, codes)
