"""Were the offered bundles bought? One basket a customer, the first of the held-out window.

hit@k: at least one of the k bundles lies wholly in the basket. precision@k: the share of the k that do. The
cross-sell variant asks only for bundles that hold a product the customer never bought before: hits on staples say
nothing about incremental sales, so both are always shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class BundleScores:
    """What became of each customer's bundles.

    Attributes
    ----------
    hit
        (customers,) 1 where at least one bundle was bought whole, else 0.
    precision
        (customers,) share of the k places whose bundle was bought whole; an empty place is a miss.
    predicted
        (customers,) sum of the joint probabilities that were claimed for the bundles.
    bought
        (customers,) number of bundles bought whole.
    """

    hit: Reals
    precision: Reals
    predicted: Reals
    bought: Reals


def score_bundles(
    bundles: Sequence[Sequence[tuple[int, ...]]],
    probabilities: Sequence[Sequence[float]],
    in_basket: Sequence[Flags],
    k: int = 5,
) -> BundleScores:
    """Hold bundles against the baskets that followed.

    Parameters
    ----------
    bundles
        For each customer up to ``k`` bundles, as positions among the customer's candidates.
    probabilities
        For each customer the joint probability claimed for each bundle.
    in_basket
        For each customer (candidates,) whether the held-out basket holds the candidate.
    k
        Places on offer.
    """
    customers = len(bundles)
    hit, precision, predicted, bought = (np.zeros(customers) for _ in range(4))
    for row, (offered, claimed, basket) in enumerate(zip(bundles, probabilities, in_basket, strict=True)):
        whole = sum(bool(basket[list(items)].all()) for items in offered[:k])
        hit[row], precision[row] = whole > 0, whole / k
        predicted[row], bought[row] = sum(claimed[:k]), whole
    return BundleScores(hit, precision, predicted, bought)


def ratio_interval(predicted: Reals, bought: Reals, draws: int, seed: int) -> tuple[float, float, float] | None:
    """Return predicted over bought bundles with the ends of its 95 % interval, by resampling customers.

    1 is calibrated, above it too confident. None where nothing was bought, or too little to give an interval.

    Source
    ------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13 (percentile intervals).
    """
    if not bought.sum():
        return None
    rng = np.random.default_rng(seed)
    ratios = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(0, len(bought), len(bought))
        total = bought[chosen].sum()
        ratios[draw] = predicted[chosen].sum() / total if total else np.inf
    low, high = np.quantile(ratios, [0.025, 0.975], method="nearest")
    return (float(predicted.sum() / bought.sum()), float(low), float(high)) if np.isfinite(high) else None
