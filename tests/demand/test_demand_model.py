"""A higher price never raises the forecast; what was not asked for is refused."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.demand.demand_model import FEATURES, PRICE, SIGNALS, DemandModel, DemandParams, poisson_deviance
from ml.errors import ColumnError, ConfigError, DataError, NotFittedError


def rows(count: int, seed: int, with_signals: bool = True) -> tuple[pl.DataFrame, np.ndarray]:
    """Return rows whose demand follows the price by a power of -2, with noise that says otherwise here and there."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            PRICE: rng.choice([0.7, 0.8, 0.9, 1.0, 1.1], count),
            "shown_share": rng.random(count).round(),
            "weekday": rng.integers(1, 8, count),
            "week_of_year": rng.integers(1, 53, count),
            "recent_units": rng.gamma(2, 1, count),
            "earlier_units": rng.gamma(2, 1, count),
            "category_trend_ratio": rng.uniform(0.5, 2, count),
            "launch_days": rng.integers(1, 400, count),
        }
        | ({name: rng.uniform(0.5, 2, count) for name in SIGNALS} if with_signals else {})
    )
    mean = frame["recent_units"].to_numpy() * frame[PRICE].to_numpy() ** -2.0
    return frame, rng.poisson(mean).astype(float)


FITTED = DemandModel(DemandParams(trees=40, min_leaf_rows=20)).fit(*rows(4000, 1))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(0.2, 5.0), min_size=2, max_size=12))
def test_a_higher_price_never_raises_the_forecast(seed: int, prices: list[float]) -> None:
    one, _ = rows(1, seed)
    asked = pl.concat([one.with_columns(pl.lit(price).alias(PRICE)) for price in sorted(prices)])
    found = FITTED.predict(asked)
    assert (np.diff(found) <= 1e-9).all() and (found > 0).all()


def test_a_dearer_competitor_never_lowers_it() -> None:
    one, _ = rows(1, 3)
    asked = pl.concat([one.with_columns(competitor_price_ratio=pl.lit(ratio)) for ratio in (0.5, 1.0, 2.0)])
    assert (np.diff(FITTED.predict(asked)) >= -1e-9).all()


def test_it_learns_the_price() -> None:
    one, _ = rows(200, 5)
    cheap, usual = (FITTED.predict(one.with_columns(pl.lit(price).alias(PRICE))).mean() for price in (0.7, 1.0))
    assert 1.4 < cheap / usual < 2.6, "0.7 ** -2 is 2.04"
    held, units = rows(3000, 9)
    blind = DemandModel(DemandParams(trees=40, features=tuple(f for f in FEATURES if f != PRICE))).fit(*rows(4000, 1))
    assert poisson_deviance(units, FITTED.predict(held)).mean() < poisson_deviance(units, blind.predict(held)).mean()


def test_two_fits_are_the_same() -> None:
    again = DemandModel(DemandParams(trees=40, min_leaf_rows=20)).fit(*rows(4000, 1))
    asked, _ = rows(50, 2)
    assert np.array_equal(again.predict(asked), FITTED.predict(asked))


def test_misuse_is_refused() -> None:
    frame, _ = rows(5, 0)
    with pytest.raises(NotFittedError):
        DemandModel().predict(frame)
    with pytest.raises(ColumnError, match=PRICE):
        FITTED.predict(frame.drop(PRICE))
    with pytest.raises(ConfigError):
        DemandParams(tweedie_power=2.5)


def test_deviance_is_zero_where_what_came_was_expected() -> None:
    assert poisson_deviance(np.array([0.0, 2.0]), np.array([1e-12, 2.0])) == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize("count", [0, 100])
def test_rows_without_a_sale_are_refused_and_say_so(count: int) -> None:
    with pytest.raises(DataError, match=f"degenerate_target: demand: no unit was sold in the {count} rows"):
        DemandModel().fit(rows(100, 2)[0].head(count), np.zeros(count))


def test_what_never_varies_is_harmless() -> None:
    """Demand that is always the same, told by features that are always the same or unknown."""
    frame = rows(400, 3, with_signals=False)[0].with_columns(
        pl.lit(1.0).alias(PRICE), pl.lit(2.0).alias("recent_units"), pl.lit(2.0).alias("earlier_units"),
        category_trend_ratio=pl.lit(None, pl.Float64),
    )  # fmt: skip
    assert DemandModel().fit(frame, np.full(400, 2.0)).predict(frame) == pytest.approx(np.full(400, 2.0), rel=1e-6)
