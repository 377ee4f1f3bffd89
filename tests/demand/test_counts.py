"""Quantiles of counts against scipy and by hand; what stock sells against the sum over all outcomes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from ml.demand.counts import expected_sold, quantile

MEANS, WIDER = st.floats(0.001, 200.0), st.floats(0.0, 30.0)


def test_quantiles_of_a_poisson_count() -> None:
    assert quantile(0.5, 0.1, 0.1) == 0
    assert quantile(0.95, [1.0, 0.0], [1.0, 5.0]).tolist() == [poisson.ppf(0.95, 1.0), 0.0]


def test_more_variance_asks_for_more_stock() -> None:
    # size 1: geometric with p = 1/3; P(D <= 5) = 1 - (2/3)^6 = .912
    assert quantile(0.91, 2.0, 6.0) == 5
    assert quantile(0.95, 2.0, 6.0) > quantile(0.95, 2.0, 2.0)


@given(mean=MEANS, wider=WIDER, level=st.floats(0.05, 0.999))
def test_quantiles_are_never_negative_and_rise_with_the_level(mean: float, wider: float, level: float) -> None:
    low, high = (quantile(one, mean, mean + wider) for one in (level / 2, level))
    assert 0 <= low <= high


@given(mean=MEANS, wider=st.floats(0.01, 30.0), units=st.integers(0, 60))
def test_what_stock_sells_is_the_mean_of_the_lesser(mean: float, wider: float, units: int) -> None:
    variance = mean + wider
    size, chance = mean**2 / (variance - mean), mean / variance
    below = np.arange(units)
    by_hand = (below * nbinom.pmf(below, size, chance)).sum() + units * nbinom.sf(units - 1, size, chance)
    assert expected_sold(units, mean, variance) == pytest.approx(by_hand, rel=1e-6, abs=1e-9)


def test_nothing_sells_of_no_demand_or_no_stock() -> None:
    assert expected_sold([5, 0], [0.0, 3.0], [0.0, 3.0]).tolist() == [0.0, 0.0]
