"""Pictures of an evaluation, for the tracking server."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ml.evaluation.bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]


def recall_by_k(curves: Mapping[str, Sequence[Interval]], ks: Sequence[int]) -> "Figure":
    """Return recall against k with 95 % intervals by customer, one line a model."""
    figure, axes = _figure("k", "recall@k, 95 % interval by customer")
    for name, points in curves.items():
        axes.errorbar(ks, [one.value for one in points], yerr=_bars(points), marker="o", capsize=3, label=name)
    axes.legend()
    return figure


def reliability_diagram(table: pl.DataFrame) -> "Figure":
    """Return observed against predicted shares with their intervals; the diagonal is perfect calibration."""
    figure, axes = _figure("predicted", "observed")
    below = (table["observed"] - table["low"]).clip(lower_bound=0)
    above = (table["high"] - table["observed"]).clip(lower_bound=0)
    axes.errorbar(table["predicted"], table["observed"], yerr=[below.to_numpy(), above.to_numpy()], fmt="o")
    top = max(float(table["predicted"].max() or 0), float(table["observed"].max() or 0))  # type: ignore[arg-type]
    axes.plot([0, top], [0, top], linestyle="--", color="grey")
    return figure


def shares(values: Mapping[str, float], label: str, most: int = 20) -> "Figure":
    """Return a bar for each of the largest values."""
    figure, axes = _figure(label, "")
    largest = sorted(values.items(), key=lambda item: item[1])[-most:]
    axes.barh([name for name, _ in largest], [value for _, value in largest])
    figure.tight_layout()
    return figure


def differences(gains: Mapping[str, Interval], label: str) -> "Figure":
    """Return each difference with its 95 % interval; what does not touch the line at 0 is beyond chance."""
    figure, axes = _figure(f"{label}, 95 % interval by customer", "")
    names = sorted(gains, key=lambda name: gains[name].value)
    points = [gains[name] for name in names]
    axes.errorbar([one.value for one in points], names, xerr=_bars(points), fmt="o", capsize=3)
    axes.axvline(0, linestyle="--", color="grey")
    figure.tight_layout()
    return figure


def learning_curve(curve: Sequence[tuple[float, float]], step: str, watched: str) -> "Figure":
    """Return a loss (or what else is watched) of training and held-out examples by step; what is NaN is not drawn."""
    figure, axes = _figure(step, watched)
    steps = range(1, len(curve) + 1)
    for name, losses in zip(("training", "held out"), zip(*curve, strict=True), strict=True):
        if np.isfinite(losses).any():
            axes.plot(steps, losses, label=name)
    axes.legend()
    return figure


def segment_bars(segments: pl.DataFrame) -> "Figure":
    """Return recall@20 with its interval, NDCG@10 and calibration error of each segment, side by side.

    What is null was not measured and has no bar, which would read as 0.

    Parameters
    ----------
    segments
        Of :class:`ml.evaluation.measured.Measured`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 1.5 + 0.4 * segments.height))
    first, second, third = figure.subplots(1, 3, sharey=True)
    names = [f"{name} ({count})" for name, count in segments.select("segment", "customers").iter_rows()]
    points = [Interval(*row) for row in segments.select("recall_20", "low", "high").iter_rows()]
    first.barh(names, [one.value for one in points], xerr=_bars(points), capsize=3)
    first.set_xlabel("recall@20, 95 % interval by customer")
    for axes, column, label in ((second, "ndcg_10", "NDCG@10"), (third, "ece", "calibration error")):
        is_there = segments[column].is_not_null()
        axes.barh([name for name, shown in zip(names, is_there, strict=True) if shown], segments[column].drop_nulls())
        axes.set_xlabel(label)
    figure.tight_layout()
    return figure


def contribution_summary(
    names: Sequence[str], features: Floats, contributions: Floats, most: int = 15, seed: int = 0
) -> "Figure":
    """Return what each feature adds to the log odds of each row, coloured by the feature's rank among the rows.

    Parameters
    ----------
    names
        (features,)
    features, contributions
        (rows, features); contributions as SHAP values.

    Source
    ------
    Lundberg and Lee (2017), A unified approach to interpreting model predictions, NIPS 30 (summary plot).
    """
    figure, axes = _figure("what it adds to the log odds (SHAP value)", "")
    chosen = np.argsort(np.abs(contributions).mean(axis=0))[-most:]
    jitter = np.random.default_rng(seed).uniform(-0.35, 0.35, len(features))
    for height, column in enumerate(chosen):
        rank = np.argsort(np.argsort(features[:, column])) / max(1, len(features) - 1)
        axes.scatter(contributions[:, column], height + jitter, c=rank, cmap="coolwarm", s=4)
    axes.set_yticks(range(len(chosen)), [names[column] for column in chosen])
    axes.set_title("blue: the feature is low, red: high", fontsize=9)
    figure.tight_layout()
    return figure


def _bars(points: Sequence[Interval]) -> list[list[float]]:
    return [[max(0.0, one.value - one.low) for one in points], [max(0.0, one.high - one.value) for one in points]]


def _figure(x: str, y: str) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5))
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    return figure, axes
