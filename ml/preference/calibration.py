"""Calibration, used only where it helps on customers it was not fitted on: isotonic, or of log odds by a line."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]


TILT = 1e-6
"""Share of the raw probability in a calibrated one: it moves none by more, and keeps apart what a step would tie."""


@dataclass(frozen=True)
class Calibration:
    """A rising piecewise linear map from raw to calibrated probabilities; without knots it changes nothing.

    An isotonic fit is made of steps, on which many products would share one probability and lose their order; the
    map keeps it.

    Attributes
    ----------
    raw, calibrated
        Knots, each rising, in [0, 1].
    """

    raw: tuple[float, ...] = ()
    calibrated: tuple[float, ...] = ()

    def __call__(self, probability: Floats) -> Floats:
        """Return calibrated probabilities, (n,) in [0, 1], in the order of the raw ones."""
        if not self.raw:
            return np.clip(probability, 0.0, 1.0)
        stepped = np.interp(probability, self.raw, self.calibrated)
        return np.asarray((1 - TILT) * stepped + TILT * np.clip(probability, 0.0, 1.0))


def fit_isotonic(probability: Floats, outcome: Floats) -> Calibration:
    """Return the isotonic fit of outcomes (0 or 1) on probabilities, both (n,).

    Source
    ------
    Zadrozny and Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates, KDD.
    """
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(probability, outcome)
    return Calibration(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))


def calibrate_where_needed(probability: Floats, outcome: Floats, group: NDArray[np.int64]) -> Calibration:
    """Return an isotonic calibration when it lowers the Brier score out of sample, else none.

    Each half of the groups (customers) is judged by the fit on the other half; the map returned is fitted on all.

    Parameters
    ----------
    group
        (n,) number of the customer of each row.
    """
    half = group % 2 == 0
    if half.all() or not half.any():
        return Calibration()
    held_out = np.empty_like(probability)
    held_out[half] = fit_isotonic(probability[~half], outcome[~half])(probability[half])
    held_out[~half] = fit_isotonic(probability[half], outcome[half])(probability[~half])
    if np.mean((held_out - outcome) ** 2) >= np.mean((probability - outcome) ** 2):
        return Calibration()
    return fit_isotonic(probability, outcome)


@dataclass(frozen=True)
class LogOddsLine:
    """Log odds times ``slope`` plus ``shift``: no step, so it ties no two products and says neither 0 nor 1."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, log_odds: Floats) -> Floats:
        """Return calibrated probabilities, (n,) in [0, 1], of log odds (n,)."""
        return 1.0 / (1.0 + np.exp(-(self.slope * log_odds + self.shift)))


def line_where_needed(log_odds: Floats, outcome: Floats, group: NDArray[np.int64]) -> LogOddsLine:
    """Return a line of log odds when it lowers the Brier score out of sample, else none; never one that falls.

    Judged like :func:`calibrate_where_needed`.

    Source
    ------
    Platt (1999), Probabilistic outputs for support vector machines, Advances in Large Margin Classifiers.
    """
    half = group % 2 == 0
    if any(np.ptp(outcome[part]) == 0 for part in (half, ~half) if part.any()) or half.all() or not half.any():
        return LogOddsLine()
    held_out = np.empty_like(log_odds)
    held_out[half] = _line(log_odds[~half], outcome[~half])(log_odds[half])
    held_out[~half] = _line(log_odds[half], outcome[half])(log_odds[~half])
    fitted = _line(log_odds, outcome)
    is_better = np.mean((held_out - outcome) ** 2) < np.mean((LogOddsLine()(log_odds) - outcome) ** 2)
    return fitted if is_better and fitted.slope > 0 else LogOddsLine()


def _line(log_odds: Floats, outcome: Floats) -> LogOddsLine:
    fitted = LogisticRegression(C=np.inf).fit(log_odds[:, None], outcome)
    return LogOddsLine(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]))
