"""What a policy that shows one whole bundle would earn, told from the log of another one before anybody sees it.

A bundle is one action. The log holds, for each impression, the customer, the bundle shown, the probability with which
the logging policy chose it, and the reward. Where the log says too little about the target policy the answer is a
refusal with its reason, never a number: weights that a few impressions carry make every interval too short.

No library fits: the Open Bandit Pipeline is not kept up with the versions used here, and ``vw-estimators`` (2023) and
``offline-evaluation`` (2021) know no clusters, no interval of a doubly robust value, and no refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml.evaluation.bootstrap import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]

IPS, SNIPS, DOUBLY_ROBUST = "ips", "snips", "doubly_robust"
ESTIMATORS = (IPS, SNIPS, DOUBLY_ROBUST)


@dataclass(frozen=True)
class Log:
    """What was shown and what came of it.

    Attributes
    ----------
    customer, action
        (rows,) place of the customer and of the bundle in the target policy's table.
    propensity
        (rows,) probability with which the logging policy showed this bundle then, in (0, 1].
    reward
        (rows,) what the impression earned, such as 1 for a click.

    Raises
    ------
    ValueError
        When the lengths differ or a propensity is none.
    """

    customer: Ints
    action: Ints
    propensity: Floats
    reward: Floats

    def __post_init__(self) -> None:
        if len({values.shape for values in (self.customer, self.action, self.propensity, self.reward)}) > 1:
            raise ValueError("customer, action, propensity and reward need one entry for each row")
        if self.propensity.size and not (self.propensity.min() > 0 and self.propensity.max() <= 1):
            raise ValueError("propensities must be above 0 and not above 1")


@dataclass(frozen=True)
class OffPolicyParams:
    """When a log says too little.

    Attributes
    ----------
    least_effective_rows
        Kish's effective sample size of the weights, in impressions.
    max_unseen_share
        Share of the target policy's impressions that would show a bundle which the log never shows.
    max_weight_share
        Share of all weight that one customer carries.
    weight_errors
        Standard errors that the mean weight may lie from 1, which it is by definition.
    folds, ridge
        Of the model of rewards in the doubly robust estimate.
    """

    least_effective_rows: float = 200.0
    max_unseen_share: float = 0.01
    max_weight_share: float = 0.05
    weight_errors: float = 5.0
    folds: int = 5
    ridge: float = 10.0


@dataclass(frozen=True)
class Overlap:
    """How much the log says about the target policy; ``reason`` is why it is too little, None where it is enough."""

    rows: int
    customers: int
    effective_rows: float
    mean_weight: float
    max_weight: float
    max_weight_share: float
    unseen_share: float
    reason: str | None


@dataclass(frozen=True)
class Valuation:
    """A target policy's mean reward per impression by estimator, with 95 % intervals; empty where it is refused."""

    overlap: Overlap
    values: Mapping[str, Interval] = field(default_factory=dict)


def value_of(log: Log, target: Floats, features: Floats, params: OffPolicyParams, seed: int = 0) -> Valuation:
    """Return what the target policy earns per impression, over customers as they came; or a refusal with its reason.

    Parameters
    ----------
    target
        (customers, actions) probability of each bundle under the target policy; rows sum to 1.
    features
        (customers, actions, f) what the model of rewards reads; it may be wrong, the doubly robust value then is
        merely wider. f may be 0.

    Source
    ------
    Horvitz and Thompson (1952) (IPS); Swaminathan and Joachims (2015), The self-normalized estimator for counterfactual
    learning, NIPS 28 (SNIPS); Dudik, Langford and Li (2011), Doubly robust policy evaluation and learning, ICML 28;
    Chernozhukov et al. (2018), Double/debiased machine learning, Econometrics Journal 21 (cross-fitting).
    """
    seen = overlap(log, target, params)
    return Valuation(seen) if seen.reason else Valuation(seen, estimates(log, target, features, params, seed))


def overlap(log: Log, target: Floats, params: OffPolicyParams) -> Overlap:
    """Return how much a log says about a target policy.

    Source
    ------
    Kish (1965), Survey Sampling, chapter 11 (effective size); Sachdeva, Su and Joachims (2020), Off-policy bandits with
    deficient support, KDD 26.
    """
    if not log.reward.size:
        return Overlap(0, 0, 0.0, 0.0, 0.0, 0.0, 1.0, "the log is empty")
    weight = target[log.customer, log.action] / log.propensity
    by_customer = np.bincount(log.customer, weight)
    total, squares = float(weight.sum()), float(weight @ weight)
    is_unseen = np.bincount(log.action, minlength=target.shape[1]) == 0
    found = Overlap(
        rows=weight.size,
        customers=len(np.unique(log.customer)),
        effective_rows=total**2 / squares if squares else 0.0,
        mean_weight=total / weight.size,
        max_weight=float(weight.max()),
        max_weight_share=float(by_customer.max()) / total if total else 1.0,
        unseen_share=float(target[log.customer][:, is_unseen].sum()) / weight.size,
        reason=None,
    )
    return Overlap(**{**found.__dict__, "reason": _refusal(found, _error(weight, log.customer), params)})


def _refusal(found: Overlap, error: float, params: OffPolicyParams) -> str | None:
    """Return in words why the log says too little; the plainest reason first."""
    if found.unseen_share > params.max_unseen_share:
        return (
            f"weak overlap: {found.unseen_share:.1%} of the impressions would show bundles that the log never shows, "
            f"allowed are {params.max_unseen_share:.1%}"
        )
    if found.effective_rows < params.least_effective_rows:
        return (
            f"weak overlap: {found.rows} impressions count as {found.effective_rows:.0f}, "
            f"needed are {params.least_effective_rows:.0f}"
        )
    if found.max_weight_share > params.max_weight_share:
        return (
            f"weak overlap: one customer carries {found.max_weight_share:.1%} of the weight, "
            f"allowed are {params.max_weight_share:.1%}"
        )
    if abs(found.mean_weight - 1) > params.weight_errors * error + 1e-9:
        return f"the propensities do not fit the log: the mean weight is {found.mean_weight:.3f}, not 1"
    return None


def estimates(
    log: Log, target: Floats, features: Floats, params: OffPolicyParams, seed: int = 0
) -> dict[str, Interval]:
    """Return the three estimates whatever the overlap; :func:`value_of` asks for it first."""
    weight = target[log.customer, log.action] / log.propensity
    ips = weight * log.reward
    total = float(weight.sum())
    own = float(ips.sum()) / total if total else 0.0
    expected = expected_rewards(log, features, params, seed)
    direct = (target * expected).sum(axis=1)
    robust = direct[log.customer] + weight * (log.reward - expected[log.customer, log.action])
    return {
        IPS: _interval(float(ips.mean()), ips, log.customer),
        SNIPS: _interval(own, own + weight * (log.reward - own) * weight.size / (total or 1.0), log.customer),
        DOUBLY_ROBUST: _interval(float(robust.mean()), robust, log.customer),
    }


def expected_rewards(log: Log, features: Floats, params: OffPolicyParams, seed: int = 0) -> Floats:
    """Return what each customer is expected to give for each bundle, told by the other customers' impressions.

    Linear in the features, and an effect of each bundle that is drawn towards 0 as if it had been shown
    ``params.ridge`` times more for nothing.

    Returns
    -------
    (customers, actions)
    """
    count, actions, wide = features.shape
    fold = np.random.default_rng(seed).permutation(count) % params.folds
    expected = np.zeros((count, actions))
    for held in range(params.folds):
        rows = np.flatnonzero(fold[log.customer] != held)
        if not rows.size:
            continue
        action, reward = log.action[rows], log.reward[rows]
        x = np.column_stack([np.ones(rows.size), features[log.customer[rows], action]])
        slope = np.linalg.lstsq(x, reward, rcond=None)[0]
        left = np.bincount(action, reward - x @ slope, actions)
        effect = left / (np.bincount(action, minlength=actions) + params.ridge)
        own = fold == held
        expected[own] = slope[0] + features[own] @ slope[1:] + effect if wide else slope[0] + effect
    return expected


def _interval(value: float, rows: Floats, customer: Ints) -> Interval:
    """Return the value with its 95 % interval where customers, not impressions, are independent."""
    wide = _error(rows, customer) * float(stats.t.ppf(0.975, max(1, len(np.unique(customer)) - 1)))
    return Interval(value, value - wide, value + wide)


def _error(rows: Floats, customer: Ints) -> float:
    """Return the standard error of the mean of rows, clustered by customer (Liang and Zeger 1986)."""
    sums = np.bincount(customer, rows - rows.mean())
    clusters = len(np.unique(customer))
    return float(np.sqrt(sums @ sums * clusters / max(1, clusters - 1)) / rows.size)
