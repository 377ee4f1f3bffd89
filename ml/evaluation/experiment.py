"""An experiment on customers: who is in which arm, whether the arms came out as planned, and what the treatment added.

Customers are assigned and customers are counted: what one customer brings in a period is one observation.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml.errors import ConfigError
from ml.evaluation.bootstrap import Interval

Floats = NDArray[np.float64]

HOLDOUT = "holdout"


@dataclass(frozen=True)
class ExperimentParams:
    """How customers are split, and when a read-out is refused.

    Attributes
    ----------
    salt
        Tells one experiment's assignment from another's.
    arms
        Name to share of those who take part; the shares sum to 1.
    holdout_share
        Share of all customers who are in no arm: they see no bundle in any experiment.
    holdout_salt
        Kept when the next experiment begins, so that the same customers stay held out.
    ratio_level
        Probability under which numbers by arm are not believed to be chance.
    least_customers
        Of an arm: with fewer, the interval of a skewed outcome is not to be trusted.

    Raises
    ------
    ConfigError
        When there are fewer than two arms, one is called as the holdout, or the shares are no shares.
    """

    salt: str
    arms: Mapping[str, float]
    holdout_share: float = 0.0
    holdout_salt: str = HOLDOUT
    ratio_level: float = 0.001
    least_customers: int = 100

    def __post_init__(self) -> None:
        if len(self.arms) < 2 or HOLDOUT in self.arms:
            raise ConfigError(f"arms: got {', '.join(self.arms)}; two or more are needed, none called {HOLDOUT}")
        if min(self.arms.values()) <= 0 or abs(sum(self.arms.values()) - 1) > 1e-9:
            raise ConfigError(f"arms: got {dict(self.arms)}; shares must be above 0 and sum to 1")
        if not 0 <= self.holdout_share < 1:
            raise ConfigError(f"holdout_share: got {self.holdout_share}, allowed is 0 to below 1")

    @property
    def shares(self) -> dict[str, float]:
        """Share of all customers by arm, the holdout last where there is one."""
        arms = {arm: share * (1 - self.holdout_share) for arm, share in self.arms.items()}
        return arms | ({HOLDOUT: self.holdout_share} if self.holdout_share else {})


def assign(customer_ids: Sequence[str], params: ExperimentParams) -> list[str]:
    """Return the arm of each customer, or ``holdout``; the same in every process, on every machine, for ever.

    Source
    ------
    Kohavi, Tang and Xu (2020), Trustworthy Online Controlled Experiments, chapter 4 (hashing the unit with a salt).
    """
    ends = list(accumulate(params.arms.values()))[:-1]
    names = list(params.arms)

    def arm(customer: str) -> str:
        if _place(params.holdout_salt, customer) < params.holdout_share:
            return HOLDOUT
        place = _place(params.salt, customer)
        return names[sum(place >= end for end in ends)]

    return [arm(customer) for customer in customer_ids]


def _place(salt: str, customer: str) -> float:
    """Return a number in [0, 1) that only salt and customer decide; Python's own hash differs between processes."""
    digest = hashlib.sha256(f"{len(salt)}:{salt}{customer}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@dataclass(frozen=True)
class SampleRatio:
    """Whether the arms are as large as planned: probability of a split at least this uneven, and what is wrong."""

    p_value: float
    reason: str | None


def sample_ratio(found: Mapping[str, int], params: ExperimentParams) -> SampleRatio:
    """Return whether customers by arm agree with the planned shares (chi-square).

    Source
    ------
    Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD 25.
    """
    counts = np.array([found.get(arm, 0) for arm in params.shares], np.float64)
    planned = np.array(list(params.shares.values())) * counts.sum()
    if not counts.sum():
        return SampleRatio(1.0, "nobody is in an arm")
    p_value = float(stats.chisquare(counts, planned).pvalue)
    if p_value >= params.ratio_level:
        return SampleRatio(p_value, None)
    rows = zip(params.shares, counts, planned, strict=True)
    came = ", ".join(f"{arm} {int(count)} (planned {plan:.0f})" for arm, count, plan in rows)
    return SampleRatio(
        p_value, f"sample ratio mismatch: {came}; by chance less than once in {1 / params.ratio_level:.0f}"
    )


@dataclass(frozen=True)
class Effect:
    """What a customer brings in an arm over one in the control arm: the difference, and the relative difference.

    ``ratio`` is None where the control arm's mean cannot be told from 0.
    """

    difference: Interval
    ratio: Interval | None


@dataclass(frozen=True)
class Uplift:
    """One arm against the control arm.

    Attributes
    ----------
    raw, adjusted
        Without and with the covariate.
    explained_share
        Share of the outcome's variance within arms that the covariate explains: the adjusted variance is 1 minus it.
    """

    arm: str
    control: str
    customers: int
    control_customers: int
    mean: float
    control_mean: float
    raw: Effect
    adjusted: Effect
    explained_share: float


@dataclass(frozen=True)
class Readout:
    """All arms, and the holdout, against the control arm; none, and the reason, where the numbers by arm forbid it."""

    ratio: SampleRatio
    customers: Mapping[str, int]
    uplifts: tuple[Uplift, ...]
    refusal: str | None


def read_out(outcome: Floats, covariate: Floats, arm: Sequence[str], control: str, params: ExperimentParams) -> Readout:
    """Return what each arm added per customer, raw and adjusted by what the customers brought before.

    Parameters
    ----------
    outcome, covariate
        (customers,) of one unit, such as cents after and before the first exposure. The covariate must not know the
        arm: it ends before the experiment begins.
    arm
        (customers,) name each; those in no arm of the params, nor in its holdout, are left out.

    Source
    ------
    Deng, Xu, Kohavi and Walker (2013), Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data, WSDM 6 (CUPED); Deng, Knoblich and Lu (2018), Applying the delta method in metric analytics,
    KDD 24 (interval of a ratio).

    Raises
    ------
    ConfigError
        When the control arm is none of the arms.
    """
    if control not in params.arms:
        raise ConfigError(f"control: got {control}, the arms are {', '.join(params.arms)}")
    counted = Counter(name for name in arm if name in params.shares)
    customers = {name: counted[name] for name in params.shares}
    ratio = sample_ratio(customers, params)
    refusal = ratio.reason or _too_small(customers, params.least_customers)
    if refusal:
        return Readout(ratio, customers, (), refusal)
    names = np.array(arm)
    places = {name: np.flatnonzero(names == name) for name in params.shares}
    theta, explained = _slope(outcome, covariate, list(places.values()))
    everybody = np.concatenate(list(places.values()))
    adjusted = outcome - theta * (covariate - covariate[everybody].mean())
    base = places.pop(control)
    uplifts = tuple(
        Uplift(
            name, control, len(rows), len(base), float(outcome[rows].mean()), float(outcome[base].mean()),
            effect(outcome[rows], outcome[base]), effect(adjusted[rows], adjusted[base]), explained,
        )
        for name, rows in places.items()
    )  # fmt: skip
    return Readout(ratio, customers, uplifts, None)


def effect(treated: Floats, control: Floats) -> Effect:
    """Return the difference of two means and their ratio minus 1, each with its 95 % interval (Welch, delta method)."""
    mean, base = float(treated.mean()), float(control.mean())
    variance, base_variance = treated.var(ddof=1) / treated.size, control.var(ddof=1) / control.size
    both = variance + base_variance
    degrees = both**2 / (variance**2 / (treated.size - 1) + base_variance**2 / (control.size - 1)) if both else 1.0
    wide = float(stats.t.ppf(0.975, degrees) * np.sqrt(both))
    difference = Interval(mean - base, mean - base - wide, mean - base + wide)
    if base <= stats.norm.ppf(0.975) * np.sqrt(base_variance):
        return Effect(difference, None)
    ratio = mean / base
    wide = float(stats.norm.ppf(0.975) * np.sqrt(variance + ratio**2 * base_variance) / base)
    return Effect(difference, Interval(ratio - 1, ratio - 1 - wide, ratio - 1 + wide))


def _slope(outcome: Floats, covariate: Floats, groups: Sequence[NDArray[np.intp]]) -> tuple[float, float]:
    """Return the regression of outcome on covariate within the arms, and the share of the variance it explains."""
    y, x = (np.concatenate([values[rows] - values[rows].mean() for rows in groups]) for values in (outcome, covariate))
    spread = float(x @ x)
    if not spread or not (y @ y):
        return 0.0, 0.0
    # Rounding may carry the share of a perfect line past 1.
    return float(x @ y) / spread, min(float((x @ y) ** 2 / (spread * (y @ y))), 1.0)


def _too_small(customers: Mapping[str, int], least: int) -> str | None:
    small = [f"{arm} {count}" for arm, count in customers.items() if count < least]
    return f"too few customers: {', '.join(small)}; each arm needs {least}" if small else None
