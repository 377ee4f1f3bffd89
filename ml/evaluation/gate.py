"""The gate of the preference model: what a version must show before it becomes the champion, and the reason in words.

Recipes are compared, not files: a champion has been trained on the very baskets it would be judged on, so its recipe
is followed anew on the data before each window, as the candidate's is. Windows are validation windows of the past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ml.evaluation.bootstrap import Interval

MARGIN = 0.005
"""Recall@20 that a refresh may lose at most: about half a 95 % interval on Complete Journey."""

ECE_BOUND = 0.002
"""Expected calibration error may rise by at most this: on Complete Journey it is about 0.001."""

COVERAGE_SHARE = 0.9
"""Coverage may fall to this share of the champion's at most."""

SEGMENT_BOUND = 0.02
"""Recall@20 that a segment may lose at most, where the loss is beyond chance."""

SEGMENT_CUSTOMERS = 100
"""Segments with fewer customers decide nothing: their intervals are wider than the bound."""


@dataclass(frozen=True)
class Verdict:
    """Whether a version passed, and why in words that name every number looked at."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class Rivalry:
    """A candidate beside the champion's recipe, over the same windows.

    Attributes
    ----------
    windows
        How many windows both were measured in.
    recall_20
        Candidate minus champion, paired by customer.
    ece
        Expected calibration error of the candidate and of the champion, means over the windows.
    coverage
        By name of the share: the candidate's and the champion's.
    segments
        By segment of customers or products with customers enough: candidate minus champion in recall@20.
    rival
        What the candidate is compared with, in words.
    """

    windows: int
    recall_20: Interval
    ece: tuple[float, float]
    coverage: Mapping[str, tuple[float, float]]
    segments: Mapping[str, Interval] = field(default_factory=dict)
    rival: str = "the champion's recipe"

    def metrics(self) -> dict[str, float]:
        """Return its numbers by name, to be written down.

        Each begins with ``gate_``: they are means over windows, beside which a run shows its newest window alone.
        """
        numbers = {
            "windows": self.windows,
            "recall_20_over_champion": self.recall_20.value,
            "recall_20_over_champion_low": self.recall_20.low,
            "recall_20_over_champion_high": self.recall_20.high,
        }
        for name, (own, other) in {"ece": self.ece, **self.coverage}.items():
            numbers |= {name: own, f"champion_{name}": other}
        return {f"gate_{name}": value for name, value in numbers.items()}


Check = tuple[bool, str]


def in_words(interval: Interval) -> str:
    """Return a difference with its interval."""
    return f"{interval.value:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """Return the verdict of checks that must all hold; those that do not are marked."""
    passed = all(good for good, _ in checks)
    words = "; ".join(("" if good else "FAILED: ") + text for good, text in checks)
    return Verdict(passed, ("passed: " if passed else "not passed: ") + words)


def judge_first(candidate: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> Verdict:
    """Judge a version where there is no champion: it must rank no worse than the best baseline and be calibrated.

    Parameters
    ----------
    candidate
        Its ``ndcg_10``, ``brier`` and ``base_rate_brier`` on the newest window.
    baselines
        The same of each baseline, by name; ``ndcg_10`` is looked at.
    """
    return verdict_of(_floor(candidate, baselines))


def judge_challenger(
    candidate: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    rivalry: Rivalry | None,
    apart: str = "",
) -> Verdict:
    """Judge a version of another recipe than the champion's: it must be better, and lose nothing that is guarded.

    Parameters
    ----------
    rivalry
        Against the champion's recipe on the same data; None where they cannot be compared. Nothing shows then that the
        candidate is better, and it does not pass, however good it looks alone.
    apart
        Why they cannot be compared.
    """
    if rivalry is None:
        never = f"cannot be compared with the champion, promote it by hand where it is wanted: {apart}"
        return verdict_of([(False, never), *_floor(candidate, baselines)])
    gain = rivalry.recall_20
    better = gain.low > 0, f"recall@20 against {_rival(rivalry)}: {in_words(gain)}, must be above 0"
    return verdict_of([better, *_guards(rivalry), *_floor(candidate, baselines)])


def judge_refresh(
    candidate: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]], rivalry: Rivalry | None
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
        return verdict_of([alike, *_floor(candidate, baselines)])
    gain = rivalry.recall_20
    kept = gain.low > -MARGIN, f"recall@20 against {_rival(rivalry)}: {in_words(gain)}, must be above -{MARGIN}"
    return verdict_of([kept, *_guards(rivalry)])


def stand_in(baselines: Mapping[str, Mapping[str, float]], refused_version: int, refusal: str) -> tuple[str, str]:
    """Return the baseline that serves while no model has passed, and the reason in words.

    Only the order counts here: a baseline's probabilities are those of its definition, calibrated or not.
    """
    best = best_of(baselines)
    facts = baselines[best]
    return best, (
        f"stands in while no ranker has passed: the best baseline, NDCG@10 {facts['ndcg_10']:.4f}, Brier "
        f"{facts['brier']:.5f} against {facts['base_rate_brier']:.5f} of the base rate; version {refused_version} "
        f"was {refusal}"
    )


def best_of(baselines: Mapping[str, Mapping[str, float]]) -> str:
    """Return the baseline with the highest ``ndcg_10``."""
    return max(baselines, key=lambda name: (baselines[name]["ndcg_10"], name))


def _floor(candidate: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> list[Check]:
    best = best_of(baselines)
    to_beat = baselines[best]["ndcg_10"]
    return [
        (
            candidate["ndcg_10"] >= to_beat,
            f"NDCG@10 {candidate['ndcg_10']:.4f} against {to_beat:.4f} of the best baseline ({best})",
        ),
        (
            candidate["brier"] <= candidate["base_rate_brier"],
            f"Brier {candidate['brier']:.5f} against {candidate['base_rate_brier']:.5f} of the base rate",
        ),
    ]


def _guards(rivalry: Rivalry) -> list[Check]:
    own, other = rivalry.ece
    checks = [(own <= other + ECE_BOUND, f"ECE {own:.4f} against {other:.4f}, may rise by {ECE_BOUND}")]
    for name, (share, before) in rivalry.coverage.items():
        text = f"{name.replace('_', ' ')} {share:.3f} against {before:.3f}, may fall to {COVERAGE_SHARE:.0%} of it"
        checks.append((share >= COVERAGE_SHARE * before, text))
    if not rivalry.segments:
        return [*checks, (True, f"no segment has {SEGMENT_CUSTOMERS} customers")]
    lost = {name: one for name, one in rivalry.segments.items() if one.value < -SEGMENT_BOUND and one.high < 0}
    shown = lost or rivalry.segments  # a large loss within chance must not hide a smaller one beyond it
    worst = min(shown, key=lambda name: (shown[name].value, name))
    text = f"worst segment ({worst}): {in_words(shown[worst])}, may lose {SEGMENT_BOUND} beyond chance"
    return [*checks, (not lost, text)]


def _rival(rivalry: Rivalry) -> str:
    return f"{rivalry.rival} in {rivalry.windows} window{'' if rivalry.windows == 1 else 's'}"
