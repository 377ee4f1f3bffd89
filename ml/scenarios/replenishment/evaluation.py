"""Judge forecasts and reorders on the last four weeks, which they have not seen, beside what a shop does today."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.demand import library
from ml.demand.counts import quantile
from ml.demand.forecast import AHEAD_DAYS, Forecast, chosen_forecast, tried
from ml.demand.sales import CLASSES, Reals, Sales
from ml.demand.scores import naive_scales, scaled_errors, scaled_pinball
from ml.scenarios.ground import Ground
from ml.scenarios.judged import ALL, Judged, paired
from ml.scenarios.replenishment.known import answered_products, known_sales
from ml.scenarios.replenishment.needs import CHECK_DAYS
from ml.scenarios.replenishment.shelf import Shelf, refilled

JUDGED_LEAD_DAYS = 7
"""Lead time that reorders are judged with where the shop and the form give none."""
BY_MEAN = "order_up_to_by_mean"
LEVELS = (0.5, 0.9)
SHELF_KPIS = {"stock_out_share": "share of days", "lost_share": "share of units", "mean_stock": "units a product"}
LEAST_CASES = 10
"""Products of a kind of demand below which it has no row of its own."""


@dataclass(frozen=True)
class HeldOut:
    """Four weeks, and what was forecast of them on the morning they began.

    Attributes
    ----------
    ours
        The chosen forecast.
    naive
        Seasonal naive by level of its quantiles; .5 is its point forecast.
    single_model, single
        The one model of the library that did best on the past over all products, used for all of them.
    came
        (P, 28) units sold; NaN where unknown.
    scales
        (P,) in which errors are counted.
    usual
        (P,) units a day over the four weeks before.
    """

    ours: Forecast
    naive: dict[float, Reals]
    single_model: str
    single: Forecast
    came: Reals
    scales: Reals
    usual: Reals


def held_out(sales: Sales, levels: tuple[float, ...], seed: int) -> HeldOut:
    """Return the last four weeks of ``sales`` with everybody's forecasts of them.

    Parameters
    ----------
    levels
        Quantiles of seasonal naive that are wanted, each from .5 to below 1.
    """
    past = sales.until(AHEAD_DAYS)
    trial = tried(past, seed)
    ours = chosen_forecast(past, trial, seed)
    losses = {name: float(np.nanmean(trial.losses(name))) for name in library.MODELS} if trial.means else {}
    best = min(losses, key=lambda name: losses[name]) if losses else library.SEASONAL_NAIVE
    names = np.array([best] * len(past.product_ids))
    mean = library.forecasts(past, AHEAD_DAYS, (best,))[best]
    single = Forecast(past.product_ids, mean, names, past.classes, trial.spread(names, past.classes))
    naive = library.naive_quantiles(past, AHEAD_DAYS, tuple(sorted({0.5, *levels})))
    usual = np.nan_to_num(past.level(AHEAD_DAYS))
    return HeldOut(ours, naive, best, single, sales.units[:, -AHEAD_DAYS:], naive_scales(past), usual)


def evaluate(ground: Ground) -> list[Judged]:
    """Return the numbers by which replenishment is judged; none where there is no product or no day to hold out.

    Forecasts are judged by day and product: absolute errors and pinball losses, scaled by the product's own mean
    difference from week to week. Absolute errors are least at the median, so the median is judged by them. Reorders are
    judged on the same days: whether the reorder point lasted over the lead time, and what a shelf refilled by it would
    have looked like.
    """
    products = answered_products(ground)
    if products.is_empty():
        return []
    sales = known_sales(ground, products)
    if sales.units.shape[1] <= 2 * AHEAD_DAYS:
        return []
    params, draws = ground.context.params, ground.settings.optimizer.bootstrap_draws
    lead_of = dict(ground.lead_times.select("product_id", "lead_days").iter_rows())
    usual = params.default_lead_days or JUDGED_LEAD_DAYS
    leads = np.array([lead_of.get(product, usual) for product in sales.product_ids], np.int64)
    weeks = held_out(sales, (*LEVELS, params.service_level), params.seed)
    last = sales.last_day
    judged_on = f"{AHEAD_DAYS} days until {last}"
    terms = Terms(params.service_level, params.review_days, judged_on, draws, params.seed)
    return [
        *forecast_judged([weeks], terms),
        *reorder_judged([weeks], np.minimum(leads, AHEAD_DAYS - CHECK_DAYS), terms),
    ]


@dataclass(frozen=True)
class Terms:
    """What is asked of reorders, on which days, in words, and how intervals are drawn."""

    service_level: float
    review_days: int
    judged_on: str
    draws: int
    seed: int

    def paired(
        self, kpi: str, ours: Reals, peer: str, others: Reals, unit: str, variant: str = ALL
    ) -> Iterator[Judged]:
        """Yield the comparison over the products that both know; nothing where there is none."""
        known = ~np.isnan(ours) & ~np.isnan(others)
        if known.any():
            yield paired(
                kpi, ours[known], peer, others[known], unit, self.judged_on,
                draws=self.draws, seed=self.seed, variant=variant,
            )  # fmt: skip


def forecast_judged(weeks: list[HeldOut], terms: Terms) -> Iterator[Judged]:
    """Yield errors of the forecast beside seasonal naive and the library's best model, by product.

    Parameters
    ----------
    weeks
        Stretches of the same products; a product counts once, with its mean over them.
    """
    single_model = weeks[-1].single_model
    unit = "of the week-to-week difference"
    ours = mean_known([scaled_errors(one.ours.quantiles(0.5), one.came, one.scales) for one in weeks])
    naive = mean_known([scaled_errors(one.naive[0.5], one.came, one.scales) for one in weeks])
    single = mean_known([scaled_errors(one.single.quantiles(0.5), one.came, one.scales) for one in weeks])
    yield from terms.paired("mase", ours, library.SEASONAL_NAIVE, naive, unit)
    yield from terms.paired("mase", ours, single_model, single, unit, "beside_library")
    classes = weeks[-1].ours.classes
    for kind in CLASSES:
        own = classes == kind
        if own.sum() >= LEAST_CASES:
            yield from terms.paired("mase", ours[own], library.SEASONAL_NAIVE, naive[own], unit, kind)
    mean = mean_known([scaled_errors(one.ours.mean, one.came, one.scales) for one in weeks])
    single = mean_known([scaled_errors(one.single.mean, one.came, one.scales) for one in weeks])
    yield from terms.paired("mase_of_mean", mean, library.SEASONAL_NAIVE, naive, unit)
    yield from terms.paired("mase_of_mean", mean, single_model, single, unit, "beside_library")
    for level in sorted({*LEVELS, terms.service_level}):
        kpi = f"pinball_{100 * level:g}".replace(".", "_")
        stated = [(one, (one.ours.quantiles(level), one.naive[level], one.single.quantiles(level))) for one in weeks]
        ours, naive, single = (
            mean_known([scaled_pinball(states[who], one.came, level, one.scales) for one, states in stated])
            for who in range(3)
        )
        yield from terms.paired(kpi, ours, library.SEASONAL_NAIVE, naive, unit)
        yield from terms.paired(kpi, ours, single_model, single, unit, "beside_library")


def reorder_judged(weeks: list[HeldOut], lead_days: NDArray[np.int64], terms: Terms) -> Iterator[Judged]:
    """Yield whether reorder points lasted, and a shelf refilled by them beside one refilled by the mean.

    The peer orders up to the mean of the last four weeks: over the lead time and a day as reorder point, over the lead
    time and the days between orders as level. Since that holds less stock, it is compared once more with its means
    multiplied by the one factor that gives it our mean stock on these very days.

    Parameters
    ----------
    lead_days
        (P,) below the 28 days that are judged.
    """
    until = lead_days + CHECK_DAYS
    covered = lead_days + terms.review_days
    lasted, by_mean, shelves = [], [], []
    for one in weeks:
        points, levels = (_stock(one.ours, terms.service_level, days) for days in (until, covered))
        came = _total(one.came, until)
        lasted.append(np.where(np.isnan(came), np.nan, came <= points))
        by_mean.append(np.where(np.isnan(came), np.nan, came <= np.ceil(one.usual * until)))
        shelves.append(refilled(points, np.maximum(levels, points), lead_days, one.came))

    def shelves_by_mean(factor: float) -> list[Shelf]:
        stocks = [[np.ceil(factor * one.usual * days).astype(np.int64) for days in (until, covered)] for one in weeks]
        return [
            refilled(point, np.maximum(level, point), lead_days, one.came)
            for one, (point, level) in zip(weeks, stocks, strict=True)
        ]

    yield from terms.paired("lead_time_lasted", mean_known(lasted), BY_MEAN, mean_known(by_mean), "share of products")
    fuller = shelves_by_mean(_factor(lambda factor: _stocked(shelves_by_mean(factor)), _stocked(shelves)))
    for others, variant in ((shelves_by_mean(1.0), ALL), (fuller, "at_equal_stock")):
        for kpi, unit in SHELF_KPIS.items():
            ours, theirs = (mean_known([getattr(one, kpi) for one in own]) for own in (shelves, others))
            yield from terms.paired(kpi, ours, BY_MEAN, theirs, unit, variant)


def _stocked(shelves: list[Shelf]) -> float:
    return float(np.mean([one.mean_stock.mean() for one in shelves]))


def _factor(stock_of: Callable[[float], float], wanted: float) -> float:
    """Return by what the means have to be multiplied for the wanted mean stock, by halving."""
    low, high = 0.0, 50.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if stock_of(middle) < wanted else (low, middle)
    return high


def _stock(forecast: Forecast, level: float, days: NDArray[np.int64]) -> NDArray[np.int64]:
    mean = forecast.total(days)
    return np.ceil(quantile(level, mean, forecast.spread.variance(mean, days))).astype(np.int64)


def _total(came: Reals, days: NDArray[np.int64]) -> Reals:
    """Return (P,) units over the first ``days`` of each product; NaN where one of them is unknown."""
    return np.where(np.arange(came.shape[1]) < days[:, None], came, 0.0).sum(axis=1)


def mean_known(values: list[Reals]) -> Reals:
    """Return (P,) the mean over stretches, as far as known."""
    stacked = np.stack([np.asarray(one, np.float64) for one in values])
    known = (~np.isnan(stacked)).sum(axis=0)
    return np.where(known > 0, np.nansum(stacked, axis=0) / np.maximum(known, 1), np.nan)
