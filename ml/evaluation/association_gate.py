"""The gate of the association model: what a version must show on held-out baskets, and the reason in words.

As for preference, recipes are compared: the champion's counts are made anew from the data before each window. What
could not be measured passes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, log

from ml.evaluation.bootstrap import Interval
from ml.evaluation.gate import MARGIN, Check, Verdict, in_words, verdict_of

AUC_BOUND = 0.02
"""Pair AUC may fall by at most this."""

PAIRS_SHARE = 0.9
"""Pairs with evidence may fall to this share of the champion's at most: what is not counted is not offered."""

CALIBRATION_BOUND = 0.1
"""Baskets foretold over those seen may be further from 1 than the champion's by this at most, as a logarithm."""

DEPARTMENT_BOUND = 0.05
"""Pair AUC that a department may lose at most: about three standard errors of one with few pairs."""


@dataclass(frozen=True)
class PairRivalry:
    """A candidate beside the champion's recipe, over the same windows.

    Attributes
    ----------
    windows
        How many windows both were measured in.
    recall_10
        Candidate minus champion in completion recall@10, paired by customer.
    pair_auc, pairs, predicted_over_actual
        Of the candidate and of the champion, means over the windows.
    departments
        By department with pairs enough in every window: candidate minus champion in pair AUC.
    rival
        What the candidate is compared with, in words.
    """

    windows: int
    recall_10: Interval
    pair_auc: tuple[float, float]
    pairs: tuple[float, float]
    predicted_over_actual: tuple[float, float]
    departments: Mapping[str, float] = field(default_factory=dict)
    rival: str = "the champion's recipe"

    def metrics(self) -> dict[str, float]:
        """Return its numbers by name, to be written down; what could not be measured is left out.

        Each begins with ``gate_``: they are means over windows, beside which a run shows its newest window alone.
        """
        numbers = {
            "windows": self.windows,
            "completion_recall_10_over_champion": self.recall_10.value,
            "completion_recall_10_over_champion_low": self.recall_10.low,
            "completion_recall_10_over_champion_high": self.recall_10.high,
        }
        for name in ("pair_auc", "pairs", "predicted_over_actual"):
            own, other = getattr(self, name)
            numbers |= {name: own, f"champion_{name}": other}
        return {f"gate_{name}": value for name, value in numbers.items() if isfinite(value)}


def judge_first(gains: Mapping[str, Interval], pairs: int, beside: Mapping[str, float]) -> Verdict:
    """Judge a version where there is no champion: it must not complete baskets worse than its rivals beyond chance.

    Readings of the same counts over the whole population stand beside it for information; they may complete a
    stranger's basket better, because they hold the tastes that personal preferences already account for.

    Parameters
    ----------
    gains
        By rival, the candidate's completion recall@10 minus the rival's, paired by customer; NaN without baskets.
    pairs
        Pairs with evidence in the candidate.
    beside
        Completion recall@10 of what is shown for information.
    """
    return _with(verdict_of(_floor(gains, pairs)), beside)


def judge_challenger(
    gains: Mapping[str, Interval], pairs: int, beside: Mapping[str, float], rivalry: PairRivalry | None, apart: str = ""
) -> Verdict:
    """Judge a version of another recipe than the champion's: it must be better, and lose nothing that is guarded.

    Parameters
    ----------
    rivalry
        Against the champion's recipe on the same data; None where they cannot be compared. Nothing shows then that the
        candidate is better, and it does not pass.
    apart
        Why they cannot be compared.
    """
    if rivalry is None:
        never = f"cannot be compared with the champion, promote it by hand where it is wanted: {apart}"
        return _with(verdict_of([(False, never), *_floor(gains, pairs)]), beside)
    return _with(verdict_of([_better(rivalry, 0.0), *_guards(rivalry), *_floor(gains, pairs)]), beside)


def judge_refresh(
    gains: Mapping[str, Interval], pairs: int, beside: Mapping[str, float], rivalry: PairRivalry | None
) -> Verdict:
    """Judge a version of the champion's recipe on newer data: it must not be worse, nor lose anything that is guarded.

    Parameters
    ----------
    rivalry
        Against the recipe on data as old as the champion's are by now; None where there are not enough data to replay
        that age, or the champion's are as new. It must show what a first version must then.
    """
    if rivalry is None:
        alike = True, "same recipe as the champion, and no window to compare an older and a newer one in"
        return _with(verdict_of([alike, *_floor(gains, pairs)]), beside)
    return _with(verdict_of([_better(rivalry, -MARGIN), *_guards(rivalry), *_floor(gains, pairs)]), beside)


def _with(verdict: Verdict, beside: Mapping[str, float]) -> Verdict:
    words = "".join(f"; {name} for information: {value:.4f}" for name, value in beside.items())
    return Verdict(verdict.passed, verdict.reason + words)


def _floor(gains: Mapping[str, Interval], pairs: int) -> list[Check]:
    checks: list[Check] = [(pairs > 0, f"{pairs} pairs with evidence")]
    for rival, gain in gains.items():
        told = in_words(gain) if isfinite(gain.high) else "could not be measured"
        checks.append((gain.high >= 0, f"completion recall@10 against {rival}: {told}"))
    return checks


def _better(rivalry: PairRivalry, least: float) -> Check:
    gain, windows = rivalry.recall_10, f"{rivalry.windows} window{'' if rivalry.windows == 1 else 's'}"
    text = f"completion recall@10 against {rivalry.rival} in {windows}: {in_words(gain)}, must be above {least:g}"
    return gain.low > least, text


def _guards(rivalry: PairRivalry) -> list[Check]:
    (auc, auc_before), (pairs, pairs_before) = rivalry.pair_auc, rivalry.pairs
    ratio, ratio_before = rivalry.predicted_over_actual
    checks = [
        _measured("pair AUC", auc, auc_before, auc >= auc_before - AUC_BOUND, f"may fall by {AUC_BOUND}"),
        (
            pairs >= PAIRS_SHARE * pairs_before,
            f"{pairs:.0f} pairs against {pairs_before:.0f}, may fall to {PAIRS_SHARE:.0%} of it",
        ),
        _measured(
            "joint purchases predicted / actual",
            ratio,
            ratio_before,
            min(ratio, ratio_before) > 0 and abs(log(ratio)) <= abs(log(ratio_before)) + CALIBRATION_BOUND,
            f"may be further from 1 by {CALIBRATION_BOUND:.0%}",
        ),
    ]
    if not rivalry.departments:
        return [*checks, (True, "no department has pairs enough")]
    worst = min(rivalry.departments, key=lambda name: (rivalry.departments[name], name))
    lost = rivalry.departments[worst]
    return [
        *checks,
        (lost >= -DEPARTMENT_BOUND, f"worst department ({worst}): pair AUC {lost:+.4f}, may lose {DEPARTMENT_BOUND}"),
    ]


def _measured(name: str, own: float, other: float, holds: bool, bound: str) -> Check:
    if not (isfinite(own) and isfinite(other)):
        return False, f"{name} could not be measured"
    return holds, f"{name} {own:.4f} against {other:.4f}, {bound}"
