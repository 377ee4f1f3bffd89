"""Demand by product and day for the next weeks: for each kind of demand the model that did best on the past."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.demand import library, trees
from ml.demand.counts import quantile
from ml.demand.sales import CLASSES, NEW, Reals, Sales
from ml.demand.spread import Spread, spread_of

TREES, CATEGORY_RATE = "trees", "category_rate"
UNTRIED = "smoothing"
"""Model of a shop whose sales are too short to try any."""
MORNINGS = 3
AHEAD_DAYS = trees.AHEAD_DAYS
PRIOR_DAYS = 7.0
"""Days of a usual product of its category that a new product's own days are weighed against."""
Means = Mapping[str, Reals]


@dataclass(frozen=True)
class Trial:
    """Forecasts of past mornings by all models, and what came.

    Attributes
    ----------
    means
        Of each morning, by model, (P, ``AHEAD_DAYS``) expected units; rows of products that were new then hold
        ``CATEGORY_RATE``.
    units
        Of each morning (P, ``AHEAD_DAYS``) what came; NaN where unknown.
    scales
        (P,) mean squared difference to the week before, in which errors are counted; NaN where there is none.
    """

    means: tuple[Means, ...]
    units: tuple[Reals, ...]
    scales: Reals

    def losses(self, model: str) -> Reals:
        """Return (P,) mean squared error of a model over the mornings, scaled; NaN where there is none."""
        squared = np.stack([(means[model] - came) ** 2 for means, came in zip(self.means, self.units, strict=True)])
        known = (~np.isnan(squared)).sum(axis=(0, 2))
        return np.where(known > 0, np.nansum(squared, axis=(0, 2)) / np.maximum(known, 1), np.nan) / self.scales

    def spread(self, chosen: NDArray[np.str_], classes: NDArray[np.str_]) -> Spread:
        """Return how far demand strayed from each product's chosen model."""
        means = [_pick(own, chosen) for own in self.means]
        return spread_of(means, self.units, classes)


@dataclass(frozen=True)
class Forecast:
    """Demand of each product on the days to come.

    Attributes
    ----------
    product_ids
        (P,) ascending.
    mean
        (P, ``AHEAD_DAYS``) expected units, >= 0.
    models, classes
        (P,) the model behind each row, and the kind of demand.
    spread
        How far demand strays from it.
    """

    product_ids: tuple[str, ...]
    mean: Reals
    models: NDArray[np.str_]
    classes: NDArray[np.str_]
    spread: Spread

    def daily(self, days: int) -> Reals:
        """Return (P, days) expected units; beyond ``AHEAD_DAYS`` each week is as the last one."""
        ahead = np.arange(days)
        return self.mean[:, np.where(ahead < AHEAD_DAYS, ahead, AHEAD_DAYS - 7 + (ahead - AHEAD_DAYS) % 7)]

    def total(self, days: NDArray[np.int64]) -> Reals:
        """Return (P,) expected units over the first ``days`` of each product."""
        sums = np.pad(np.cumsum(self.mean, axis=1), ((0, 0), (1, 0)))
        # Days beyond the forecast are weeks like its last.
        weeks = np.maximum(days - AHEAD_DAYS + 6, 0) // 7
        within = days - 7 * weeks
        rows = np.arange(len(days))
        return sums[rows, within] + weeks * (sums[:, AHEAD_DAYS] - sums[:, AHEAD_DAYS - 7])

    def quantiles(self, level: float, days: int = AHEAD_DAYS) -> Reals:
        """Return (P, days) the units that a day's demand stays at or below with probability ``level``."""
        mean = self.daily(days)
        return quantile(level, mean, self.spread.variance(mean, np.ones(len(mean), np.int64)))


def forecast(sales: Sales, seed: int) -> Forecast:
    """Return the forecast from the day after the last on.

    Of each kind of demand (smooth, erratic, intermittent, lumpy) the model is used whose mean squared error on up to
    ``MORNINGS`` mornings of the past, four weeks apart and each forecast from what was known then, was least. Squared,
    because reorders need the mean: absolute errors would prefer 0 for whatever sells less than every other day. Errors
    are scaled by product, so that none counts more by selling more. New products get the rate of their category, drawn
    to their own as days pass.

    Source
    ------
    Tashman (2000), Out-of-sample tests of forecasting accuracy, Int. J. Forecasting 16(4); Makridakis, Spiliotis and
    Assimakopoulos (2022), M5 accuracy competition, Int. J. Forecasting 38(4) (the scaled squared error).
    """
    return chosen_forecast(sales, tried(sales, seed), seed)


def tried(sales: Sales, seed: int) -> Trial:
    """Return all models' forecasts of past mornings; none where the sales are too short."""
    width = sales.units.shape[1]
    backs = [AHEAD_DAYS * (1 + morning) for morning in range(MORNINGS)]
    backs = [back for back in backs if width - back >= trees.LEAST_HISTORY]
    means = tuple(_all_models(sales.until(back), seed) for back in backs)
    units = tuple(sales.units[:, width - back : width - back + AHEAD_DAYS] for back in backs)
    return Trial(means, units, _scales(sales))


def chosen_forecast(sales: Sales, trial: Trial, seed: int) -> Forecast:
    """Return the forecast by each class's model that did best in the trial."""
    classes = sales.classes
    names = np.array([best_models(trial, classes)[name] for name in classes], dtype=np.str_)
    means = _all_models(sales, seed, tuple(np.unique(names).tolist()))
    return Forecast(sales.product_ids, _pick(means, names), names, classes, trial.spread(names, classes))


def best_models(trial: Trial, classes: NDArray[np.str_]) -> dict[str, str]:
    """Return the model of each class; of equals the first in the order of the library."""
    best = {NEW: CATEGORY_RATE}
    models = list(trial.means[0]) if trial.means else []
    losses = {model: trial.losses(model) for model in models if model != CATEGORY_RATE}
    for name in CLASSES[:-1]:
        is_in = classes == name
        own = {model: float(np.nanmean(loss[is_in])) for model, loss in losses.items() if _any(loss, is_in)}
        best[name] = min(own, key=lambda model: own[model]) if own else UNTRIED
    return best


def _any(loss: Reals, is_in: NDArray[np.bool_]) -> bool:
    return bool(np.isfinite(loss[is_in]).any())


def _all_models(sales: Sales, seed: int, wanted: tuple[str, ...] | None = None) -> Means:
    """Return by model (P, ``AHEAD_DAYS``) expected units; new products have their category's rate in each."""
    rate = np.repeat(_category_rates(sales)[:, None], AHEAD_DAYS, axis=1)
    wanted = (*library.MODELS, TREES, CATEGORY_RATE) if wanted is None else wanted
    means = library.forecasts(sales, AHEAD_DAYS, tuple(name for name in library.MODELS if name in wanted))
    if TREES in wanted:
        means[TREES] = trees.forecast(sales, seed)
    is_new = (sales.classes == NEW)[:, None]
    return {**{name: np.where(is_new, rate, mean) for name, mean in means.items()}, CATEGORY_RATE: rate}


def _category_rates(sales: Sales) -> Reals:
    """Return (P,) units a day: the product's own days and ``PRIOR_DAYS`` of the mean of its category's other products.

    Where the category has no other, of all; the posterior mean of a Poisson rate under a gamma prior.
    """
    is_old = sales.classes != NEW
    level = np.where(is_old, np.nan_to_num(sales.level(AHEAD_DAYS)), np.nan)
    usual = float(np.nanmean(level)) if is_old.any() else 0.0
    of_category: dict[str | None, list[float]] = {}
    for category, own in zip(sales.categories, level, strict=True):
        if not np.isnan(own):
            of_category.setdefault(category, []).append(float(own))
    prior = np.array(
        [np.mean(of_category[name]) if name is not None and name in of_category else usual for name in sales.categories]
    )
    return (np.nansum(sales.units, axis=1) + PRIOR_DAYS * prior) / (sales.known_days + PRIOR_DAYS)


def _scales(sales: Sales) -> Reals:
    """Return (P,) mean squared difference of a day to the same weekday before; NaN where it is 0 or unknown."""
    squared = (sales.units[:, 7:] - sales.units[:, :-7]) ** 2
    known = (~np.isnan(squared)).sum(axis=1)
    scale = np.nansum(squared, axis=1) / np.maximum(known, 1)
    return np.where(scale > 0, scale, np.nan)


def _pick(means: Means, names: NDArray[np.str_]) -> Reals:
    whole = np.empty_like(next(iter(means.values())))
    for name in np.unique(names):
        whole[names == name] = means[str(name)][names == name]
    return whole
