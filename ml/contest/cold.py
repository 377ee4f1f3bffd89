"""Which reading foretells the pairs of products without sales, in windows of the past.

A window rehearses newcomers (:mod:`ml.association.rehearsal`): a fifth of the products is taken out of the baskets
before it, and the pairs those are bought in after it are told from pairs of products as popular, cold where they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ml.association.baskets import IndexedBaskets
from ml.association.counting import count_pairs
from ml.association.rehearsal import PARTS, Rehearsal, Scale
from ml.evaluation.pair_metrics import pair_auc, sample_pairs

NO_SCALE = {name: Scale(0.0, 1.0 * category, 1.0 * graph) for name, (category, graph) in PARTS.items()}


@dataclass(frozen=True)
class ColdWindow:
    """What a rehearsal showed.

    Attributes
    ----------
    auc
        By reading, pair AUC of cold pairs; NaN where there were none.
    scales
        By reading, its scale to lift, from the baskets before the window.
    pairs
        How many pairs each AUC rests on.
    """

    auc: Mapping[str, float]
    scales: Mapping[str, Scale]
    pairs: int


def cold_window(
    past: IndexedBaskets, after: IndexedBaskets, catalogue: pl.DataFrame, seed: int, sentences: bool
) -> ColdWindow:
    """Return what a rehearsal before a window shows of the baskets in it.

    Parameters
    ----------
    past, after
        Baskets over the same products: learned from, and told.
    catalogue
        A row for each of those products, in their order.
    """
    rehearsal = Rehearsal(past, catalogue, seed, sentences)
    cold = rehearsal.is_cold
    first, second, together, _ = count_pairs(after, 1)
    asked = np.where(cold[first] | cold[second], together, 0)
    sample = sample_pairs(first, second, asked, past.product_baskets(), seed, groups=cold.astype(np.int64))
    scales = {name: rehearsal.scale(name) for name in PARTS}
    auc = {
        name: pair_auc(sample, lambda one, other, scale=scale: scale.log_lift(rehearsal.parts(one, other)))  # type: ignore[misc]
        for name, scale in scales.items()
    }
    return ColdWindow(auc, scales, len(sample.first))


def chosen_reading(windows: Sequence[ColdWindow]) -> tuple[str, Mapping[str, Scale], dict[str, float]]:
    """Return the reading that serves new products, the scales of all from the newest window, and the mean AUCs.

    A blend serves only where it beats both parts; where nothing could be told, the categories serve.
    """
    measured = [one for one in windows if one.pairs]
    if not measured:
        return "category", windows[-1].scales if windows else NO_SCALE, {}
    auc = {name: float(np.mean([one.auc[name] for one in measured])) for name in PARTS}
    best = max(("category", "graph"), key=auc.__getitem__)
    return ("blend" if auc["blend"] > auc[best] else best), measured[-1].scales, auc
