"""Pictures of an evaluation, for the tracking server."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def recall_by_k(curves: Mapping[str, Sequence[float]], ks: Sequence[int]) -> "Figure":
    """Return recall against k, one line a model."""
    figure, axes = _figure("k", "recall@k")
    for name, values in curves.items():
        axes.plot(ks, values, marker="o", label=name)
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


def _figure(x: str, y: str) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5))
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    return figure, axes
