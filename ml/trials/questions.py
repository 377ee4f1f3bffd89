"""Baskets of which one product is hidden, and what it must be found among."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

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
    owner
        Whose basket it is, or the basket itself where nobody is known: questions of one owner are not independent.
    asked_on
        Its day; None where it has none.
    """

    name: str
    shown: Ints
    hidden: int | None
    listed: Ints | None
    owner: str
    asked_on: date | None = None

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
        ``basket_id``, ``product_ids``, and where they are known ``customer_id`` and ``basket_on``.
    products
        The catalogue, ascending.
    alternatives
        How many products the hidden one stands among; None: the whole catalogue.
    """
    rng = np.random.default_rng(seed)
    whole = baskets.filter(pl.col("product_ids").list.len() >= 2).sort("basket_id")
    drawn = whole[np.sort(rng.permutation(whole.height)[:most])]
    whose = "customer_id" if "customer_id" in baskets.columns else pl.lit(None, pl.String)
    day = "basket_on" if "basket_on" in baskets.columns else pl.lit(None, pl.Date)
    questions = []
    for name, held, owner, on in drawn.select("basket_id", "product_ids", owner=whose, on=day).iter_rows():
        codes = positions(pl.Series(held), products)
        hidden = int(rng.integers(len(codes)))
        shown, answer = np.delete(codes, hidden), int(codes[hidden])
        listed = None
        if alternatives is not None:
            others = np.setdiff1d(np.arange(len(products)), codes)
            listed = np.sort(np.append(rng.choice(others, min(alternatives, len(others)), replace=False), answer))
        questions.append(Question(name, shown, answer, listed, name if owner is None else f"c:{owner}", on))
    return questions


def in_turn(questions: Sequence[Question], most: int) -> list[Question]:
    """Return the questions, and after each those in which the answer is shown and another of its basket is hidden.

    A basket of n products then says n times what completes it, so that a choice between models rests on more than
    the few baskets a folder gives. They keep their owner, who is what is drawn for an interval.

    Parameters
    ----------
    questions
        Those without an answer stay alone.
    most
        Where they would be more than this, they come back as they are.
    """
    if sum(len(one.shown) + 1 for one in questions) > most:
        return list(questions)
    turned = []
    for one in questions:
        turned.append(one)
        if one.hidden is None:
            continue
        for place, hidden in enumerate(one.shown):
            shown = np.sort(np.append(np.delete(one.shown, place), one.hidden))
            listed = one.listed
            if listed is not None:
                listed = np.union1d(listed[listed != one.hidden], [hidden])
            turned.append(replace(one, shown=shown, hidden=int(hidden), listed=listed))
    return turned


def given_questions(partial: pl.DataFrame, candidates: pl.DataFrame | None, products: pl.Series) -> Iterator[Question]:
    """Yield a question for each basket, in the order of their names; without candidates it asks the whole catalogue.

    Parameters
    ----------
    partial
        ``basket_id``, ``product_id``: what is shown.
    candidates
        ``basket_id``, ``product_id``, ``is_answer``; None where nobody lists any.

    Raises
    ------
    DataError
        When a basket has more than one answer.
    """
    listed = {}
    if candidates is not None:
        listed = dict(
            candidates.sort("basket_id", "product_id")
            .group_by("basket_id")
            .agg(pl.struct("product_id", "is_answer"))
            .iter_rows()
        )
    shown = partial.sort("basket_id", "product_id").group_by("basket_id", maintain_order=True).agg("product_id")
    for name, held_ids in shown.iter_rows():
        held = positions(pl.Series(held_ids), products)
        if name not in listed:
            yield Question(name, held, None, None, name)
            continue
        codes = positions(pl.Series([row["product_id"] for row in listed[name]]), products)
        right = [int(code) for code, row in zip(codes, listed[name], strict=True) if row["is_answer"]]
        if len(right) > 1:
            raise DataError(f"basket_candidates: basket {name} has {len(right)} answers, one product is asked for")
        yield Question(name, held, right[0] if right else None, codes, name)
