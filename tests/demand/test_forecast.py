"""Forecasts: chosen on the past only, never below 0, the same each time, with quantiles in order."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ml.demand import library, trees
from ml.demand.forecast import (
    AHEAD_DAYS,
    CATEGORY_RATE,
    TREES,
    UNTRIED,
    best_models,
    chosen_forecast,
    forecast,
    tried,
)
from ml.demand.sales import CLASSES, INTERMITTENT, NEW, SMOOTH, Sales
from ml.demand.spread import CAUTIOUS, spread_of
from tests.demand.days import sales

SEED = 7


def shop(days: int = 180, products: int = 24, seed: int = 1) -> Sales:
    """Return products that sell by Poisson counts, twice as much on Saturdays; the last two thirds sell seldom."""
    rng = np.random.default_rng(seed)
    rates = np.where(np.arange(products) < products // 3, 6.0, 0.3)
    weekday = np.where((np.arange(days) - days) % 7 == 6, 2.0, 1.0)
    return sales(rng.poisson(rates[:, None] * weekday))


@pytest.fixture(scope="module")
def known() -> Sales:
    return shop()


def test_seasonal_naive_is_last_week_again(known: Sales) -> None:
    found = library.forecasts(known, 14, (library.SEASONAL_NAIVE,))[library.SEASONAL_NAIVE]
    np.testing.assert_array_equal(found, np.tile(known.units[:, -7:], 2))


def test_every_model_of_the_library_forecasts_what_is_there(known: Sales) -> None:
    for name, mean in library.forecasts(known, AHEAD_DAYS).items():
        assert mean.shape == (24, AHEAD_DAYS) and np.isfinite(mean).all() and (mean >= 0).all(), name
        if name != library.SEASONAL_NAIVE:
            assert mean[:8].mean() == pytest.approx(6.0 * 8 / 7, rel=0.25), name


def test_the_librarys_own_quantiles_are_wider_for_a_higher_level(known: Sales) -> None:
    found = library.naive_quantiles(known, 7, (0.5, 0.9, 0.955))
    assert (found[0.5] < found[0.9]).all() and (found[0.9] < found[0.955]).all()
    np.testing.assert_array_equal(found[0.5], known.units[:, -7:])


def test_trees_learn_the_weekday(known: Sales) -> None:
    mean = trees.forecast(known, seed=1)[:8].mean(axis=0)
    is_busy = np.isin(np.arange(AHEAD_DAYS) % 7, [6])
    assert mean[is_busy].min() > 1.4 * mean[~is_busy].max()


def test_the_model_of_each_kind_is_the_best_of_its_trials(known: Sales) -> None:
    trial = tried(known, SEED)
    best = best_models(trial, known.classes)
    assert set(best) == set(CLASSES) and best[NEW] == CATEGORY_RATE
    assert best[SMOOTH] in (TREES, "weekday_means"), "weekdays differ, and no other model knows of them"
    for kind in (SMOOTH, INTERMITTENT):
        own = known.classes == kind
        least = min(np.nanmean(trial.losses(name)[own]) for name in (*library.MODELS, TREES))
        assert np.nanmean(trial.losses(best[kind])[own]) == least


def test_trials_know_nothing_of_what_they_forecast(known: Sales) -> None:
    changed = known.units.copy()
    changed[:, -AHEAD_DAYS:] = 50
    first, second = tried(known, SEED), tried(replace(known, units=changed), SEED)
    for name in first.means[0]:
        np.testing.assert_array_equal(first.means[0][name], second.means[0][name], name)


def test_the_same_sales_give_the_same_forecast(known: Sales) -> None:
    one, other = forecast(known, SEED), forecast(known, SEED)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.quantiles(0.9), other.quantiles(0.9))


def test_quantiles_are_ordered_and_hold_what_they_promise(known: Sales) -> None:
    found = forecast(known.until(AHEAD_DAYS), SEED)
    low, middle, high = (found.quantiles(level) for level in (0.1, 0.5, 0.9))
    assert (low >= 0).all() and (low <= middle).all() and (middle <= high).all()
    share = (known.units[:8, -AHEAD_DAYS:] <= high[:8]).mean()
    assert 0.85 < share < 0.98


def test_sums_and_days_beyond_the_forecast_are_weeks_like_its_last(known: Sales) -> None:
    found = forecast(known, SEED)
    daily = found.daily(50)
    np.testing.assert_array_equal(daily[:, :AHEAD_DAYS], found.mean)
    np.testing.assert_array_equal(daily[:, AHEAD_DAYS + 7 : AHEAD_DAYS + 14], found.mean[:, -7:])
    days = np.tile([1, 28, 29, 36, 41, 50], 4)
    sums = [daily[place, :count].sum() for place, count in enumerate(days)]
    np.testing.assert_allclose(found.total(days), sums)


def test_a_short_history_tries_nothing_and_is_cautious() -> None:
    brief = shop(days=50)
    trial = tried(brief, SEED)
    assert trial.means == () and best_models(trial, brief.classes)[SMOOTH] == UNTRIED
    found = chosen_forecast(brief, trial, SEED)
    mean = np.array([3.0] * 24)
    np.testing.assert_allclose(found.spread.variance(mean, np.ones(24, int)), CAUTIOUS[0] * 3 + CAUTIOUS[1] * 9)


def test_a_new_product_sells_like_its_category_until_its_own_days_tell() -> None:
    units = np.zeros((3, 60), int)
    units[0], units[1, -7:] = 2, 9
    old = sales(units)
    units_of_new = old.units.copy()
    units_of_new[1:, :-7] = np.nan
    units_of_new[2, :-1] = np.nan
    found = forecast(replace(old, units=units_of_new), SEED)
    assert found.classes.tolist() == [SMOOTH, NEW, NEW]
    np.testing.assert_allclose(found.mean[1:, 0], [(63 + 7 * 2) / 14, (0 + 7 * 2) / 8])


def test_a_shop_with_new_products_only_still_answers() -> None:
    found = forecast(sales(np.zeros((2, 3), int)), SEED)
    assert found.mean.tolist() == np.zeros((2, AHEAD_DAYS)).tolist() and (found.quantiles(0.9) == 0).all()


def test_days_off_the_shelf_are_no_days_without_demand(known: Sales) -> None:
    rng = np.random.default_rng(5)
    hidden = known.units.copy()
    hidden[rng.random(hidden.shape) < 0.4] = np.nan
    zeros = forecast(replace(known, units=np.nan_to_num(hidden)), SEED).mean[:8].mean()
    unknown = forecast(replace(known, units=hidden), SEED).mean[:8].mean()
    assert unknown == pytest.approx(6.0 * 8 / 7, rel=0.15) and zeros < 0.75 * unknown


def test_spread_is_that_of_the_errors() -> None:
    rng = np.random.default_rng(2)
    means = np.full((200, 28), 4.0)
    units = rng.negative_binomial(2.0, 2.0 / 6.0, means.shape).astype(float)  # variance 4 + 16 / 2
    found = spread_of([means], [units], np.full(200, SMOOTH))
    days = np.ones(200, int)
    assert found.variance(np.full(200, 4.0), days).mean() == pytest.approx(12.0, rel=0.1)
    assert found.variance(np.full(200, 28.0), 7 * days).mean() == pytest.approx(84.0, rel=0.15)
    assert (found.variance(np.full((200, 3), 0.5), days) >= 0.5).all()


def test_signals_can_be_withheld() -> None:
    rng = np.random.default_rng(3)
    wave = 1 + 0.9 * np.sin(np.arange(300) / 9)
    units = rng.poisson(3 * wave, (20, 300))
    flat = sales(units)
    days = [flat.last_day.toordinal() - 299 + n for n in range(300)]
    # The index tells today what is wanted in two weeks.
    ahead = 1 + 0.9 * np.sin((np.arange(300) + 14) / 9)
    signals = pl.DataFrame(
        {
            "signal_id": [str(day) for day in days],
            "kind": ["category_demand"] * 300,
            "category": ["FOOD"] * 300,
            "product_id": [None] * 300,
            "signal_on": [type(flat.last_day).fromordinal(day) for day in days],
            "signal_value": ahead,
        },
        schema=flat.signals.schema,
    )
    told = sales(units, signals)
    np.testing.assert_array_equal(trees.forecast(told, 1, told=()), trees.forecast(flat, 1))
    assert not np.array_equal(trees.forecast(told, 1), trees.forecast(flat, 1))
