"""Which associations tell pairs that are bought together later, where both are known, and where one never sold."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.stats import rankdata

from benchmarks.report import Row
from ml.association.baselines import AttributeCosine, attribute_vectors
from ml.association.baskets import IndexedBaskets, Ints, Reals, index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence
from ml.association.counting import count_pairs
from ml.association.readings import other_readings
from ml.evaluation.pair_metrics import PairSample, Reading, sample_pairs

COLD_SHARE = 0.2
HELD_OUT_DAYS = 28
PEER = "category_lift"


@dataclass(frozen=True)
class Popularity:
    """How often two products are bought at all: an association that knows nothing of pairs."""

    baskets: Ints

    def between(self, first: Ints, second: Ints) -> Reals:
        """Return the (pairs,) summed logarithms of both products' baskets."""
        return np.log1p(self.baskets)[first] + np.log1p(self.baskets)[second]


def pair_rows(data: str, baskets: pl.DataFrame, products: pl.DataFrame, cut: date, seed: int) -> list[Row]:
    """Return ``pair_auc``, ``pair_auc_unseen`` and ``pair_auc_cold`` of every reading.

    Baskets of the four weeks from ``cut`` on tell which pairs are bought together: in at least three of them; unseen
    pairs, never bought together before, in at least one. For cold pairs a fifth of the products, drawn by seed, is
    taken out of all baskets that are learned from, and at least one of the two is such a product; stand-ins of a
    product are cold where it is.
    """
    ids = products["product_id"].to_list()
    past = index_baskets(baskets.filter(pl.col("basket_on") < cut), ids)
    until = cut + timedelta(days=HELD_OUT_DAYS)
    later = index_baskets(baskets.filter(pl.col("basket_on") >= cut, pl.col("basket_on") < until), ids)
    first, second, together, _ = count_pairs(later, 1)
    counted = fit_cooccurrence(past, CooccurrenceParams())
    popularity = past.product_baskets()
    seen = _keys(*count_pairs(past, 1)[:2], len(ids))
    is_new = ~np.isin(_keys(first, second, len(ids)), seen)
    rows = []
    warm = _readings(past, counted, products, seed)
    rows += _measured(data, "pair_auc", warm, sample_pairs(first, second, together, popularity, seed))
    unseen = sample_pairs(first[is_new], second[is_new], together[is_new], popularity, seed, least=1)
    is_fresh = ~np.isin(_keys(unseen.other_first, unseen.other_second, len(ids)), seen)
    rows += _measured(data, "pair_auc_unseen", warm, _kept(unseen, is_fresh))
    is_cold = np.random.default_rng(seed).random(len(ids)) < COLD_SHARE
    of_warm = [name for name, cold in zip(ids, is_cold, strict=True) if not cold]
    without = baskets.filter(pl.col("basket_on") < cut).with_columns(
        pl.col("product_ids").list.filter(pl.element().is_in(of_warm))
    )
    known = index_baskets(without, ids)
    is_asked = is_cold[first] | is_cold[second]
    cold = sample_pairs(
        first, second, np.where(is_asked, together, 0), popularity, seed, groups=is_cold.astype(np.int64)
    )
    readings = _readings(known, fit_cooccurrence(known, CooccurrenceParams()), products, seed)
    readings["popularity"] = Popularity(popularity)
    return rows + _measured(data, "pair_auc_cold", readings, cold)


def _readings(
    baskets: IndexedBaskets, counted: Cooccurrence, products: pl.DataFrame, seed: int
) -> dict[str, Reading | Popularity]:
    return {
        "lift": counted.matrix("lift"),
        "population_lift": counted.matrix("population_lift"),
        "cosine": counted.matrix("cosine"),
        "scaled_cosine": AttributeCosine(attribute_vectors(products)),
        **other_readings(baskets, products, seed),
        "popularity": Popularity(baskets.product_baskets()),
    }


def _measured(data: str, metric: str, readings: dict[str, Reading | Popularity], sample: PairSample) -> list[Row]:
    found = {name: auc_interval(reading, sample) for name, reading in readings.items()}
    peer = found[PEER][0]
    return [
        Row(f"association/{name}/{data}/{metric}", *(value, "share", low, high), *(
            (None, None) if name == PEER else (PEER, value / peer)
        ))
        for name, (value, low, high) in found.items()
    ]  # fmt: skip


def auc_interval(reading: Reading | Popularity, sample: PairSample) -> tuple[float, float, float]:
    """Return the area under the curve and its 95 % interval, pairs taken as independent.

    Source
    ------
    DeLong, DeLong and Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver operating
    characteristic curves, Biometrics 44(3).
    """
    bought = reading.between(sample.first, sample.second)
    others = reading.between(sample.other_first, sample.other_second)
    ranks = rankdata(np.concatenate([bought, others]))
    n, m = len(bought), len(others)
    above = (ranks[:n] - rankdata(bought)) / m
    below = 1 - (ranks[n:] - rankdata(others)) / n
    half = 1.96 * np.sqrt(above.var(ddof=1) / n + below.var(ddof=1) / m)
    return float(above.mean()), float(above.mean() - half), float(above.mean() + half)


def _keys(first: Ints, second: Ints, products: int) -> Ints:
    return first.astype(np.int64) * products + second


def _kept(sample: PairSample, is_kept: np.ndarray) -> PairSample:
    sides = (sample.first, sample.second, sample.other_first, sample.other_second)
    return PairSample(*(side[is_kept] for side in sides))
