"""The comparison of policies as a picture, for the tracking server."""

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def intervals(rows: pl.DataFrame, label: str) -> "Figure":
    """Return each policy's value with its 95 % interval, best on top.

    Parameters
    ----------
    rows
        ``policy``, ``value``, ``low``, ``high``.
    label
        What the value is.
    """
    from matplotlib.figure import Figure

    table = rows.sort("value")
    figure = Figure(figsize=(7, 1.5 + 0.5 * table.height))
    axes = figure.subplots()
    below = (table["value"] - table["low"]).clip(lower_bound=0).to_numpy()
    above = (table["high"] - table["value"]).clip(lower_bound=0).to_numpy()
    axes.errorbar(table["value"], table["policy"], xerr=[below, above], fmt="o", capsize=3)
    axes.set_xlabel(f"{label}, 95 % interval by customer")
    axes.grid(alpha=0.3, axis="x")
    figure.tight_layout()
    return figure
