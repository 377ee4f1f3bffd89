"""Which reading, or which blend of readings, completes baskets best? Told on a validation before the cut."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.association.baskets import Reals
from ml.association.blend import COLUMNS, Columns, Completion, fit_blend, weights_of
from ml.evaluation.bootstrap import clustered_bootstrap
from ml.trials.outcome import BEST, chosen
from ml.trials.questions import Question

BLEND, FALLBACK = "blend", "regression"
FOLDS = 5
"""Halves would leave too few questions to fit on, and underrate a blend that is fitted on all of them in the end."""
LATER_SHARE = 0.4
"""Of the questions, where they have days: those that weights fitted on the earlier ones are judged on."""
VALIDATION_ROWS = 2_000_000
"""Alternatives that a choice is made on: those of a few hundred questions in a large catalogue."""


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes
    ----------
    model, weights
        Its name, and the (len(COLUMNS),) weights.
    compared
        NDCG@10 of each model on the questions that the blend is judged on.
    blend
        Weights of the blend, chosen or not.
    """

    model: str
    weights: Reals
    compared: dict[str, float]
    blend: Reals


def choose(
    model: str, index: Completion, asked: Sequence[Question], products: int, parts: Collection[str], seed: int
) -> Choice:
    """Return the model to ask, ``best`` or ``blend`` becoming weights.

    Where the questions have days, the blend is fitted on the earlier ones and judged on the later ones; without days it
    is judged on each fifth by weights fitted on the others. The weights returned know all questions. It is the best
    only where the 95 % interval of its paired difference to the best of its parts lies above 0, owners being drawn,
    not questions. With fewer than two questions there is nothing to choose by, and ``FALLBACK`` stands in.

    Parameters
    ----------
    asked
        Questions of the validation; where all their alternatives are more than ``VALIDATION_ROWS``, some are drawn.
    parts
        Named models to compare.
    """
    told = _drawn(asked, products, seed)
    if len(told) < 2:
        return Choice(FALLBACK, weights_of(FALLBACK), {}, weights_of(FALLBACK))
    columns, answers = [], []
    for one in told:
        among = one.among(products)
        columns.append(index.columns(one.shown)[among])
        answers.append(int(np.searchsorted(among, one.hidden)))  # type: ignore[arg-type]
    blended = np.full(len(told), np.nan)
    for fitted, judged in _turns(told):
        weights = fit_blend([columns[k] for k in fitted], [answers[k] for k in fitted])
        blended[judged] = [gain(columns[k], answers[k], weights) for k in judged]
    judged = np.flatnonzero(~np.isnan(blended))
    by_part = {
        name: np.array([gain(columns[k], answers[k], weights) for k in judged])
        for name, weights in ((name, weights_of(name)) for name in parts)
    }
    found = {name: float(gains.mean()) for name, gains in by_part.items()}
    if model == BEST:
        part = chosen(found, FALLBACK)
        # Many weights fitted on a few hundred questions win by chance; the best part stays until that is ruled out.
        owners = np.unique([told[k].owner for k in judged], return_inverse=True)[1]
        model = BLEND if clustered_bootstrap(blended[judged] - by_part[part], owners).low > 0 else part
    found[BLEND] = float(blended[judged].mean())
    blend = fit_blend(columns, answers)
    return Choice(model, blend if model == BLEND else weights_of(model), found, blend)


def _drawn(asked: Sequence[Question], products: int, seed: int) -> list[Question]:
    """Return questions with an answer in the order given, as many as ``VALIDATION_ROWS`` allow, drawn by seed."""
    answered = [one for one in asked if one.hidden is not None]
    order = np.random.default_rng(seed).permutation(len(answered))
    rows = np.cumsum([len(answered[k].among(products)) for k in order])
    return [answered[k] for k in np.sort(order[: max(2, int((rows <= VALIDATION_ROWS).sum()))])]


def _turns(told: Sequence[Question]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return which questions are fitted on and which judged, turn by turn; no owner of a fold lies in another."""
    days = [one.asked_on for one in told if one.asked_on is not None]
    if len(days) == len(told) and len(set(days)) > 1:
        ordered = sorted(days)
        # No day is parted, and the first never judged.
        since = max(ordered[int(len(days) * (1 - LATER_SHARE))], min(day for day in days if day > ordered[0]))
        is_later = np.array([day >= since for day in days])
        return [(np.flatnonzero(~is_later), np.flatnonzero(is_later))]
    owner = np.unique([one.owner for one in told], return_inverse=True)[1]
    fold = owner % FOLDS if owner.max() > 0 else np.arange(len(told)) % FOLDS
    return [(np.flatnonzero(fold != turn), np.flatnonzero(fold == turn)) for turn in np.unique(fold)]


def gain(columns: Columns, answer: int, weights: Reals) -> float:
    """Return the NDCG@10 of one question."""
    place = place_of(columns, answer, weights)
    return float(1 / np.log2(place + 1)) if place <= 10 else 0.0


def place_of(columns: Columns, answer: int, weights: Reals) -> int:
    """Return the place of the answer in :func:`order_of`, without sorting the rest."""
    scores, popularity = columns.astype(np.float64) @ weights, columns[:, COLUMNS.index("popularity")]
    is_equal = scores == scores[answer]
    is_before = popularity > popularity[answer]
    is_before |= (popularity == popularity[answer]) & (np.arange(len(scores)) < answer)
    return int((scores > scores[answer]).sum() + (is_equal & is_before).sum()) + 1


def order_of(columns: Columns, weights: Reals) -> NDArray[np.intp]:
    """Return alternatives, best first; those that score alike by popularity, then as listed."""
    scores = columns.astype(np.float64) @ weights
    return np.lexsort((-columns[:, COLUMNS.index("popularity")], -scores))
