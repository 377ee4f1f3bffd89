"""Calibration mends what is crooked and leaves what is straight."""

import numpy as np
import pytest

from ml.preference.calibration import (
    Calibration,
    LogOddsLine,
    calibrate_where_needed,
    fit_isotonic,
    line_where_needed,
)


def draws(power: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    said = rng.random(20_000)
    return said, (rng.random(20_000) < said**power).astype(float), rng.integers(0, 500, 20_000)


def test_crooked_probabilities_are_mended() -> None:
    said, outcome, group = draws(3)
    calibration = calibrate_where_needed(said, outcome, group)
    fresh = np.linspace(0.05, 0.95, 50)
    assert np.abs(calibration(fresh) - fresh**3).max() < 0.06
    assert np.abs(fresh - fresh**3).max() > 0.3


def test_straight_probabilities_are_left_alone() -> None:
    assert calibrate_where_needed(*draws(1)) == Calibration()


def test_the_order_is_kept_and_the_range_is_0_to_1() -> None:
    calibration = fit_isotonic(*draws(2)[:2])
    values = calibration(np.linspace(-0.5, 1.5, 200))
    assert (np.diff(values) >= 0).all()
    assert values.min() >= 0 and values.max() <= 1


def test_one_group_alone_cannot_judge_and_changes_nothing() -> None:
    said, outcome, group = draws(3)
    assert calibrate_where_needed(said, outcome, np.zeros_like(group)) == Calibration()


def test_no_knots_only_clip() -> None:
    assert Calibration()(np.array([-0.1, 0.4, 1.2])).tolist() == pytest.approx([0, 0.4, 1])


def crooked(slope: float, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log odds said, outcomes of the true log odds ``slope * said + shift``, and groups."""
    rng = np.random.default_rng(6)
    said = rng.normal(-1, 2, 20_000)
    true = 1 / (1 + np.exp(-(slope * said + shift)))
    return said, (rng.random(20_000) < true).astype(float), rng.integers(0, 500, 20_000)


def test_a_line_mends_log_odds_and_ties_nothing() -> None:
    line = line_where_needed(*crooked(0.5, -1.0))
    assert (line.slope, line.shift) == pytest.approx((0.5, -1.0), abs=0.05)
    values = line(np.linspace(-9, 9, 100))
    assert (np.diff(values) > 0).all() and values.min() > 0 and values.max() < 1


def test_straight_log_odds_are_left_alone() -> None:
    line = line_where_needed(*crooked(1.0, 0.0))
    assert (line.slope, line.shift) == pytest.approx((1.0, 0.0), abs=0.05)


@pytest.mark.parametrize("case", ["it would fall", "one group", "one answer"])
def test_no_line_is_drawn_where(case: str) -> None:
    said, outcome, group = crooked(-1.0 if case == "it would fall" else 0.5, 0.0)
    group = np.zeros_like(group) if case == "one group" else group
    outcome = np.zeros_like(outcome) if case == "one answer" else outcome
    assert line_where_needed(said, outcome, group) == LogOddsLine()
