"""Does an association tell pairs that are bought together from pairs that merely could be?

Baskets come as sparse rows: ``items[starts[b]:starts[b + 1]]`` are the product codes of basket b. An association is
asked by function, so that sparse, dense and embedded ones are judged alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ml.evaluation.bootstrap import Interval

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Reals = NDArray[np.float64]

BOUGHT_TOGETHER = 3
"""Held-out baskets from which on a pair counts as bought together: once may be chance."""

SAMPLED_PAIRS, SAMPLED_BASKETS = 20_000, 2_000
GROUP_PAIRS = 200
"""A group of fewer pairs decides nothing."""
POPULARITY_WINDOW = 25
"""A stand-in has a popularity rank at most this far away."""


class Reading(Protocol):
    """An association that can be asked for single pairs and for whole baskets, by product code."""

    def between(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs,) association of pairs."""
        ...

    def summed(self, codes: NDArray[np.integer]) -> Reals:
        """Return the (products,) summed association of each product with those of ``codes``."""
        ...


@dataclass(frozen=True)
class PairSample:
    """Pairs that were bought together in held-out baskets, and for each a pair of like popularity that never was.

    Attributes
    ----------
    first, second
        (pairs,) product codes bought together.
    other_first, other_second
        (pairs,) product codes of the stand-ins.
    """

    first: Ints
    second: Ints
    other_first: Ints
    other_second: Ints


def sample_pairs(
    first: Codes,
    second: Codes,
    pair_baskets: Codes,
    product_baskets: Ints,
    seed: int,
    least: int = BOUGHT_TOGETHER,
    pairs: int = SAMPLED_PAIRS,
    groups: Ints | None = None,
) -> PairSample:
    """Draw pairs from held-out baskets and a stand-in for each.

    A pair whose stand-in was bought together too is left out with it: the most popular pairs mostly are, and had they
    stayed alone, popularity would tell pairs from stand-ins.

    Parameters
    ----------
    first, second, pair_baskets
        (held-out pairs,) every pair of the held-out baskets, first < second, and in how many of them it lies.
    product_baskets
        (products,) popularity in the period that was learned from.
    least
        A pair counts as bought together from this many held-out baskets on: once may be chance.
    pairs
        Most pairs to draw.
    groups
        (products,) number of a group that a product's stand-in must come from too; one group when None.
    """
    rng = np.random.default_rng(seed)
    products = len(product_baskets)
    drawn = np.sort(rng.permutation(np.flatnonzero(pair_baskets >= least))[:pairs])
    groups = np.zeros(products, np.int64) if groups is None else groups
    by_popularity = np.lexsort((-product_baskets, groups))
    rank = np.empty(products, np.int64)
    rank[by_popularity] = np.arange(products)

    def stand_ins(codes: Codes) -> Ints:
        step = rng.integers(1, POPULARITY_WINDOW + 1, len(codes)) * rng.choice([-1, 1], len(codes))
        return by_popularity[np.clip(rank[codes] + step, 0, products - 1)]

    left, right = stand_ins(first[drawn]), stand_ins(second[drawn])
    low, high = np.minimum(left, right), np.maximum(left, right)
    known = first.astype(np.int64) * products + second
    is_alike = (groups[left] == groups[first[drawn]]) & (groups[right] == groups[second[drawn]])
    kept = is_alike & (low != high) & ~np.isin(low * products + high, known)
    drawn = drawn[kept]
    return PairSample(first[drawn].astype(np.int64), second[drawn].astype(np.int64), low[kept], high[kept])


def pair_auc(sample: PairSample, association: Callable[[Ints, Ints], Reals]) -> float:
    """Return how often a pair that was bought scores above one of like popularity that was not; ties count half.

    Parameters
    ----------
    association
        Gives the (pairs,) association of two lists of product codes.

    Returns
    -------
    float
        Area under the ROC curve, 0.5 for no knowledge; NaN without pairs.
    """
    bought = association(sample.first, sample.second)
    others = association(sample.other_first, sample.other_second)
    if not len(bought) or not len(others):
        return float("nan")
    ranks = rankdata(np.concatenate([bought, others]))[: len(bought)]
    return float((ranks.sum() - len(bought) * (len(bought) + 1) / 2) / (len(bought) * len(others)))


def auc_interval(bought: Reals, others: Reals) -> Interval:
    """Return the area under the curve of scores and its 95 % interval, pairs taken as independent.

    Parameters
    ----------
    bought, others
        Scores of pairs that were bought together, and of their stand-ins; at least two of each.

    Source
    ------
    DeLong, DeLong and Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver operating
    characteristic curves, Biometrics 44(3).
    """
    ranks = rankdata(np.concatenate([bought, others]))
    n, m = len(bought), len(others)
    above = (ranks[:n] - rankdata(bought)) / m
    below = 1 - (ranks[n:] - rankdata(others)) / n
    half = 1.96 * np.sqrt(above.var(ddof=1) / n + below.var(ddof=1) / m)
    return Interval(float(above.mean()), float(above.mean() - half), float(above.mean() + half))


def auc_by_group(
    sample: PairSample, association: Callable[[Ints, Ints], Reals], groups: NDArray[np.str_], least: int = GROUP_PAIRS
) -> dict[str, float]:
    """Return the pair AUC of the pairs that a product of each group lies in; groups of fewer pairs are left out.

    Parameters
    ----------
    groups
        (products,) name of each product's group.
    """
    found = {}
    for group in np.unique(groups).tolist():
        is_in = (groups[sample.first] == group) | (groups[sample.second] == group)
        if np.count_nonzero(is_in) >= least:
            sides = (sample.first, sample.second, sample.other_first, sample.other_second)
            found[group] = pair_auc(PairSample(*(side[is_in] for side in sides)), association)
    return found


def predicted_over_actual(predicted: Reals, actual: Reals) -> dict[str, float]:
    """Return the baskets foretold of all pairs over those seen, by that name; nothing where none was seen."""
    return {"predicted_over_actual": float(predicted.sum() / actual.sum())} if actual.sum() > 0 else {}


def completion(
    starts: Ints,
    items: Codes,
    scores: Callable[[Ints], Reals],
    seed: int,
    baskets: int = SAMPLED_BASKETS,
    k: int = 10,
) -> tuple[Ints, Reals, Reals]:
    """Show half of a basket and look for the rest among the k products most associated with it.

    Parameters
    ----------
    starts, items
        Held-out baskets; those with fewer than two products are passed over.
    scores
        Gives (products,) the summed association with a list of product codes.
    baskets
        How many to draw, without replacement.
    k
        Length of the list.

    Returns
    -------
    tuple
        (drawn,) the baskets drawn, the recall of the hidden half, and 1 where any of it was found.
    """
    rng = np.random.default_rng(seed)
    eligible = np.flatnonzero(np.diff(starts) >= 2)
    drawn = np.sort(rng.permutation(eligible)[:baskets])
    recall, hit = np.zeros(len(drawn)), np.zeros(len(drawn))
    for row, basket in enumerate(drawn):
        shuffled = rng.permutation(items[starts[basket] : starts[basket + 1]]).astype(np.int64)
        shown, hidden = np.split(shuffled, [(len(shuffled) + 1) // 2])
        score = scores(shown).copy()
        score[shown] = -np.inf
        best = np.argpartition(-score, min(k, len(score) - 1))[:k]
        found = np.isin(hidden, best[score[best] > 0]).sum()
        recall[row], hit[row] = found / len(hidden), found > 0
    return drawn, recall, hit


def measure(
    reading: Reading, sample: PairSample, starts: Ints, items: Codes, customers: Codes, seed: int
) -> tuple[dict[str, float], Ints, Reals]:
    """Return ``pair_auc``, ``completion_recall_10`` and ``completion_hit_10``; the customers asked; and their recall.

    The recall by customer, (customers,), is what intervals resample: baskets of one customer are not independent.
    A basket without a customer (a negative code) stands for a customer of its own, with a negative code of its own.

    What cannot be measured, for want of pairs or baskets, is left out.
    """
    drawn, recall, hit = completion(starts, items, reading.summed, seed)
    found = {
        "pair_auc": pair_auc(sample, reading.between),
        "completion_recall_10": float(recall.mean()) if len(recall) else float("nan"),
        "completion_hit_10": float(hit.mean()) if len(hit) else float("nan"),
    }
    owners = np.where(customers[drawn] < 0, -1 - np.arange(len(drawn)), customers[drawn]).astype(np.int64)
    asked, codes = np.unique(owners, return_inverse=True)
    of_customers = np.bincount(codes, recall) / np.maximum(np.bincount(codes), 1)
    return {metric: value for metric, value in found.items() if np.isfinite(value)}, asked, of_customers
