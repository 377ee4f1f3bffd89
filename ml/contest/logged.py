"""What the run of one preference model shows in MLflow: metrics with intervals, pictures, what it learnt from."""

import logging
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import polars as pl

from ml.contest.windows import Contest
from ml.evaluation.bootstrap import Interval
from ml.evaluation.measured import KS, Measured
from ml.evaluation.paired import paired
from ml.evaluation.plots import (
    contribution_summary,
    differences,
    learning_curve,
    recall_by_k,
    reliability_diagram,
    segment_bars,
    shares,
)
from ml.preference.compression import Shrinkable
from ml.preference.contract import PreferenceModel
from ml.preference.ranker import Ranker
from ml.tracking import Run

HEADLINE = ("recall_10", "recall_20", "ndcg_10", "phr_10")
COMPARED = ("recall_20", "ndcg_10")
EXPLAINED_ROWS = 1000

log = logging.getLogger(__name__)


def log_results(run: Run, name: str, results: Sequence[Measured], draws: int, seed: int) -> None:
    """Log the metrics and pictures of model ``name`` in the newest window, and its headline metrics by window."""
    newest = results[-1]
    run.metrics(newest.facts)
    for metric, interval in headline(newest, draws, seed).items():
        run.metrics({f"{metric}_low": interval.low, f"{metric}_high": interval.high})
    for step, one in enumerate(results):
        run.metrics({f"{metric}_by_window": one.facts[metric] for metric in HEADLINE}, step=step)
    for k in KS:
        run.metrics({"recall_by_k": newest.facts[f"recall_{k}"]}, step=k)
    run.figure(recall_by_k({name: _curve(newest, draws, seed)}, KS), "plots/recall_by_k.png")
    run.figure(reliability_diagram(newest.reliability), "plots/reliability.png")
    run.figure(segment_bars(newest.segments), "plots/segments.png")
    run.table(newest.segments, "segments.json")


def log_model(run: Run, model: PreferenceModel, contest: Contest) -> None:
    """Log what is particular to a kind: how it learnt, its smaller form, and what a ranker's features are worth."""
    curve = getattr(model, "curve", None)
    if curve:
        watched = getattr(model, "watched", "loss").replace("@", "_")
        run.figure(learning_curve(curve, "step", watched), "plots/training_curve.png")
        for step, losses in enumerate(curve, start=1):
            named = zip((f"training_{watched}", f"held_out_{watched}"), losses, strict=True)
            run.metrics({name: value for name, value in named if isfinite(value)}, step=step)
    small = model.compression if isinstance(model, Shrinkable) else None
    if small:
        facts = {"int8_ndcg_10_loss": small.ndcg_10_loss, "int8_ndcg_10_loss_high": small.ndcg_10_loss_high}
        run.tags({"weights": "int8" if small.is_used else "float32", "weights_reason": small.reason})
        run.metrics({"int8_size_share": small.size_share, **{k: v for k, v in facts.items() if isfinite(v)}})
    if isinstance(model, Ranker):
        if model.constant:
            log.info("%s: the same in all training examples: %s", model.kind, ", ".join(model.constant))
            run.tags({"constant_features": ", ".join(model.constant)})
        asked, shop = contest.newest.candidates, contest.newest.shop
        every = max(1, asked.height // EXPLAINED_ROWS)
        features, contributions = model.contributions(shop.baskets, shop.products, asked.gather_every(every))
        run.figure(shares(model.importance(), "share of gain"), "plots/feature_importance.png")
        run.figure(contribution_summary(model.names, features, contributions), "plots/shap_summary.png")


def log_comparison(
    run: Run, results: Mapping[str, Sequence[Measured]], against: Sequence[str], draws: int, seed: int
) -> None:
    """Log all models side by side, and their paired differences against each of ``against``."""
    newest = {name: found[-1] for name, found in results.items() if found}
    rows = [{"model": name, **one.facts} for name, one in newest.items()]
    run.table(pl.DataFrame(rows, infer_schema_length=None), "models.json")
    curves = {name: _curve(one, draws, seed) for name, one in newest.items()}
    run.figure(recall_by_k(curves, KS), "plots/recall_by_k.png")
    table: list[dict[str, Any]] = []
    for rival in against:
        others = [name for name in newest if name != rival]
        for metric in COMPARED:
            gains = {name: paired(results[name], results[rival], metric, draws, seed) for name in others}
            run.figure(differences(gains, f"{metric} minus {rival}'s"), f"plots/{metric}_over_{rival}.png")
            table += [
                {"model": name, "against": rival, "metric": metric, "difference": gain.value, "low": gain.low,
                 "high": gain.high, "is_beyond_chance": gain.excludes_zero}
                for name, gain in gains.items()
            ]  # fmt: skip
    run.table(pl.DataFrame(table), "differences.json")
    run.metrics({f"{row['metric']}_{row['model']}_over_{row['against']}": row["difference"] for row in table})


def _curve(result: Measured, draws: int, seed: int) -> list[Interval]:
    return [result.interval(f"recall_{k}", draws, seed) for k in KS]


def headline(result: Measured, draws: int, seed: int) -> dict[str, Interval]:
    """Return the main metrics of a window with their intervals."""
    return {metric: result.interval(metric, draws, seed) for metric in HEADLINE}


def carded(result: Measured, draws: int, seed: int) -> dict[str, Interval]:
    """Return what a model card shows: the headline with intervals, calibration and coverage without."""
    alone = ("brier", "base_rate_brier", "ece", "customer_coverage", "product_coverage_20", "new_customers_recall_20")
    nan = float("nan")
    plain = {name: Interval(result.facts[name], nan, nan) for name in alone if name in result.facts}
    return headline(result, draws, seed) | plain
