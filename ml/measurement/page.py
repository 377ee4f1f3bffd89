"""What was measured as one page that needs nothing beside it: tables, and pictures within the text."""

import base64
import io
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from ml.evaluation.drift_plot import against_limit
from ml.evaluation.policy_plot import intervals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = (
    "body{font:15px sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.25em .5em;text-align:left}img{max-width:100%}.wide{overflow-x:auto}"
)
SHOWN = {
    "experiment": ("measure", "arm", "control", "customers", "control_customers", "mean_cents", "control_mean_cents",
                   "difference_cents", "adjusted_difference_cents", "adjusted_uplift_share", "refusal_reason"),
    "off_policy": ("target", "reward", "estimator", "impressions", "effective_impressions", "observed", "value", "low",
                   "high", "refusal_reason"),
    "drift": ("kind", "subject", "measure", "value", "limit_value", "check_p_value", "verdict", "reason"),
}  # fmt: skip


def page(
    title: str, readouts: pl.DataFrame, values: pl.DataFrame, checks: pl.DataFrame, lacking: dict[str, str]
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    readouts, values, checks
        Rows of ``ml.experiment_readouts``, ``ml.off_policy_values`` and ``ml.drift_checks`` of a run.
    lacking
        Why a result has no rows, by the name of its table.
    """
    parts = [
        _section("Experiment", SHOWN["experiment"], readouts, lacking.get("experiment_readouts"), _uplifts(readouts)),
        _section("Policies before their launch", SHOWN["off_policy"], values, lacking.get("off_policy_values"),
                 _values(values)),
        _section("Drift and freshness", SHOWN["drift"], checks, lacking.get("drift_checks"), _drift(checks)),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = f"<h1>{escape(title)}</h1>{''.join(parts)}"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _uplifts(rows: pl.DataFrame) -> Iterator["Figure"]:
    told = rows.drop_nulls("difference_cents")
    for (measure,), part in told.partition_by("measure", as_dict=True, maintain_order=True).items():
        kinds = [
            part.select(
                policy=pl.format("{} {}", "arm", pl.lit(word)),
                value=f"{prefix}difference_cents",
                low=f"{prefix}difference_low_cents",
                high=f"{prefix}difference_high_cents",
            )
            for word, prefix in (("raw", ""), ("adjusted", "adjusted_"))
        ]
        yield intervals(pl.concat(kinds), f"{measure} per customer over the control arm, in cents")


def _values(rows: pl.DataFrame) -> Iterator["Figure"]:
    told = rows.drop_nulls("value").with_columns(policy=pl.format("{} ({})", "target", "estimator"))
    for (reward,), part in told.partition_by("reward", as_dict=True, maintain_order=True).items():
        observed = part.select(policy=pl.lit("as logged"), value="observed", low="observed", high="observed").head(1)
        shown = pl.concat([part.select("policy", "value", "low", "high"), observed])
        yield intervals(shown, f"{reward} per impression")


def _drift(rows: pl.DataFrame) -> Iterator["Figure"]:
    told = rows.filter(pl.col("measure") == "psi").drop_nulls("value")
    if told.height:
        yield against_limit(told)


def _section(
    title: str, columns: tuple[str, ...], rows: pl.DataFrame, lacking: str | None, figures: Iterator["Figure"]
) -> str:
    body = f"<p>{escape(lacking)}</p>" if lacking else _table(rows.select(columns))
    return f"<h2>{escape(title)}</h2>{body}{''.join(map(_picture, figures))}"


def _table(rows: pl.DataFrame) -> str:
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in rows.columns)
    body = "".join(f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in row)}</tr>" for row in rows.iter_rows())
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _text(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _picture(figure: "Figure") -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    label = escape(figure.axes[0].get_xlabel())
    return f'<p><img alt="{label}" src="data:image/png;base64,{base64.b64encode(file.getvalue()).decode("ascii")}"></p>'
