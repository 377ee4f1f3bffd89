"""The race of the solvers as a picture, for the tracking server."""

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABEL_POINTS = 13
"""Height of a label with its distance to the next, in points."""


def race_curve(points: pl.DataFrame) -> "Figure":
    """Return the gap to the optimum against time, both logarithmic, one line a solver with its name at its end.

    Parameters
    ----------
    points
        ``solver``, ``seconds`` (> 0, for each customer), ``mean_gap_pct`` (>= 0, percent of the optimum). Solvers
        are drawn in order of their first rows.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, FuncFormatter

    figure = Figure(figsize=(8, 5))
    axes = figure.subplots()
    solvers = points["solver"].unique(maintain_order=True).to_list()
    curves = [points.filter(solver=solver).sort("seconds") for solver in solvers]
    lines = [axes.plot(curve["seconds"], curve["mean_gap_pct"], marker="o", markersize=3)[0] for curve in curves]
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=0.01)  # reaches 0, which is where a race ends
    axes.set_ylim(-0.002, 150)
    axes.xaxis.set_major_formatter(EngFormatter(unit="s"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda gap, _: f"{gap:g} %"))
    axes.set_xlabel("time for each customer, one core")
    axes.set_ylabel("mean gap to the proven optimum")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.subplots_adjust(left=0.12, right=0.78, bottom=0.12, top=0.96)
    ends = [(float(curve["seconds"][-1]), float(curve["mean_gap_pct"][-1])) for curve in curves]
    for solver, line, end, shift in zip(solvers, lines, ends, _shifts(axes, ends), strict=True):
        axes.annotate(
            solver,
            end,
            (8, shift),
            textcoords="offset points",
            color=line.get_color(),
            va="center",
            annotation_clip=False,
        )
    return figure


def _shifts(axes: Any, ends: list[tuple[float, float]]) -> list[float]:
    """Return by how many points each label moves up so that none covers another."""
    heights = axes.transData.transform(ends)[:, 1] * 72 / axes.figure.dpi if ends else []
    shifts, lowest = [0.0] * len(ends), float("-inf")
    for place in sorted(range(len(ends)), key=lambda place: float(heights[place])):
        height = max(float(heights[place]), lowest)
        shifts[place] = height - float(heights[place])
        lowest = height + LABEL_POINTS
    return shifts
