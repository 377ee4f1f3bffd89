"""What a trial is asked beside its task, and what it finds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

BEST = "best"
"""The model's name that asks the validation."""
PLACES = 100


@dataclass(frozen=True)
class Wishes:
    """What is asked beside task, cut, model and seed.

    Attributes
    ----------
    places
        Best places that are written down for each question that asks a whole catalogue; lists are ranked whole.
    preference, association
        What a policy takes as P and as A; None: its own.
    """

    places: int = PLACES
    preference: str | None = None
    association: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The findings of a trial.

    Attributes
    ----------
    model
        Which one was judged.
    predictions
        One row a place, written as it is.
    metrics
        Mean and the ends of its 95 % interval, by metric; empty where nobody can be judged.
    counts
        How many were asked and judged, and on what.
    validation
        By model, what the choice was made by; empty where the model was named or nothing lies before the cut.
    facts
        What else was chosen on the validation, such as weights and thresholds.
    """

    model: str
    predictions: pl.DataFrame
    metrics: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, int]
    validation: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)


def chosen(validation: Mapping[str, float], otherwise: str) -> str:
    """Return the best model of a validation, the first of equals by name; ``otherwise`` where there was none."""
    return min(validation, key=lambda name: (-validation[name], name)) if validation else otherwise
