"""How good forecasts were, by product, in units of the product's own week-to-week difference."""

import numpy as np

from ml.demand.sales import Reals, Sales

WEEK = 7


def naive_scales(sales: Sales) -> Reals:
    """Return (P,) mean absolute difference of a day to the same weekday before; NaN where it is 0 or unknown."""
    difference = np.abs(sales.units[:, WEEK:] - sales.units[:, :-WEEK])
    known = (~np.isnan(difference)).sum(axis=1)
    scale = np.nansum(difference, axis=1) / np.maximum(known, 1)
    return np.where(scale > 0, scale, np.nan)


def scaled_errors(forecast: Reals, came: Reals, scales: Reals) -> Reals:
    """Return (P,) mean absolute scaled error (MASE) of each product; NaN where nothing is known.

    Parameters
    ----------
    forecast, came
        (P, days) units forecast and units that came, NaN where unknown.
    scales
        (P,) from :func:`naive_scales` of the days before.

    Source
    ------
    Hyndman and Koehler (2006), Another look at measures of forecast accuracy, Int. J. Forecasting 22(4).
    """
    return _mean(np.abs(forecast - came)) / scales


def scaled_pinball(forecast: Reals, came: Reals, level: float, scales: Reals) -> Reals:
    """Return (P,) mean scaled pinball loss of a quantile forecast; the true quantile has the least.

    Source
    ------
    Koenker and Bassett (1978), Regression quantiles, Econometrica 46(1); scaled as in Makridakis et al. (2022), The M5
    uncertainty competition, Int. J. Forecasting 38(4).
    """
    short = came - forecast
    return _mean(np.maximum(level * short, (level - 1) * short)) / scales


def _mean(values: Reals) -> Reals:
    known = (~np.isnan(values)).sum(axis=1)
    return np.where(known > 0, np.nansum(values, axis=1) / np.maximum(known, 1), np.nan)
