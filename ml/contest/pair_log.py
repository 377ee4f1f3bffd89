"""What the runs of an association comparison show: metrics with intervals, plots, the differences side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import polars as pl

from ml.contest.counts import PairWindow
from ml.contest.pair_plan import OURS
from ml.datasets import Dataset
from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.evaluation.pair_metrics import auc_interval
from ml.evaluation.pair_plot import pair_readings
from ml.evaluation.plots import differences, shares
from ml.publishing.promotion import Decision
from ml.tracking import Run

AUC, RECALL = "pair_auc", "completion_recall_10"


def intervals(window: PairWindow, name: str, draws: int, seed: int) -> dict[str, Interval]:
    """Return a reading's metrics on a window; those without an interval have NaN for its ends."""
    nan = float("nan")
    plain = {metric: Interval(value, nan, nan) for metric, value in window.metrics[name].items()}
    if RECALL in plain:
        plain[RECALL] = bootstrap_mean(window.recalls[name], draws, seed)
    if AUC in plain and len(window.sample.first) > 1:
        sample, reading = window.sample, window.readings[name]
        bought = reading.between(sample.first, sample.second)
        plain[AUC] = auc_interval(bought, reading.between(sample.other_first, sample.other_second))
    return plain


def log_reading(run: Run, datasets: Sequence[Dataset], window: PairWindow, name: str, draws: int, seed: int) -> None:
    """Log what a reading showed on the newest window, with its department bars where it was counted."""
    for data in datasets:
        run.dataset(data)
    run.metrics(window.metrics[name])
    for metric, one in intervals(window, name, draws, seed).items():
        if one.low == one.low:
            run.metrics({f"{metric}_low": one.low, f"{metric}_high": one.high})
    if window.segments.get(name):
        run.figure(shares(window.segments[name], "pair AUC by department"), "plots/segments.png")


def log_pair_comparison(run: Run, window: PairWindow, decision: Decision, draws: int, seed: int) -> None:
    """Log all readings side by side, ours with its paired differences to each."""
    rows = [{"model": name, **values} for name, values in window.metrics.items()]
    run.table(pl.DataFrame(rows, infer_schema_length=None), "models.json")
    gains = {
        name: paired_bootstrap(window.recalls[OURS], recall, draws, seed)
        for name, recall in window.recalls.items()
        if name != OURS
    }
    table = [{"model": OURS, "against": name, **asdict(gain)} for name, gain in gains.items()]
    run.table(pl.DataFrame(table), "differences.json")
    run.figure(differences(gains, "completion recall@10, ours minus"), f"plots/{RECALL}_differences.png")
    shown: dict[str, Mapping[str, Interval]] = {name: intervals(window, name, draws, seed) for name in window.metrics}
    run.figure(pair_readings(shown, (AUC, RECALL)), "plots/pair_readings.png")
    run.text(decision.reason, "gate.txt")
