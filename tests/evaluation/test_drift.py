"""Drift: indexes worked by hand, planted shifts, and what chance may not call drift."""

from datetime import date

import numpy as np
import pytest

from ml.evaluation.drift import DriftParams, drift_of, freshness, same_distribution, stability_index

PARAMS = DriftParams()
NAN = float("nan")


def test_index_by_hand() -> None:
    # Two bins at the median: 50 and 50 then, 20 and 80 now; none below, none missing. Half a row is added to each bin.
    reference = np.array([1.0] * 50 + [2.0] * 50)
    now = np.array([1.0] * 20 + [2.0] * 80)
    then, today = np.array([0.5, 50.5, 50.5, 0.5]) / 102, np.array([0.5, 20.5, 80.5, 0.5]) / 102
    assert stability_index(reference, now, 2) == pytest.approx(((today - then) * np.log(today / then)).sum())


def test_missing_values_are_a_bin_of_their_own() -> None:
    rng = np.random.default_rng(0)
    reference, now = rng.normal(size=(2, 2000))
    now[:600] = NAN
    found = drift_of("rating_mean", reference, now, PARAMS)
    assert found.verdict == "drifted" and found.value is not None and found.value > 1
    both = reference.copy()
    both[:600] = NAN
    assert drift_of("rating_mean", both, now, PARAMS).verdict == "steady"


def test_a_column_that_was_all_missing_drifts_when_it_comes() -> None:
    found = drift_of("rating", np.full(500, NAN), np.ones(500), PARAMS)
    assert found.verdict == "drifted"
    assert drift_of("rating", np.full(500, NAN), np.full(500, NAN), PARAMS).value == pytest.approx(0)


def test_constant_column_is_steady() -> None:
    assert drift_of("price", np.ones(500), np.ones(700), PARAMS).verdict == "steady"
    assert drift_of("price", np.ones(500), np.full(700, 2.0), PARAMS).verdict == "drifted"
    assert drift_of("price", np.ones(500), np.zeros(700), PARAMS).verdict == "drifted"


@pytest.mark.parametrize("seed", range(20))
def test_two_samples_of_one_distribution_are_steady(seed: int) -> None:
    reference, now = np.random.default_rng(seed).gamma(2, size=(2, 400))
    assert drift_of("cents", reference, now, PARAMS).verdict == "steady"


def test_a_planted_shift_is_found_and_named() -> None:
    rng = np.random.default_rng(1)
    found = drift_of("basket_cents", rng.normal(size=3000), rng.normal(0.8, size=3000), PARAMS)
    assert found.verdict == "drifted" and found.reason.startswith("basket_cents psi 0.")
    assert found.reason.endswith("> 0.25")


def test_a_large_index_that_chance_may_make_is_no_drift() -> None:
    rng = np.random.default_rng(2)
    params = DriftParams(psi_limit=0.05, least_rows=20)
    found = drift_of("cents", rng.normal(size=60), rng.normal(size=60), params)
    assert found.value is not None and found.value > 0.05
    assert found.verdict == "steady" and "chance" in found.reason


def test_too_few_rows_are_not_judged() -> None:
    found = drift_of("cents", np.ones(199), np.ones(500), PARAMS)
    assert found.verdict == "not_judged" and found.value is None and "199 rows then" in found.reason


def test_check_sees_more_missing_values() -> None:
    assert same_distribution(np.ones(300), np.r_[np.ones(200), np.full(100, NAN)]) < 1e-6


def test_freshness_counts_days() -> None:
    assert freshness("baskets", date(2017, 12, 1), date(2017, 12, 3), 5, PARAMS).value == 2
    assert freshness("baskets", date(2017, 12, 1), date(2017, 12, 4), 5, PARAMS).verdict == "steady"
    assert freshness("baskets", date(2017, 12, 1), date(2017, 12, 5), 5, PARAMS).verdict == "drifted"
    assert freshness("events", None, date(2017, 12, 5), 0, PARAMS).verdict == "not_judged"
