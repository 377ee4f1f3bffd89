"""Charts that more than one page draws."""

import altair as alt
import pandas as pd

LABEL_PIXELS = 400
"""Names of policies and products are read whole."""


def intervals(rows: pd.DataFrame, value: str, low: str, high: str, name: str, title: str) -> alt.LayerChart:
    """Return points with their 95 % intervals, a line for each ``name``."""
    # A layered chart cannot sort by a value of one of its layers, so the order is given.
    order = rows.sort_values(value, ascending=False)[name].tolist()
    axis = alt.Axis(labelLimit=LABEL_PIXELS)
    base = alt.Chart(rows).encode(y=alt.Y(f"{name}:N", title=None, sort=order, axis=axis))
    bars = base.mark_rule(strokeWidth=3, opacity=0.45).encode(
        x=alt.X(f"{low}:Q", title=title, scale=alt.Scale(zero=False)), x2=f"{high}:Q"
    )
    points = base.mark_point(filled=True, size=90).encode(
        x=alt.X(f"{value}:Q", title=title), tooltip=[name, value, low, high]
    )
    return bars + points


def bars(rows: pd.DataFrame, value: str, name: str, title: str) -> alt.Chart:
    """Return a bar for each ``name``, the longest first."""
    return (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X(f"{value}:Q", title=title),
            y=alt.Y(f"{name}:N", title=None, sort="-x", axis=alt.Axis(labelLimit=LABEL_PIXELS)),
            tooltip=[name, value],
        )
    )
