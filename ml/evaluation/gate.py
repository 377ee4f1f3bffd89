"""The gate of the preference model: what a challenger must show on held-out baskets, and the reason in words."""

from collections.abc import Mapping

TOLERANCE = 0.005
"""NDCG that a challenger may lose against the champion on the same window: about half a 95 % interval."""


def judge_preference(
    challenger: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    champion_ndcg_10: float | None,
) -> tuple[bool, str]:
    """Return whether the challenger passes, and why.

    Parameters
    ----------
    challenger
        Its ``ndcg_10``, ``brier`` and ``base_rate_brier``.
    baselines
        The same of each baseline, by name; ``ndcg_10`` is looked at.
    champion_ndcg_10
        The champion's, on the same window; None where there is no champion.
    """
    best = _best(baselines)
    to_beat = baselines[best]["ndcg_10"]
    checks = [
        (
            challenger["ndcg_10"] >= to_beat,
            f"NDCG@10 {challenger['ndcg_10']:.4f} against {to_beat:.4f} of the best baseline ({best})",
        ),
        (
            challenger["brier"] <= challenger["base_rate_brier"],
            f"Brier {challenger['brier']:.5f} against {challenger['base_rate_brier']:.5f} of the base rate",
        ),
    ]
    if champion_ndcg_10 is not None:
        enough = challenger["ndcg_10"] >= champion_ndcg_10 - TOLERANCE
        text = (
            f"NDCG@10 {challenger['ndcg_10']:.4f} against {champion_ndcg_10:.4f} of the champion, tolerance {TOLERANCE}"
        )
        checks.append((enough, text))
    passed = all(good for good, _ in checks)
    words = "; ".join(("" if good else "FAILED: ") + text for good, text in checks)
    return passed, ("passed: " if passed else "not passed: ") + words


def stand_in(baselines: Mapping[str, Mapping[str, float]], refused_version: int, refusal: str) -> tuple[str, str]:
    """Return the baseline that serves while no model has passed, and the reason in words.

    Only the order counts here: a baseline's probabilities are those of its definition, calibrated or not.
    """
    best = _best(baselines)
    facts = baselines[best]
    return best, (
        f"stands in while no ranker has passed: the best baseline, NDCG@10 {facts['ndcg_10']:.4f}, Brier "
        f"{facts['brier']:.5f} against {facts['base_rate_brier']:.5f} of the base rate; version {refused_version} "
        f"was {refusal}"
    )


def _best(baselines: Mapping[str, Mapping[str, float]]) -> str:
    return max(baselines, key=lambda name: (baselines[name]["ndcg_10"], name))
