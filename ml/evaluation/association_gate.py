"""The gate of the association model: what a version must show on held-out baskets, and the reason in words.

As for preference, recipes are compared: the champion's counts are made anew from the data before each window.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ml.evaluation.bootstrap import Interval
from ml.evaluation.gate import MARGIN, Check, Verdict, in_words, verdict_of

AUC_BOUND = 0.02
"""Pair AUC may fall by at most this."""

PAIRS_SHARE = 0.9
"""Pairs with evidence may fall to this share of the champion's at most: what is not counted is not offered."""


@dataclass(frozen=True)
class PairRivalry:
    """A candidate beside the champion's recipe, over the same windows.

    Attributes
    ----------
    windows
        How many windows both were measured in.
    recall_10
        Candidate minus champion in completion recall@10, paired by customer and window.
    pair_auc, pairs
        Of the candidate and of the champion, means over the windows.
    rival
        What the candidate is compared with, in words.
    """

    windows: int
    recall_10: Interval
    pair_auc: tuple[float, float]
    pairs: tuple[float, float]
    rival: str

    def metrics(self) -> dict[str, float]:
        """Return its numbers by name, to be written down."""
        return {
            "windows": self.windows,
            "completion_recall_10_over_champion": self.recall_10.value,
            "completion_recall_10_over_champion_low": self.recall_10.low,
            "completion_recall_10_over_champion_high": self.recall_10.high,
            "champion_pair_auc": self.pair_auc[1],
            "champion_pairs": self.pairs[1],
        }


def judge_association(
    gains: Mapping[str, Interval],
    pairs: int,
    beside: Mapping[str, float],
    rivalry: PairRivalry | None = None,
    is_refresh: bool = False,
) -> Verdict:
    """Return whether the candidate passes, and why.

    It must not complete baskets worse than any of its rivals beyond what chance explains: the paired interval of
    the difference may not lie below 0. Against the champion, a refresh must not be inferior and a challenger must be
    superior, and neither may lose what is guarded. Readings of the same counts over the whole population stand beside
    it for information; they may complete a stranger's basket better, because they hold the tastes that personal
    preferences already account for.

    Parameters
    ----------
    gains
        By rival, the candidate's completion recall@10 minus the rival's, paired by customer; NaN without baskets.
    pairs
        Pairs with evidence in the candidate.
    beside
        Completion recall@10 of what is shown for information.
    rivalry
        Against the champion's recipe; None where there is none, or it is the same recipe on data as new.
    is_refresh
        Whether the candidate follows the champion's recipe.
    """
    checks: list[Check] = [(pairs > 0, f"{pairs} pairs with evidence")]
    for rival, gain in gains.items():
        checks.append((not gain.high < 0, f"completion recall@10 against {rival}: {in_words(gain)}"))
    if rivalry:
        checks += _against(rivalry, is_refresh)
    verdict = verdict_of(checks)
    words = "".join(f"; {name} for information: {value:.4f}" for name, value in beside.items())
    return Verdict(verdict.passed, verdict.reason + words)


def _against(rivalry: PairRivalry, is_refresh: bool) -> list[Check]:
    gain, least = rivalry.recall_10, -MARGIN if is_refresh else 0.0
    (auc, auc_before), (pairs, pairs_before) = rivalry.pair_auc, rivalry.pairs
    windows = f"{rivalry.windows} window{'' if rivalry.windows == 1 else 's'}"
    text = f"completion recall@10 against {rivalry.rival} in {windows}: {in_words(gain)}, must be above {least:g}"
    return [
        (gain.low > least, text),
        (not auc < auc_before - AUC_BOUND, f"pair AUC {auc:.4f} against {auc_before:.4f}, may fall by {AUC_BOUND}"),
        (
            pairs >= PAIRS_SHARE * pairs_before,
            f"{pairs:.0f} pairs against {pairs_before:.0f}, may fall to {PAIRS_SHARE:.0%} of it",
        ),
    ]
