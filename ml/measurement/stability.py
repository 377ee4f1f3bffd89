"""Whether the shop's days still look like those that the champion was trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.evaluation.drift import DriftCheck, DriftParams, drift_of, freshness
from ml.measurement.readout import Row

MOST_SCORES = 100_000
"""Scores of a run that are compared: chance is told from drift with far fewer."""
FEWEST_DAYS = 7
"""A part of a week differs from whole weeks by its weekdays."""

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Span:
    """Some days, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """Return how many."""
        return (self.last - self.first).days + 1


def spans(cut_off: date, as_of: date, days: int) -> tuple[Span, Span]:
    """Return the last days the champion learnt from, and as many that it did not, or as there are."""
    then = Span(cut_off - timedelta(days=days - 1), cut_off)
    return then, Span(max(as_of - timedelta(days=days - 1), cut_off + timedelta(days=1)), as_of)


def feature_rows(
    baskets: pl.DataFrame, product_days: pl.DataFrame, then: Span, now: Span, params: DriftParams
) -> Iterator[Row]:
    """Yield a row of ``ml.drift_checks`` for each number that the models read off baskets and prices.

    Parameters
    ----------
    baskets, product_days
        ``features.ftr_baskets`` and ``features.ftr_product_days`` of the day, which hold all days before.
    """
    ordinary = _with_gaps(baskets, then.days)
    priced = product_days.with_columns(
        sold_price_cents=pl.col("price_cents"),
        discount_share=pl.col("discount_cents") / (pl.col("revenue_cents") + pl.col("discount_cents")),
    )
    for frame, day, subjects in (
        (ordinary, "basket_on", ("basket_products", "basket_cents", "days_since_last_basket")),
        (priced, "sold_on", ("sold_price_cents", "discount_share")),
    ):
        for subject in subjects:
            before, after = (
                _values(frame.filter(pl.col(day).is_between(at.first, at.last)), subject) for at in (then, now)
            )
            check = drift_of(subject, before, after, params)
            yield row_of("feature", _judged(check, frame[day].min(), then, now), then, now)


def _judged(check: DriftCheck, first: object, then: Span, now: Span) -> DriftCheck:
    """Return the check, unjudged where one of the periods is cut short."""
    if now.days < FEWEST_DAYS:
        reason = f"not judged: {max(0, now.days)} days since the champion's data cut-off, needed are {FEWEST_DAYS}"
    elif isinstance(first, date) and first > then.first - timedelta(days=then.days):
        reason = f"not judged: the data begin on {first}, too late for {then.days} days and as many before them"
    else:
        return check
    return DriftCheck(
        check.subject, "psi", None, check.limit, None, check.reference_rows, check.rows, "not_judged", reason
    )


def _with_gaps(baskets: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return known customers' baskets with their worth, and the days since the one before; null beyond ``most``.

    Without that limit, the gaps would grow with the history that is known.
    """
    known = baskets.filter(pl.col("customer_id").is_not_null(), ~pl.col("is_giant"))
    gap = pl.col("basket_on").diff().over("customer_id", order_by="basket_on").dt.total_days()
    return known.with_columns(
        basket_cents=pl.col("paid_cents").list.sum(),
        days_since_last_basket=pl.when(gap <= most).then(gap),
    )


def _values(frame: pl.DataFrame, column: str) -> Floats:
    return frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def score_row(then: pl.Series, now: pl.Series, before: Span, after: Span, params: DriftParams, seed: int) -> Row:
    """Return the row about the preference of candidates, in a run and in an earlier one by the same version."""
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(scores.to_numpy())[:MOST_SCORES] for scores in (then, now)]
    return row_of("score", drift_of("preference", drawn[0], drawn[1], params), before, after)


def freshness_rows(tables: dict[str, pl.Series], as_of: date, params: DriftParams) -> Iterator[Row]:
    """Yield a row for the age of each table, given by the days of its rows."""
    for name, days in tables.items():
        newest = days.max()
        check = freshness(name, newest if isinstance(newest, date) else None, as_of, len(days), params)
        yield row_of("freshness", check)


def row_of(kind: str, check: DriftCheck, then: Span | None = None, now: Span | None = None) -> Row:
    """Return a check as a row of ``ml.drift_checks``."""
    return {
        "kind": kind,
        "subject": check.subject,
        "measure": check.measure,
        "value": check.value,
        "limit_value": check.limit,
        "check_p_value": check.check_p_value,
        "reference_rows": check.reference_rows,
        "now_rows": check.rows,
        "reference_from": then.first if then else None,
        "reference_to": then.last if then else None,
        "now_from": now.first if now and now.days > 0 else None,
        "now_to": now.last if now and now.days > 0 else None,
        "verdict": check.verdict,
        "reason": check.reason,
    }
