"""Pair counts made from the data before each window, and measured on the baskets after it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence
from ml.association.counting import count_pairs, expected_pairs
from ml.contest.cold import ColdWindow, cold_window
from ml.contest.pair_plan import OURS
from ml.errors import NotEnoughDataError
from ml.evaluation.association_gate import PairRivalry
from ml.evaluation.bootstrap import paired_bootstrap
from ml.evaluation.pair_metrics import (
    PairSample,
    Reading,
    Reals,
    auc_by_group,
    measure,
    predicted_over_actual,
    sample_pairs,
)
from ml.evaluation.splits import rolling_origins
from ml.settings import Settings
from ml.training import Shop

Readings = Callable[[Cooccurrence, IndexedBaskets, pl.DataFrame], Mapping[str, Reading]]
"""Makes readings of what was counted, its baskets and the catalogue of its products."""


@dataclass(frozen=True)
class PairWindow:
    """What all readings showed in one window.

    Attributes
    ----------
    origin
        Last day that was counted.
    metrics
        By reading, those of :func:`ml.evaluation.pair_metrics.measure`; where counted, ``pairs`` with evidence and
        ``predicted_over_actual``, baskets with both in the window that the lift foretells over those there were.
    customers
        Who the recalls are of; a basket without a customer has a name of its own.
    recalls
        By reading, completion recall@10 of each of ``customers``.
    sample
        The pairs that all were asked to tell.
    segments
        By reading that was counted, pair AUC by department.
    cold
        How pairs of products without sales are told.
    """

    origin: date
    metrics: Mapping[str, Mapping[str, float]]
    customers: tuple[str, ...]
    recalls: Mapping[str, Reals]
    readings: Mapping[str, Reading]
    sample: PairSample
    segments: Mapping[str, Mapping[str, float]]
    cold: ColdWindow


def counted(baskets: pl.DataFrame, params: CooccurrenceParams) -> Cooccurrence:
    """Return the pair counts of baskets.

    Raises
    ------
    NotEnoughDataError
        When no pair has enough evidence.
    """
    model = fit_cooccurrence(index_baskets(baskets), params)
    if not len(model.first):
        raise NotEnoughDataError(
            f"among {model.baskets_total} baskets no pair lies in {params.min_pair_baskets} of them"
        )
    return model


def pair_windows(
    baskets: pl.DataFrame,
    products: pl.DataFrame,
    as_of: date,
    entrants: Mapping[str, tuple[CooccurrenceParams, int]],
    readings: Readings,
    settings: Settings,
    seed: int,
) -> tuple[list[PairWindow], list[str]]:
    """Return the windows that could be measured, oldest first, and what could not and why.

    Parameters
    ----------
    entrants
        By name, how pairs are counted and by how many windows the data are older; among them the candidate.
    readings
        What stands beside them in the newest window.

    Raises
    ------
    NotEnoughDataError
        When there is not enough to count before the newest window.
    """
    days = settings.preference.holdout_days
    last, found, notes = as_of - timedelta(days=days), [], []
    for origin in rolling_origins(last, settings.preference.gate_windows, days):
        past = Shop.of(baskets, products, settings.min_product_baskets, origin)
        known = past.baskets.filter(pl.col("basket_on") <= origin)
        models: dict[str, Cooccurrence] = {}
        for name, (params, older) in entrants.items():
            until = origin - timedelta(days=days * older)
            try:
                shop = Shop.of(baskets, products, settings.min_product_baskets, until) if older else past
                models[name] = counted(shop.baskets.filter(pl.col("basket_on") <= until), params)
            except NotEnoughDataError as error:
                if name == OURS and origin == last:
                    raise
                notes.append(f"{'nothing' if name == OURS else f'no {name}'} after {origin}: {error}")
        if OURS not in models:
            continue
        ids = models[OURS].product_ids
        catalogue = pl.DataFrame({"product_id": ids}).join(products, on="product_id", how="left", maintain_order="left")
        compared: dict[str, Reading] = {name: model.matrix("lift", ids) for name, model in models.items()}
        before = index_baskets(known, ids)
        if origin == last:
            compared |= readings(models[OURS], before, catalogue)
        within = pl.col("basket_on").is_between(origin + timedelta(days=1), origin + timedelta(days=days))
        after = index_baskets(past.baskets.filter(within), ids)
        cold = cold_window(before, after, catalogue, seed, settings.association.sentences)
        found.append(_measured(origin, compared, models, after, catalogue, cold, seed))
    return found, notes


def _measured(
    origin: date,
    readings: Mapping[str, Reading],
    models: Mapping[str, Cooccurrence],
    after: IndexedBaskets,
    catalogue: pl.DataFrame,
    cold: ColdWindow,
    seed: int,
) -> PairWindow:
    first, second, pair_baskets, _ = count_pairs(after, 1)
    sample = sample_pairs(first, second, pair_baskets, models[OURS].product_baskets, seed)
    departments = catalogue["department"].fill_null("unknown").to_numpy()
    metrics, recalls, segments, owners = {}, {}, {}, np.empty(0, np.int64)
    for name, reading in readings.items():
        shown, owners, recalls[name] = measure(reading, sample, after.starts, after.items, after.customers, seed)
        if name in models:
            shown |= {"pairs": float(len(models[name].first))}
            shown |= predicted_over_actual(*_foretold(models[name], after))
            segments[name] = auc_by_group(sample, reading.between, departments)
        metrics[name] = shown
    names = tuple(after.customer_ids[code] if code >= 0 else f"{origin}:{code}" for code in owners.tolist())
    return PairWindow(origin, metrics, names, recalls, readings, sample, segments, cold)


def _foretold(model: Cooccurrence, after: IndexedBaskets) -> tuple[Reals, Reals]:
    """Return for each counted pair the baskets with both that its lift makes of the window's habits, and those seen."""
    place = {product: code for code, product in enumerate(after.product_ids)}
    codes = np.array([place.get(product, -1) for product in model.product_ids], np.int32)
    lift, first, second = model.values("lift"), codes[model.first], codes[model.second]
    kept = (first >= 0) & (second >= 0)
    first, second = first[kept], second[kept]
    one, other, _, seen = count_pairs(after.of_known_customers(), 1)
    n = len(after.product_ids)
    keys = one.astype(np.int64) * n + other
    wanted = first.astype(np.int64) * n + second
    at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    met = np.where(keys[at] == wanted, seen[at], 0) if len(keys) else np.zeros(len(wanted))
    return lift[kept] * expected_pairs(after, first, second), met.astype(float)


def pair_rivalry(
    windows: Sequence[PairWindow], own: str, other: str, rival: str, draws: int, seed: int
) -> PairRivalry | None:
    """Return entrant ``own`` beside entrant ``other`` over the windows both were in; None where they never met."""
    met = [one for one in windows if own in one.recalls and other in one.recalls]
    if not met:
        return None
    ours, theirs = (by_customer(met, name) for name in (own, other))

    def means(metric: str) -> tuple[float, float]:
        values = [[one.metrics[name].get(metric, np.nan) for one in met] for name in (own, other)]
        return float(np.mean(values[0])), float(np.mean(values[1]))

    departments = set.intersection(*(set(one.segments[name]) for one in met for name in (own, other)))
    lost = {
        name: float(np.mean([one.segments[own][name] - one.segments[other][name] for one in met]))
        for name in sorted(departments)
    }
    gain = paired_bootstrap(ours, theirs, draws, seed)
    guarded = (means("pair_auc"), means("pairs"), means("predicted_over_actual"))
    return PairRivalry(len(met), gain, *guarded, lost, rival)


def by_customer(windows: Sequence[PairWindow], reading: str) -> Reals:
    """Return the completion recall@10 of each customer, the mean over their windows, in one order for all readings."""
    names = np.array([name for one in windows for name in one.customers])
    _, codes = np.unique(names, return_inverse=True)
    recalls = np.concatenate([one.recalls[reading] for one in windows])
    return np.asarray(np.bincount(codes, recalls) / np.maximum(np.bincount(codes), 1))
