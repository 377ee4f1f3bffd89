"""Which associations tell pairs that are bought together later, where both are known, and where one never sold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.report import Row
from ml.association.attributes import node_attributes
from ml.association.baselines import AttributeCosine, attribute_vectors
from ml.association.baskets import IndexedBaskets, Ints, Reals, index_baskets
from ml.association.content import category_levels, title_words
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.association.counting import count_pairs
from ml.association.habits import HabitualCategories
from ml.association.readings import other_readings
from ml.association.rehearsal import COLD_SHARE, without
from ml.evaluation.pair_metrics import PairSample, auc_interval, sample_pairs

HELD_OUT_DAYS = 28
PEER, BLEND, CHAMPION, POPULARITY = "category_lift", "blend", "champion", "popularity"
METRICS = ("pair_auc", "pair_auc_unseen", "pair_auc_cold")
Scores = dict[str, tuple[Reals, Reals]]
"""By reading, the scores of pairs bought together and of their stand-ins."""


@dataclass(frozen=True)
class Likeness:
    """Cosine of two products' sparse rows."""

    rows: object

    def between(self, first: Ints, second: Ints) -> Reals:
        """Return the (pairs,) sum of products of the rows."""
        return np.asarray(self.rows[first].multiply(self.rows[second]).sum(axis=1)).ravel()  # type: ignore[index]


@dataclass(frozen=True)
class Popularity:
    """How often two products are bought at all: an association that knows nothing of pairs."""

    baskets: Ints

    def between(self, first: Ints, second: Ints) -> Reals:
        """Return the (pairs,) summed logarithms of both products' baskets."""
        return np.log1p(self.baskets)[first] + np.log1p(self.baskets)[second]


def pair_rows(data: str, label: str, baskets: pl.DataFrame, products: pl.DataFrame, cut: date, seed: int) -> list[Row]:
    """Return ``pair_auc``, ``pair_auc_unseen`` and ``pair_auc_cold`` of every reading, of a blend and of the champion.

    Baskets of the four weeks from ``cut`` on tell which pairs are bought together: in at least three of them; unseen
    pairs, never bought together before, in at least one. For cold pairs a fifth of the products, drawn by seed, is
    taken out of all baskets that are learned from, and at least one of the two is such a product; stand-ins of a
    product are cold where it is. The blend's weights, and who is champion, are chosen on the four weeks before the cut,
    with other products cold; there the blend is fitted on one half of the pairs to be compared on the other.
    """
    asked = _scenes(baskets, products, cut, seed)
    earlier = _scenes(
        baskets.filter(pl.col("basket_on") < cut), products, cut - timedelta(days=HELD_OUT_DAYS), seed + 1
    )
    rows = []
    for metric in METRICS:
        scores, validation = asked[metric], earlier[metric]
        if min(len(one[POPULARITY][0]) for one in (scores, validation)) < 2:
            continue
        scores |= {BLEND: _blended(validation, scores)}
        half = len(validation[POPULARITY][0]) // 2
        fitted, judged = _part(validation, slice(None, half)), _part(validation, slice(half, None))
        told = judged | {BLEND: _blended(fitted, judged)}
        best = max((name for name in told if name != POPULARITY), key=lambda name: auc_interval(*told[name]).value)
        print(f"{data}{label} {metric}: the validation chose {best}", flush=True)
        found = {name: auc_interval(*own) for name, own in ({CHAMPION: scores[best]} | scores).items()}
        rows += [
            Row(f"association/{name}/{data}/{metric}{label}", one.value, "share", one.low, one.high, *(
                (None, None) if name == PEER else (PEER, one.value / found[PEER].value)
            ))
            for name, one in found.items()
        ]  # fmt: skip
    return rows


def _scenes(baskets: pl.DataFrame, products: pl.DataFrame, cut: date, seed: int) -> dict[str, Scores]:
    """Return the scores of all readings on the pairs of each metric."""
    ids = products["product_id"].to_list()
    past = index_baskets(baskets.filter(pl.col("basket_on") < cut), ids)
    until = cut + timedelta(days=HELD_OUT_DAYS)
    later = index_baskets(baskets.filter(pl.col("basket_on") >= cut, pl.col("basket_on") < until), ids)
    first, second, together, _ = count_pairs(later, 1)
    popularity = past.product_baskets()
    seen = _keys(*count_pairs(past, 1)[:2], len(ids))
    is_new = ~np.isin(_keys(first, second, len(ids)), seen)
    unseen = sample_pairs(first[is_new], second[is_new], together[is_new], popularity, seed, least=1)
    is_fresh = ~np.isin(_keys(unseen.other_first, unseen.other_second, len(ids)), seen)
    is_cold = np.random.default_rng(seed).random(len(ids)) < COLD_SHARE
    is_asked = is_cold[first] | is_cold[second]
    groups = is_cold.astype(np.int64)
    cold = sample_pairs(first, second, np.where(is_asked, together, 0), popularity, seed, groups=groups)
    warm = _readings(past, products, popularity, seed)
    return {
        "pair_auc": _scores(warm, sample_pairs(first, second, together, popularity, seed)),
        "pair_auc_unseen": _scores(warm, _kept(unseen, is_fresh)),
        "pair_auc_cold": _scores(_readings(without(past, is_cold), products, popularity, seed), cold),
    }


def _readings(baskets: IndexedBaskets, products: pl.DataFrame, popularity: Ints, seed: int) -> Mapping[str, object]:
    counted = fit_cooccurrence(baskets, CooccurrenceParams())
    return {
        **{kind: counted.matrix(kind) for kind in ("lift", "population_lift", "cosine")},  # type: ignore[arg-type]
        "scaled_cosine": AttributeCosine(attribute_vectors(products)),
        "category_habits": HabitualCategories(baskets, products["category_path"]),
        "brand_habits": HabitualCategories(baskets, products["brand"]),
        "text_category": Likeness(title_words(products["title"])),
        "attributes": Likeness(node_attributes(products)[0]),
        "category_likeness": Likeness(category_levels(products["category_path"])),
        **other_readings(baskets, products, seed),
        POPULARITY: Popularity(popularity),
    }


def _scores(readings: Mapping[str, object], sample: PairSample) -> Scores:
    sides = (sample.first, sample.second), (sample.other_first, sample.other_second)
    return {name: tuple(one.between(*side) for side in sides) for name, one in readings.items()}  # type: ignore


def _blended(fitted: Scores, asked: Scores) -> tuple[Reals, Reals]:
    """Return the scores of a logistic regression on the logarithms of all readings but popularity."""
    (bought, others), (ours, theirs) = (_columns(scores) for scores in (fitted, asked))
    columns = np.concatenate([bought, others])
    spread = columns.std(axis=0) + 1e-12
    labels = np.concatenate([np.ones(len(bought)), np.zeros(len(others))])
    model = LogisticRegression(C=0.01, max_iter=1000).fit(columns / spread, labels)
    return model.decision_function(ours / spread), model.decision_function(theirs / spread)


def _columns(scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    kept = [own for name, own in scores.items() if name != POPULARITY]
    first, second = ([np.log(np.maximum(own[side], 0) + 0.01) for own in kept] for side in (0, 1))
    return np.stack(first, axis=1), np.stack(second, axis=1)


def _part(scores: Scores, which: slice) -> Scores:
    return {name: (bought[which], others[which]) for name, (bought, others) in scores.items()}


def _keys(first: Ints, second: Ints, products: int) -> Ints:
    return first.astype(np.int64) * products + second


def _kept(sample: PairSample, is_kept: NDArray[np.bool_]) -> PairSample:
    sides = (sample.first, sample.second, sample.other_first, sample.other_second)
    return PairSample(*(side[is_kept] for side in sides))
