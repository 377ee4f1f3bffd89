"""Off-policy values: worked by hand, against brute force, and refused where the log says too little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.evaluation.off_policy import (
    DOUBLY_ROBUST,
    ESTIMATORS,
    IPS,
    SNIPS,
    Floats,
    Log,
    OffPolicyParams,
    estimates,
    expected_rewards,
    overlap,
    value_of,
)

PARAMS = OffPolicyParams()
LAX = OffPolicyParams(least_effective_rows=0, max_weight_share=1, weight_errors=1e9)


def log_of(customer: list[int], action: list[int], propensity: list[float], reward: list[float]) -> Log:
    return Log(np.array(customer), np.array(action), np.array(propensity), np.array(reward))


def no_features(customers: int, actions: int) -> Floats:
    return np.zeros((customers, actions, 0))


def uniform_log(seed: int, customers: int, visits: int, chances: Floats) -> Log:
    rng = np.random.default_rng(seed)
    customer = np.repeat(np.arange(customers), visits)
    action = rng.integers(0, chances.shape[1], customer.size)
    reward = (rng.random(customer.size) < chances[customer, action]).astype(np.float64)
    return Log(customer, action, np.full(customer.size, 1 / chances.shape[1]), reward)


def test_values_by_hand() -> None:
    # Four customers, two bundles at .5 and .5; the target always shows bundle 1: weights 2, 0, 2, 0.
    log = log_of([0, 1, 2, 3], [1, 0, 1, 0], [0.5] * 4, [1.0, 1.0, 0.0, 0.0])
    target = np.tile([0.0, 1.0], (4, 1))
    found = estimates(log, target, no_features(4, 2), PARAMS)
    assert found[IPS].value == pytest.approx((2 + 0 + 0 + 0) / 4)
    assert found[SNIPS].value == pytest.approx(2 / 4)
    # Standard error of 2, 0, 0, 0 by customer: sqrt(var / 4) = .5; t of 3 degrees is 3.1824.
    assert found[IPS].high == pytest.approx(0.5 + 3.182446 * 0.5, abs=1e-5)
    seen = overlap(log, target, PARAMS)
    assert (seen.effective_rows, seen.mean_weight, seen.max_weight, seen.max_weight_share) == (2, 1, 2, 0.5)


def test_doubly_robust_by_hand() -> None:
    # Two folds of one customer each, no features, so strong a ridge that the model is the other's mean reward.
    params = OffPolicyParams(folds=2, ridge=1e12)
    log = log_of([0, 0, 1, 1], [0, 1, 0, 1], [0.5] * 4, [1.0, 0.0, 1.0, 1.0])
    target = np.tile([0.0, 1.0], (2, 1))
    expected = expected_rewards(log, no_features(2, 2), params)
    assert expected == pytest.approx(np.array([[1.0, 1.0], [0.5, 0.5]]))
    # rows: 1 + 0, 1 + 2 (0 - 1), .5 + 0, .5 + 2 (1 - .5)
    assert estimates(log, target, no_features(2, 2), params)[DOUBLY_ROBUST].value == pytest.approx(
        (1 - 1 + 0.5 + 1.5) / 4
    )


def test_target_that_is_the_logging_policy_earns_what_was_observed() -> None:
    log = uniform_log(0, 200, 5, np.full((200, 4), 0.3))
    found = value_of(log, np.full((200, 4), 0.25), no_features(200, 4), PARAMS)
    assert found.overlap.effective_rows == pytest.approx(1000)
    assert found.values[IPS].value == pytest.approx(log.reward.mean())
    assert found.values[SNIPS].value == pytest.approx(log.reward.mean())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_ips_is_unbiased_over_all_that_the_log_may_show(seed: int) -> None:
    # Brute force over the bundles of one visit of each of three customers; rewards are fixed by customer and bundle.
    rng = np.random.default_rng(seed)
    reward, shows, target = rng.random((3, 3)), rng.dirichlet(np.ones(3), 3), rng.dirichlet(np.ones(3), 3)
    who, mean = np.arange(3), 0.0
    for actions in np.ndindex(3, 3, 3):
        chosen = np.array(actions)
        log = Log(who, chosen, shows[who, chosen], reward[who, chosen])
        mean += shows[who, chosen].prod() * estimates(log, target, no_features(3, 3), LAX)[IPS].value
    assert mean == pytest.approx((target * reward).sum() / 3)


def test_doubly_robust_is_narrower_where_the_model_knows() -> None:
    chances = np.random.default_rng(1).beta(0.5, 0.5, (800, 6))
    log = uniform_log(8, 800, 6, chances)
    target = np.eye(6)[chances.argmax(axis=1)]
    known = value_of(log, target, chances[:, :, None], PARAMS).values
    blind = value_of(log, target, no_features(800, 6), PARAMS).values
    truth = chances.max(axis=1).mean()
    width = {name: one.high - one.low for name, one in known.items()}
    assert width[DOUBLY_ROBUST] < 0.8 * width[IPS]
    assert all(one.low <= truth <= one.high for one in (*known.values(), *blind.values()))


def test_customers_not_impressions_are_counted() -> None:
    once = uniform_log(3, 500, 1, np.full((500, 2), 0.5))
    ten = Log(*(np.repeat(getattr(once, name), 10) for name in ("customer", "action", "propensity", "reward")))
    target = np.tile([0.2, 0.8], (500, 1))
    first, second = (estimates(log, target, no_features(500, 2), LAX)[IPS] for log in (once, ten))
    assert first.high - first.low == pytest.approx(second.high - second.low)


def test_bundles_that_the_log_never_shows_are_refused() -> None:
    log = uniform_log(4, 500, 4, np.full((500, 3), 0.3))
    target = np.tile([0.5, 0.3, 0.1, 0.1], (500, 1))
    found = value_of(log, target, no_features(500, 4), PARAMS)
    assert not found.values and found.overlap.unseen_share == pytest.approx(0.1)
    assert found.overlap.reason == (
        "weak overlap: 10.0% of the impressions would show bundles that the log never shows, allowed are 1.0%"
    )


def test_few_effective_impressions_are_refused() -> None:
    log = uniform_log(5, 500, 1, np.full((500, 10), 0.3))
    target = np.tile(np.eye(10)[0], (500, 1))
    reason = value_of(log, target, no_features(500, 10), PARAMS).overlap.reason
    assert reason is not None and reason.startswith("weak overlap: 500 impressions count as ")


def test_weight_of_one_customer_is_refused() -> None:
    log = log_of([0] * 300 + list(range(1, 701)), [0] * 1000, [1.0] * 1000, [0.5] * 1000)
    found = value_of(log, np.ones((701, 1)), no_features(701, 1), PARAMS)
    assert found.overlap.reason == "weak overlap: one customer carries 30.0% of the weight, allowed are 5.0%"


def test_propensities_that_do_not_fit_are_refused() -> None:
    honest = uniform_log(6, 1000, 3, np.full((1000, 4), 0.3))
    wrong = Log(honest.customer, honest.action, np.full(3000, 0.5), honest.reward)
    target = np.tile([0.1, 0.2, 0.3, 0.4], (1000, 1))
    assert value_of(honest, target, no_features(1000, 4), PARAMS).overlap.reason is None
    reason = value_of(wrong, target, no_features(1000, 4), PARAMS).overlap.reason
    assert reason is not None and reason.startswith("the propensities do not fit the log: the mean weight is 0.5")


def test_empty_log_is_refused() -> None:
    found = value_of(log_of([], [], [], []), np.ones((1, 1)), no_features(1, 1), PARAMS)
    assert found.overlap.reason == "the log is empty" and not found.values


@pytest.mark.parametrize("propensity", [0.0, 1.2, -0.1])
def test_what_is_no_propensity_is_an_error(propensity: float) -> None:
    with pytest.raises(ValueError, match="propensities"):
        log_of([0], [0], [propensity], [1.0])
    with pytest.raises(ValueError, match="one entry"):
        log_of([0, 1], [0], [0.5], [1.0])


def test_all_estimators_have_a_value_when_nothing_is_clicked() -> None:
    log = uniform_log(7, 500, 2, np.zeros((500, 2)))
    found = value_of(log, np.full((500, 2), 0.5), no_features(500, 2), PARAMS).values
    assert set(found) == set(ESTIMATORS) and all(abs(one.value) < 1e-12 for one in found.values())
