"""How likely a customer does not come within four weeks, from when they came before.

A logistic regression on recency, frequency, gaps between visits and their trend, fitted on windows of the past in which
is known who came; its probabilities need no further calibration there. The interval holds what the windows leave open
about its weights: rows of one customer are not independent, so their scores are added up by customer.

Beside it stands what the customer's rhythm alone would say: visits at random with the customer's own mean gap.

Source
------
Buckinx and Van den Poel (2005), Customer base analysis: partial defection of behaviourally loyal clients in a
non-contractual FMCG retail setting, European Journal of Operational Research 164 (the features).
Liang and Zeger (1986), Longitudinal data analysis using generalized linear models, Biometrika 73 (the interval).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

WINDOW_DAYS = 28
WINDOWS = 5
"""Past windows that are learned from: customers of ten weeks ago still behave as those of today."""
LEAST_VISITS = 3
"""Two gaps: fewer say nothing of how regular somebody is."""
LEAST_OUTCOMES = 20
"""Customers who stayed away, and who came, that the past must show."""
PENALTY = 1.0
"""Of the squared weights, on features of unit spread."""
WIDTH = 1.959964
Reals = NDArray[np.float64]
DESCRIBED = ("visits", "days_since_last", "tenure_days", "mean_gap_days", "gap_deviation_days", "longest_gap_days",
             "last_gap_days", "visits_4", "visits_8", "visits_12", "decayed_visits")  # fmt: skip


def visit_days(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return ``customer_id`` and ``visited_on``, each day once, of rows of ``features.ftr_baskets``."""
    known = baskets.drop_nulls("customer_id").select("customer_id", visited_on="basket_on")
    return known.unique().sort("customer_id", "visited_on")


def describe(visits: pl.DataFrame, through: date) -> pl.DataFrame:
    """Return what the visits until the evening of ``through`` say of each customer with at least three.

    Returns
    -------
    ``customer_id``, ``DESCRIBED`` (days are counted from the next morning), ``last_on``, and ``usual_risk``: the
    probability of no visit in a window by the mean gap alone. By customer.
    """
    age = (pl.lit(through + timedelta(days=1)) - pl.col("visited_on")).dt.total_days()
    known = visits.filter(pl.col("visited_on") <= through).sort("customer_id", "visited_on").with_columns(age=age)
    known = known.with_columns(gap=-pl.col("age").diff().over("customer_id"))
    within = [pl.col("age").is_between(28 * k + 1, 28 * (k + 1)).sum().alias(f"visits_{4 * (k + 1)}") for k in range(3)]
    described = known.group_by("customer_id").agg(
        pl.len().alias("visits"),
        pl.col("visited_on").max().alias("last_on"),
        pl.col("age").min().alias("days_since_last"),
        pl.col("age").max().alias("tenure_days"),
        pl.col("gap").mean().alias("mean_gap_days"),
        pl.col("gap").std().alias("gap_deviation_days"),
        pl.col("gap").max().alias("longest_gap_days"),
        pl.col("gap").last().alias("last_gap_days"),
        *within,
        (-pl.col("age") / 30).exp().sum().alias("decayed_visits"),
    )
    usual = (-WINDOW_DAYS / pl.col("mean_gap_days")).exp()
    return described.filter(pl.col("visits") >= LEAST_VISITS).with_columns(usual_risk=usual).sort("customer_id")


def stayed_away(visits: pl.DataFrame, described: pl.DataFrame, through: date) -> Reals:
    """Return (customers,) 1 where a described customer did not come in the window after ``through``, else 0."""
    last = through + timedelta(days=WINDOW_DAYS)
    came = visits.filter(pl.col("visited_on") > through, pl.col("visited_on") <= last)["customer_id"].unique()
    return (~described["customer_id"].is_in(came.implode())).cast(pl.Float64).to_numpy()


@dataclass(frozen=True)
class LapseModel:
    """Weights of the regression, and how sure they are.

    Attributes
    ----------
    mean, spread
        (features,) of the columns it was fitted on.
    weights
        (features + 1,) the last is the intercept.
    covariance
        (features + 1, features + 1) of the weights.
    windows
        Past windows it was fitted on.
    """

    mean: Reals
    spread: Reals
    weights: Reals
    covariance: Reals
    windows: int

    def risk(self, described: pl.DataFrame) -> tuple[Reals, Reals, Reals]:
        """Return (customers,) probabilities of no visit in the next window, and the ends of their 95 % intervals."""
        columns = _with_intercept((_columns(described) - self.mean) / self.spread)
        score = columns @ self.weights
        error = WIDTH * np.sqrt(np.einsum("cf,fg,cg->c", columns, self.covariance, columns))
        return expit(score), expit(score - error), expit(score + error)


def fit_lapse(visits: pl.DataFrame, through: date) -> LapseModel | None:
    """Return a model fitted on the windows that end on or before ``through``.

    Returns
    -------
    None where the past shows too few customers who stayed away, or who came.
    """
    frames, outcomes = [], []
    for back in range(1, WINDOWS + 1):
        origin = through - timedelta(days=WINDOW_DAYS * back)
        described = describe(visits, origin)
        if described.height:
            frames.append(described)
            outcomes.append(stayed_away(visits, described, origin))
    if not frames:
        return None
    rows, outcome = pl.concat(frames), np.concatenate(outcomes)
    if min(outcome.sum(), len(outcome) - outcome.sum()) < LEAST_OUTCOMES:
        return None
    raw = _columns(rows)
    mean, spread = raw.mean(axis=0), raw.std(axis=0) + 1e-9
    columns = (raw - mean) / spread
    fitted = LogisticRegression(C=1 / PENALTY, max_iter=2000).fit(columns, outcome)
    weights = np.append(fitted.coef_[0], fitted.intercept_[0])
    who = rows["customer_id"].rank("dense").to_numpy().astype(np.int64) - 1
    return LapseModel(mean, spread, weights, _covariance(_with_intercept(columns), outcome, weights, who), len(frames))


def _covariance(columns: Reals, outcome: Reals, weights: Reals, who: NDArray[np.int64]) -> Reals:
    """Return the covariance of the weights where rows of one customer move together (a sandwich of clusters)."""
    probability = expit(columns @ weights)
    curvature = columns.T @ (columns * (probability * (1 - probability))[:, None])
    curvature[:-1, :-1] += PENALTY * np.eye(columns.shape[1] - 1)
    slopes = np.zeros((who.max() + 1, columns.shape[1]))
    np.add.at(slopes, who, columns * (outcome - probability)[:, None])
    inverse = np.linalg.inv(curvature)
    covariance: Reals = inverse @ (slopes.T @ slopes) @ inverse
    return covariance


def _columns(described: pl.DataFrame) -> Reals:
    """Return (customers, features): logarithms, and how overdue a visit is by the mean and the longest gap."""
    known = described.with_columns(pl.col("gap_deviation_days").fill_null(0.0)).select(DESCRIBED).to_numpy()
    logs = np.log1p(known.astype(np.float64))
    place = {name: at for at, name in enumerate(DESCRIBED)}
    since = logs[:, place["days_since_last"]]
    overdue = since - logs[:, place["mean_gap_days"]]
    beyond = since - logs[:, place["longest_gap_days"]]
    return np.column_stack([logs, overdue, overdue**2, beyond, since**2])


def _with_intercept(columns: Reals) -> Reals:
    return np.column_stack([columns, np.ones(len(columns))])
