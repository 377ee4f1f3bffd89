"""A shelf refilled by a rule, day by day by hand; scores by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.demand.scores import naive_scales, scaled_errors, scaled_pinball
from ml.scenarios.replenishment.shelf import refilled
from tests.demand.days import sales


def test_an_order_arrives_after_its_lead_time() -> None:
    # Three on the shelf and three ordered at once, there after two whole days; by the second evening one is lost and
    # three more are ordered, there on the last morning.
    wanted = np.array([[2.0, 2.0, 1.0, 0.0, 2.0]])
    found = refilled(np.array([3]), np.array([6]), np.array([2]), wanted)
    np.testing.assert_allclose(found.stock_out_share, [1 / 5])
    np.testing.assert_allclose(found.lost_share, [1 / 7])
    assert found.mean_stock[0] == pytest.approx((1 + 0 + 2 + 2 + 3) / 5)


def test_unknown_days_want_nothing_and_each_product_has_its_own_shelf() -> None:
    wanted = np.array([[np.nan, np.nan], [9.0, 0.0]])
    found = refilled(np.array([4, 4]), np.array([4, 4]), np.array([9, 9]), wanted)
    assert found.stock_out_share.tolist() == [0.0, 0.5] and found.mean_stock.tolist() == [4.0, 0.0]


@given(
    points=st.integers(0, 20),
    more=st.integers(0, 20),
    lead=st.integers(0, 9),
    days=st.lists(st.integers(0, 9), min_size=1, max_size=30),
)
def test_shares_are_shares_and_stock_is_never_above_the_level(
    points: int, more: int, lead: int, days: list[int]
) -> None:
    found = refilled(np.array([points]), np.array([points + more]), np.array([lead]), np.array([days], np.float64))
    assert 0 <= found.stock_out_share[0] <= 1 and 0 <= found.lost_share[0] <= 1
    assert 0 <= found.mean_stock[0] <= points + more


def test_errors_are_in_units_of_the_week_before() -> None:
    weeks = sales(np.array([[1] * 7 + [3] * 7, [2] * 14]))
    scales = naive_scales(weeks)
    assert scales[0] == 2 and np.isnan(scales[1]), "a product that never differs has no scale"
    came = np.array([[4.0, np.nan], [1.0, 1.0]])
    forecast = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert scaled_errors(forecast, came, scales)[0] == 1.5
    assert scaled_pinball(forecast, came, 0.9, scales)[0] == pytest.approx(0.9 * 3 / 2)
    assert scaled_pinball(came, forecast, 0.9, scales)[0] == pytest.approx(0.1 * 3 / 2)
