"""When a smaller model may stand for the full one."""

import numpy as np
import polars as pl
import pytest

from ml.evaluation.compression import MOST_LOSS, judge_compression, top_overlap


def customers(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random(2000)


def test_a_loss_within_the_bound_is_used() -> None:
    full = customers()
    verdict = judge_compression(full, full * 0.997)
    assert verdict.may_be_used and verdict.reason.startswith("used")
    assert (verdict.loss.value, verdict.loss.low, verdict.loss.high) == pytest.approx((0.003,) * 3)


@pytest.mark.parametrize(("kept", "noise"), [(0.994, 0.0), (0.998, 0.3)])
def test_a_loss_that_may_be_beyond_the_bound_keeps_the_full_model(kept: float, noise: float) -> None:
    full = customers()
    draws = np.random.default_rng(4).normal(0, noise, 2000)
    verdict = judge_compression(full, full * kept + draws - draws.mean())
    assert not verdict.may_be_used and verdict.loss.high > MOST_LOSS
    assert verdict.reason.startswith("the full model is kept") and f"{verdict.loss.high:.2%}" in verdict.reason


def test_a_gain_is_no_loss() -> None:
    full = customers()
    assert judge_compression(full, full * 1.01).may_be_used


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="same"):
        judge_compression(np.ones(3), np.ones(2))


def test_without_any_hit_the_full_model_is_kept() -> None:
    verdict = judge_compression(np.zeros(3), np.zeros(3))
    assert not verdict.may_be_used and "no hit" in verdict.reason


def test_the_overlap_counts_the_best_of_both() -> None:
    full = pl.DataFrame(
        {
            "customer_id": ["ann"] * 4 + ["bob"] * 4,
            "product_id": ["a", "b", "c", "d"] * 2,
            "preference": [0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5, 0.1],
        }
    )
    small = full.with_columns(preference=pl.Series([0.9, 0.6, 0.7, 0.8, 0.4, 0.4, 0.4, 0.4]))
    assert top_overlap(full, small, 2).tolist() == [0.5, 1.0]
    assert top_overlap(full, full, 2).tolist() == [1.0, 1.0]
