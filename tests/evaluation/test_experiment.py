"""Assignment, sample ratio and uplift: hand-worked cases, and coverage where the truth is planted."""

import subprocess
import sys

import numpy as np
import pytest

from ml.errors import ConfigError
from ml.evaluation.experiment import HOLDOUT, ExperimentParams, assign, effect, read_out, sample_ratio

PARAMS = ExperimentParams("spring", {"control": 0.5, "bundles": 0.5}, least_customers=2)
CUSTOMERS = [f"C{n:06d}" for n in range(20_000)]


def test_assignment_is_the_same_in_another_process() -> None:
    params = ExperimentParams("spring", {"a": 0.3, "b": 0.7}, holdout_share=0.1)
    code = (
        "from ml.evaluation.experiment import *; "
        "print(*assign([f'C{n:06d}' for n in range(50)], ExperimentParams('spring', {'a': .3, 'b': .7}, .1)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert told == assign(CUSTOMERS[:50], params)
    # Pinned, since a change of the hash would move customers between arms of a running experiment.
    assert told[6:12] == ["b", "a", HOLDOUT, "a", "b", HOLDOUT]


def test_shares_come_out_as_planned_and_another_salt_is_another_draw() -> None:
    params = ExperimentParams("spring", {"a": 0.2, "b": 0.8}, holdout_share=0.1)
    first = np.array(assign(CUSTOMERS, params))
    assert (first == HOLDOUT).mean() == pytest.approx(0.1, abs=0.007)
    assert (first[first != HOLDOUT] == "a").mean() == pytest.approx(0.2, abs=0.01)
    second = np.array(assign(CUSTOMERS, ExperimentParams("autumn", params.arms, holdout_share=0.1)))
    assert ((first == HOLDOUT) == (second == HOLDOUT)).all(), "the holdout stays from one experiment to the next"
    took_part = first != HOLDOUT
    both = ((first == "a") & (second == "a"))[took_part].mean()
    assert both == pytest.approx(0.04, abs=0.006), "arms of two experiments must be independent"


def test_who_is_in_an_arm_stays_when_the_holdout_shrinks() -> None:
    small, large = (np.array(assign(CUSTOMERS, ExperimentParams("s", PARAMS.arms, share))) for share in (0.05, 0.2))
    stayed = large != HOLDOUT
    assert (small[stayed] == large[stayed]).all()


@pytest.mark.parametrize(
    ("arms", "holdout"),
    [({"a": 1.0}, 0.0), ({"a": 0.5, "b": 0.4}, 0.0), ({"a": 0.5, HOLDOUT: 0.5}, 0.0), ({"a": 0.5, "b": 0.5}, 1.0)],
)
def test_what_is_no_split_is_refused(arms: dict[str, float], holdout: float) -> None:
    with pytest.raises(ConfigError):
        ExperimentParams("s", arms, holdout)


def test_sample_ratio_by_hand() -> None:
    # (520 - 500)^2 / 500 twice is 1.6; chi-square with one degree: p = 0.2059
    assert sample_ratio({"control": 520, "bundles": 480}, PARAMS).p_value == pytest.approx(0.2059, abs=1e-4)
    uneven = sample_ratio({"control": 560, "bundles": 440}, PARAMS)
    assert uneven.p_value == pytest.approx(0.000148, abs=1e-6)
    assert uneven.reason is not None and "control 560 (planned 500)" in uneven.reason


def test_uplift_by_hand() -> None:
    # Means 12 and 10, variances 4 / 4 customers each: standard error sqrt(1 + 1), 6 degrees of freedom: t = 2.4469
    found = effect(np.array([10.0, 14, 12, 12]) + 0, np.array([8.0, 12, 10, 10]))
    variance = (4 + 4 + 0 + 0) / 3 / 4
    assert found.difference.value == 2
    assert found.difference.high == pytest.approx(2 + 2.446912 * np.sqrt(2 * variance), abs=1e-5)
    assert found.ratio is not None and found.ratio.value == pytest.approx(0.2)
    wide = 1.959964 * np.sqrt(variance + 1.44 * variance) / 10
    assert found.ratio.high == pytest.approx(0.2 + wide, abs=1e-6)


def test_no_ratio_to_a_control_arm_that_may_earn_nothing() -> None:
    assert effect(np.array([1.0, 2, 3]), np.array([0.0, 0, 1])).ratio is None


def test_cuped_by_hand() -> None:
    # Within arms x and y move together one to one, so the covariate explains everything but the effect of 5.
    before = np.array([0.0, 2, 4, 1, 3, 5])
    outcome = before + np.array([0.0, 0, 0, 5, 5, 5])
    found = read_out(outcome, before, ["control"] * 3 + ["bundles"] * 3, "control", PARAMS).uplifts[0]
    assert found.raw.difference.value == pytest.approx(6), "the arms differed by 1 before"
    assert found.adjusted.difference.value == pytest.approx(5)
    assert found.explained_share == pytest.approx(1)
    assert found.adjusted.difference.high == pytest.approx(5)


def test_sample_ratio_mismatch_refuses_the_read_out() -> None:
    arms = ["control"] * 560 + ["bundles"] * 440
    found = read_out(np.ones(1000), np.ones(1000), arms, "control", PARAMS)
    assert not found.uplifts and found.refusal is not None and found.refusal.startswith("sample ratio mismatch")


def test_too_few_customers_refuse_the_read_out() -> None:
    params = ExperimentParams("s", PARAMS.arms, least_customers=100)
    found = read_out(np.ones(100), np.ones(100), ["control", "bundles"] * 50, "control", params)
    assert found.refusal == "too few customers: control 50, bundles 50; each arm needs 100"


def test_a_control_arm_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="control"):
        read_out(np.ones(2), np.ones(2), ["a", "b"], "a", PARAMS)


def simulated(seed: int, uplift: float, rho: float, size: int = 2000) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return skewed outcomes whose correlation with the covariate is rho, and arms by the salted hash."""
    rng = np.random.default_rng(seed)
    shared, own, other = rng.gamma(2.0, 1.0, (3, size))
    before = 100 * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * other)
    after = 100 * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own)
    arms = assign([f"{seed}-{n}" for n in range(size)], PARAMS)
    return after + uplift * (np.array(arms) == "bundles"), before, arms


@pytest.mark.parametrize("uplift", [0.0, 15.0])
def test_intervals_cover_a_null_and_a_planted_effect(uplift: float) -> None:
    covered = np.zeros(2)
    rounds = 300
    for seed in range(rounds):
        outcome, before, arms = simulated(seed, uplift, 0.6)
        found = read_out(outcome, before, arms, "control", PARAMS)
        if found.refusal:
            continue
        for at, one in enumerate((found.uplifts[0].raw, found.uplifts[0].adjusted)):
            covered[at] += one.difference.low <= uplift <= one.difference.high
    assert (covered / rounds >= 0.92).all() and (covered / rounds <= 0.98).all(), covered / rounds


def test_cuped_narrows_the_variance_by_what_the_covariate_explains() -> None:
    outcome, before, arms = simulated(1, 10.0, 0.7, 20_000)
    found = read_out(outcome, before, arms, "control", PARAMS).uplifts[0]
    rho = np.corrcoef(outcome - 10.0 * (np.array(arms) == "bundles"), before)[0, 1]
    raw, adjusted = (one.difference.high - one.difference.low for one in (found.raw, found.adjusted))
    assert found.explained_share == pytest.approx(rho**2, abs=0.002)
    assert (adjusted / raw) ** 2 == pytest.approx(1 - rho**2, rel=0.02)
