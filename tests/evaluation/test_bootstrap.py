"""Intervals by resampling customers."""

import numpy as np
import pytest

from ml.evaluation.bootstrap import bootstrap_mean, calibration_bootstrap, clustered_bootstrap, paired_bootstrap
from ml.evaluation.metrics import expected_calibration_error


def test_the_interval_is_that_of_the_normal_approximation_where_that_holds() -> None:
    values = np.random.default_rng(0).normal(3, 2, 2000)
    found = bootstrap_mean(values, draws=4000)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)


def test_pairing_removes_what_customers_have_in_common() -> None:
    rng = np.random.default_rng(1)
    easy = rng.random(300)
    ours, theirs = easy + 0.02 + rng.normal(0, 0.01, 300), easy
    paired = paired_bootstrap(ours, theirs)
    assert paired.excludes_zero and paired.low < 0.02 < paired.high
    assert bootstrap_mean(ours).low < bootstrap_mean(theirs).high  # unpaired intervals overlap


def test_no_difference_is_not_found() -> None:
    values = np.random.default_rng(2).random(300)
    same = paired_bootstrap(values, np.random.default_rng(3).permutation(values))
    assert same.low < 0 < same.high and not same.excludes_zero


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(4).random(100)
    assert bootstrap_mean(values, seed=9) == bootstrap_mean(values, seed=9)
    assert bootstrap_mean(values, seed=9) != bootstrap_mean(values, seed=10)


def test_different_customers_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="same customers"):
        paired_bootstrap(np.zeros(3), np.zeros(4))


def test_nobody_has_no_mean() -> None:
    assert np.isnan(bootstrap_mean(np.empty(0)).value)


def test_rows_of_one_cluster_say_no_more_than_one_of_them() -> None:
    values = np.random.default_rng(4).random(200)
    cluster = np.arange(200)
    once, tenfold = (
        clustered_bootstrap(values, cluster),
        clustered_bootstrap(np.repeat(values, 10), np.repeat(cluster, 10)),
    )
    assert once == bootstrap_mean(values)
    assert (tenfold.value, tenfold.low, tenfold.high) == pytest.approx((once.value, once.low, once.high))


def test_the_calibration_error_is_that_of_all_rows_and_its_bound_knows_how_few_customers_there_are() -> None:
    rng = np.random.default_rng(2)
    said = rng.random(4000)
    came = (rng.random(4000) < said).astype(float)
    of_many, of_few = np.arange(4000) // 4, np.arange(4000) // 400
    many, few = (calibration_bootstrap(said, came, clusters) for clusters in (of_many, of_few))
    expected = expected_calibration_error(said, came)
    assert [many.value, few.value] == pytest.approx([expected, expected], abs=1e-12)
    assert many.high > many.value
    # Rows of a customer that agree: as many customers as rows would tell more, and be surer.
    alike = np.repeat((rng.random(10) < 0.5).astype(float), 400)
    half = np.full(4000, 0.5)
    apart, together = (calibration_bootstrap(half, alike, clusters, bins=1) for clusters in (of_many, of_few))
    assert together.high > 2 * apart.high - apart.value
