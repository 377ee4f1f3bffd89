"""All readings of pairs in one picture."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ml.evaluation.bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pair_readings(shown: Mapping[str, Mapping[str, Interval]], metrics: Sequence[str]) -> "Figure":
    """Return a panel for each metric: every reading that has it, best above, with its 95 % interval where there is one.

    Parameters
    ----------
    shown
        By reading, its metrics by name.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(metrics), 0.3 * len(shown) + 1.5))
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        known = {name: values[metric] for name, values in shown.items() if metric in values}
        for name in sorted(known, key=lambda one: (known[one].value, one)):
            point = known[name]
            ends = None if point.low != point.low else [[point.value - point.low], [point.high - point.value]]
            axes.errorbar([point.value], [name], xerr=ends, fmt="o", capsize=3, color="tab:blue")
        axes.set_xlabel(f"{metric}, 95 % interval")
    figure.tight_layout()
    return figure
