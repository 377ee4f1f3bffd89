"""Pair counts made from the data before each window, and measured on the baskets after it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence
from ml.association.counting import count_pairs
from ml.errors import DataError
from ml.evaluation.association_gate import PairRivalry
from ml.evaluation.bootstrap import paired_bootstrap
from ml.evaluation.pair_metrics import Reading, Reals, measure, sample_pairs
from ml.evaluation.splits import rolling_origins
from ml.settings import Settings
from ml.training import Shop

OURS, CHAMPION = "lift", "champion"
Readings = Callable[[Cooccurrence, IndexedBaskets, pl.DataFrame], Mapping[str, Reading]]
"""Makes readings of what was counted, its baskets and the products of the shop."""


@dataclass(frozen=True)
class PairWindow:
    """What all readings showed in one window.

    Attributes
    ----------
    origin
        Last day that was counted.
    metrics
        By reading, those of :func:`ml.evaluation.pair_metrics.measure` and ``pairs`` with evidence, where counted.
    recalls
        By reading, completion recall@10 of each customer, in the same order for all.
    """

    origin: date
    metrics: Mapping[str, Mapping[str, float]]
    recalls: Mapping[str, Reals]


def counted(baskets: pl.DataFrame, params: CooccurrenceParams) -> Cooccurrence:
    """Return the pair counts of baskets.

    Raises
    ------
    DataError
        When no pair has enough evidence.
    """
    model = fit_cooccurrence(index_baskets(baskets), params)
    if not len(model.first):
        raise DataError(
            f"not_enough_data: among {model.baskets_total} baskets no pair lies in {params.min_pair_baskets} of them"
        )
    return model


def pair_windows(
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    as_of: date,
    params: CooccurrenceParams,
    champion: tuple[CooccurrenceParams, int] | None,
    readings: Readings,
    settings: Settings,
    seed: int,
) -> tuple[list[PairWindow], list[str]]:
    """Return the windows that could be measured, oldest first, and what could not and why.

    Parameters
    ----------
    params
        Of the candidate.
    champion
        Params of the champion and by how many windows its data are older; None where it takes no part.
    readings
        What stands beside the candidate in the newest window.

    Raises
    ------
    DataError
        When there is not enough to count before the newest window.
    """
    days = settings.preference.holdout_days
    last, found, notes = as_of - timedelta(days=days), [], []
    for origin in rolling_origins(last, settings.preference.gate_windows, days):
        past = Shop.of(baskets, products, settings.min_product_baskets, origin)
        try:
            known = past.baskets.filter(pl.col("basket_on") <= origin)
            backtest = counted(known, params)
            compared: dict[str, Reading] = {OURS: backtest.matrix("lift")}
            pairs = {OURS: float(len(backtest.first))}
            if origin == last:
                compared |= readings(backtest, index_baskets(known, backtest.product_ids), past.products)
        except DataError as error:
            if origin == last:
                raise
            notes.append(f"nothing after {origin}: {error}")
            continue
        if champion:
            until = origin - timedelta(days=days * champion[1])
            older = Shop.of(baskets, products, settings.min_product_baskets, until)
            try:
                rival = counted(older.baskets.filter(pl.col("basket_on") <= until), champion[0])
            except DataError as error:
                notes.append(f"no champion after {origin}: {error}")
            else:
                compared[CHAMPION] = rival.matrix("lift", backtest.product_ids)
                pairs[CHAMPION] = float(len(rival.first))
        within = pl.col("basket_on").is_between(origin + timedelta(days=1), origin + timedelta(days=days))
        found.append(_measured(origin, compared, pairs, backtest, past.baskets.filter(within), seed))
    return found, notes


def _measured(
    origin: date,
    readings: Mapping[str, Reading],
    pairs: Mapping[str, float],
    backtest: Cooccurrence,
    after: pl.DataFrame,
    seed: int,
) -> PairWindow:
    held_out = index_baskets(after, backtest.product_ids)
    first, second, pair_baskets, _ = count_pairs(held_out, 1)
    sample = sample_pairs(first, second, pair_baskets, backtest.product_baskets, seed)
    metrics, recalls = {}, {}
    for name, reading in readings.items():
        shown, recalls[name] = measure(reading, sample, held_out.starts, held_out.items, held_out.customers, seed)
        metrics[name] = shown | ({"pairs": pairs[name]} if name in pairs else {})
    return PairWindow(origin, metrics, recalls)


def pair_rivalry(windows: Sequence[PairWindow], rival: str, draws: int, seed: int) -> PairRivalry | None:
    """Return the candidate beside the champion's recipe; None where they never met.

    A customer of two windows counts as two: baskets are drawn anew in each.
    """
    met = [one for one in windows if CHAMPION in one.recalls]
    if not met:
        return None
    ours, theirs = (np.concatenate([one.recalls[name] for one in met]) for name in (OURS, CHAMPION))

    def means(metric: str) -> tuple[float, float]:
        values = [[one.metrics[name].get(metric, np.nan) for one in met] for name in (OURS, CHAMPION)]
        return float(np.mean(values[0])), float(np.mean(values[1]))

    gain = paired_bootstrap(ours, theirs, draws, seed)
    return PairRivalry(len(met), gain, means("pair_auc"), means("pairs"), rival)
