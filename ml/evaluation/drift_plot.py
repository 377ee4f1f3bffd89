"""Drift as a picture, for the report."""

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def against_limit(rows: pl.DataFrame) -> "Figure":
    """Return a bar for each population stability index, and the limit as a line; what has drifted is red.

    Parameters
    ----------
    rows
        ``subject``, ``value``, ``limit_value``, ``verdict``, values known.
    """
    from matplotlib.figure import Figure

    table = rows.sort("value", "subject")
    figure = Figure(figsize=(7, 1.5 + 0.4 * table.height))
    axes = figure.subplots()
    colours = ["tab:red" if verdict == "drifted" else "tab:blue" for verdict in table["verdict"]]
    axes.barh(table["subject"].to_list(), table["value"].to_list(), color=colours)
    axes.axvline(float(table["limit_value"][0]), linestyle="--", color="grey")
    axes.set_xlabel("population stability index; dashed: the limit")
    axes.grid(alpha=0.3, axis="x")
    figure.tight_layout()
    return figure
