"""Forecasts of one product from its own sales: the models of statsforecast, intermittent demand included."""

import logging

import numpy as np
import polars as pl
from numpy.typing import NDArray
from statsforecast import StatsForecast
from statsforecast.models import (
    ADIDA,
    TSB,
    CrostonSBA,
    SeasonalNaive,
    SeasonalWindowAverage,
    SimpleExponentialSmoothing,
    SimpleExponentialSmoothingOptimized,
)

from ml.demand.sales import Reals, Sales

WEEK = 7
SEASONAL_NAIVE = "seasonal_naive"
MODELS = {
    SEASONAL_NAIVE: lambda: SeasonalNaive(WEEK, alias=SEASONAL_NAIVE),
    "weekday_means": lambda: SeasonalWindowAverage(WEEK, 4, alias="weekday_means"),
    "smoothing": lambda: SimpleExponentialSmoothing(0.05, alias="smoothing"),
    "smoothing_optimised": lambda: SimpleExponentialSmoothingOptimized(alias="smoothing_optimised"),
    "croston_sba": lambda: CrostonSBA(alias="croston_sba"),
    "tsb": lambda: TSB(0.05, 0.05, alias="tsb"),
    "adida": lambda: ADIDA(alias="adida"),
}
"""Those that take well under a millisecond a product: AutoETS and theta models take 17 and 27 of them, IMAPA, whose
forecasts are nearly those of ADIDA, one. Seasonal naive is the rule that a shop uses today.

Source: Croston (1972), Operational Research Quarterly 23; Syntetos and Boylan (2005, SBA), Teunter, Syntetos and Babai
(2011, TSB), Nikolopoulos et al. (2011, ADIDA), as implemented by Nixtla's statsforecast.
"""

logging.getLogger("statsforecast").setLevel(logging.WARNING)


def forecasts(sales: Sales, days: int, models: tuple[str, ...] = tuple(MODELS)) -> dict[str, Reals]:
    """Return by model (P, days) expected units of each product on each of the days after the last, >= 0."""
    frame = _frame(sales)
    if frame.is_empty():
        return {name: np.zeros((len(sales.product_ids), days)) for name in models}
    library = StatsForecast(models=[MODELS[name]() for name in models], freq=1, n_jobs=1)
    found = library.forecast(df=frame, h=days).sort("unique_id", "ds")
    return {name: _matrix(found, name, sales, days) for name in models}


def naive_quantiles(sales: Sales, days: int, levels: tuple[float, ...]) -> dict[float, Reals]:
    """Return by level (P, days) quantiles of seasonal naive, by the library's own normal intervals, cut off at 0.

    Parameters
    ----------
    levels
        Each from 0.5 to below 1.
    """
    frame, name = _frame(sales), SEASONAL_NAIVE
    widths = {level: round(200 * level - 100, 6) for level in levels if level > 0.5}
    library = StatsForecast(models=[MODELS[name]()], freq=1, n_jobs=1)
    found = library.forecast(df=frame, h=days, level=list(widths.values())).sort("unique_id", "ds")
    # The library writes a whole level as 80 and any other as 95.5.
    column = {level: name if level not in widths else f"{name}-hi-{widths[level]:g}" for level in levels}
    renamed = {one: one.replace(".0", "") if one.endswith(".0") else one for one in found.columns}
    return {level: _matrix(found.rename(renamed), column[level], sales, days) for level in levels}


def _frame(sales: Sales) -> pl.DataFrame:
    """Return one row a product and day, from the product's first known day on, as the library wants it."""
    known = ~np.isnan(sales.units)
    is_there = np.cumsum(known, axis=1) > 0
    product, day = np.nonzero(is_there)
    return pl.DataFrame({"unique_id": product, "ds": day, "y": sales.filled[product, day]})


def _matrix(found: pl.DataFrame, column: str, sales: Sales, days: int) -> Reals:
    whole = np.zeros((len(sales.product_ids), days))
    products: NDArray[np.int64] = found["unique_id"].to_numpy().reshape(-1, days)[:, 0]
    whole[products] = found[column].to_numpy().reshape(-1, days)
    return np.maximum(np.nan_to_num(whole), 0.0)
