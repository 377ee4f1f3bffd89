"""The gate of the association model: what a challenger must show on held-out baskets, and the reason in words."""

from ml.evaluation.bootstrap import Interval


def judge_association(gains: dict[str, Interval], pairs: int, beside: dict[str, float]) -> tuple[bool, str]:
    """Return whether the challenger passes, and why.

    It must not complete baskets worse than any of its rivals beyond what chance explains: the paired interval of
    the difference may not lie below 0. Readings of the same counts over the whole population stand beside it for
    information; they may complete a stranger's basket better, because they hold the tastes that personal preferences
    already account for.

    Parameters
    ----------
    gains
        By rival, the challenger's completion recall@10 minus the rival's, paired by basket; NaN without baskets.
    pairs
        Pairs with evidence in the challenger.
    beside
        Completion recall@10 of what is shown for information.
    """
    worse = [rival for rival, gain in gains.items() if gain.high < 0]
    words = [f"{pairs} pairs with evidence"]
    for rival, gain in gains.items():
        verdict = "FAILED: " if rival in worse else ""
        words.append(
            f"{verdict}completion recall@10 against {rival}: {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        )
    words += [f"{name} for information: {value:.4f}" for name, value in beside.items()]
    passed = pairs > 0 and not worse
    return passed, ("passed: " if passed else "not passed: ") + "; ".join(words)
