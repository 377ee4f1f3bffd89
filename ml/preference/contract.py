"""What every preference model promises; ``tests/preference/test_contract.py`` holds all of them to it."""

import json
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.errors import ColumnError, NotFittedError

Probabilities = NDArray[np.float64]

CANDIDATE_COLUMNS = ("customer_id", "cut", "product_id")
FACTS = "model.json"


class PreferenceModel(Protocol):
    """Estimates P for candidates.

    Frames: ``baskets`` as ``features.ftr_baskets``, ``products`` as ``features.ftr_products``; ``candidates`` holds
    ``customer_id``, ``cut``, ``product_id`` and the scores of ``ml.candidates``; ``examples`` are candidates with
    ``is_bought`` and ``is_validation``. Only baskets dated strictly before a candidate's cut are looked at.
    """

    kind: ClassVar[str]

    def fit(self, baskets: pl.DataFrame, products: pl.DataFrame, examples: pl.DataFrame) -> Self:
        """Learn from examples, replacing what was learnt before."""
        ...

    def score(self, baskets: pl.DataFrame, products: pl.DataFrame, candidates: pl.DataFrame) -> Probabilities:
        """Return P of each candidate, (rows,) float64 in [0, 1], in the order of the rows.

        Raises
        ------
        NotFittedError
            When called before ``fit``.
        ColumnError
            When a column of the candidates is missing.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the model as text, JSON and safetensors into ``folder``."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; it scores exactly alike."""
        ...


@runtime_checkable
class Listener(PreferenceModel, Protocol):
    """A model that reads what customers do besides buying, where it is told.

    ``events`` is as ``features.ftr_events``, set before the model learns or scores and not saved with it. It learns
    from those up to the last basket it learns from; only those before a candidate's cut are looked at.
    """

    events: pl.DataFrame | None


@runtime_checkable
class Observer(PreferenceModel, Protocol):
    """A model that reads how customers took bundles, where it is told.

    ``reactions`` is as ``features.ftr_bundle_reactions``, set before the model learns or scores and not saved with it;
    only those before a candidate's cut are looked at. A model that learnt without goes without.
    """

    reactions: pl.DataFrame | None


def tell(model: PreferenceModel, events: pl.DataFrame | None, reactions: pl.DataFrame | None = None) -> PreferenceModel:
    """Return the model, told the events where it is one that listens, and the reactions where it observes."""
    if isinstance(model, Listener):
        model.events = events
    if isinstance(model, Observer) and reactions is not None:
        model.reactions = reactions
    return model


def check_candidates(candidates: pl.DataFrame, columns: tuple[str, ...] = CANDIDATE_COLUMNS) -> None:
    """Refuse candidates that lack a column.

    Raises
    ------
    ColumnError
        When one is missing; the message names it.
    """
    missing = [name for name in columns if name not in candidates.columns]
    if missing:
        raise ColumnError(f"candidates: missing {', '.join(missing)}; take them from ml.candidates.propose")


def check_fitted(is_fitted: bool, kind: str) -> None:
    """Refuse to score before ``fit``.

    Raises
    ------
    NotFittedError
        When ``is_fitted`` is false.
    """
    if not is_fitted:
        raise NotFittedError(f"{kind}: fit or load it before scoring")


def write_facts(folder: Path, kind: str, facts: dict[str, Any]) -> None:
    """Write ``model.json``: the kind of model and what it needs beside its arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FACTS).write_text(json.dumps({"kind": kind, **facts}, indent=1, sort_keys=True), "utf-8")


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what :func:`write_facts` wrote."""
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text("utf-8"))
    return facts
