"""What a pair is worth under each objective, elementwise: dense blocks, sparse edges and compiled loops alike.

``left`` and ``right`` are the preferences p_i and p_j (probabilities of buying in the next basket), ``association``
is A_ij >= 0; 0 means no evidence, and such a pair is worth 0 everywhere. Pair values are never negative, which the
bounds rely on. ``spread`` is v, how much more often than independently two products share a basket because this
customer's baskets differ in size (:func:`ml.spread.basket_spreads`). A bundle is worth the sum over its pairs, plus
its products' own values if it has any, minus a cost for each product shown (:mod:`ml.optimizer.rules`), so that its
size is a decision. Where a basket is half filled, pairs with what is in it count as well, by
:func:`values_beside`.

=========================== ============================================ ===========================================
objective                    value of a pair                              unit, scale
=========================== ============================================ ===========================================
expected_joint_purchase      min(v p_i p_j A_ij, p_i, p_j)                probability that one basket holds both
independent_purchase         min(v p_i p_j, p_i, p_j)                     the same, were they bought independently
expected_incremental_margin  max(0, min(v p_i p_j A_ij, p_i, p_j)         cents a customer: margin of the joint
                             - v p_i p_j) max(0, m_i + m_j)               purchases beyond independent ones
pairwise_sum                 (p_i + p_j) A_ij                             none; grows with every product
favourite_times_association  max(p_i, p_j) A_ij                           none
=========================== ============================================ ===========================================

The first is the superposition of pairs of Kirkwood (1935) cut off after pairs, with A_ij the lift P(i, j) / (P(i) P(j))
of Brin, Motwani, Ullman and Tsur (1997), Dynamic itemset counting, SIGMOD; on held-out baskets it found more pairs
that were bought together than the others (README, "Measured"). The third is its difference from independence, weighed
by money: Piatetsky-Shapiro's leverage (1991), Discovery, analysis and presentation of strong rules. It takes the
association for an effect, which only an experiment can confirm. The fourth is the commissioning formula.
"""

from enum import IntEnum

import numpy as np
from numba import njit, vectorize
from numpy.typing import NDArray

from ml.optimizer.rules import UNKNOWN_MARGIN

Reals = NDArray[np.float64]


EXPECTED_JOINT_PURCHASE, INDEPENDENT_PURCHASE, EXPECTED_INCREMENTAL_MARGIN, PAIRWISE_SUM = 0, 1, 2, 3
FAVOURITE_TIMES_ASSOCIATION = 4  # plain numbers, for compiled code


class Objective(IntEnum):
    """What a pair is worth; the formulas stand at the head of this file."""

    EXPECTED_JOINT_PURCHASE = EXPECTED_JOINT_PURCHASE
    INDEPENDENT_PURCHASE = INDEPENDENT_PURCHASE
    EXPECTED_INCREMENTAL_MARGIN = EXPECTED_INCREMENTAL_MARGIN
    PAIRWISE_SUM = PAIRWISE_SUM
    FAVOURITE_TIMES_ASSOCIATION = FAVOURITE_TIMES_ASSOCIATION


def _value(objective, left, right, association, margin, spread):  # type: ignore[no-untyped-def]
    """Return the value of one pair; ``margin`` is m_i + m_j in cents, used by the incremental margin alone."""
    if association <= 0.0:
        return 0.0
    if objective == PAIRWISE_SUM:
        return (left + right) * association
    if objective == FAVOURITE_TIMES_ASSOCIATION:
        return max(left, right) * association
    either = min(left, right)  # both are never bought more often than either
    chance = left * right * spread  # in this order: it is the same number from either side
    apart = min(chance, either)
    if objective == INDEPENDENT_PURCHASE:
        return apart
    joint = min(chance * association, either)
    if objective == EXPECTED_JOINT_PURCHASE:
        return joint
    return max(joint - apart, 0.0) * max(margin, 0.0)


pair_value = njit(cache=True, nogil=True)(_value)
"""The same for one pair, in compiled code."""
_elementwise = vectorize(cache=True)(_value)


def pair_values(
    objective: Objective, left: Reals, right: Reals, association: Reals, margin: Reals, spread: float = 1.0
) -> Reals:
    """Return the value of each pair; arguments are broadcast against each other."""
    values: Reals = _elementwise(int(objective), left, right, association, margin, spread)
    return values


def values_beside(
    objective: Objective, preference: Reals, association: Reals, margin_cents: NDArray[np.int64], spread: float = 1.0
) -> Reals:
    """Return (C, n) what candidates are worth for their pairs with C products that are in the basket already.

    Those are bought for certain, so p_j = 1, and what a pair is worth becomes what the candidate is worth given the
    basket: the joint probability is the conditional one, P(i, j) / P(j) = v p_i A_ij, and may be at most 1. The cap at
    p_i of :func:`pair_values` does not hold here: that is what lets a complement of the basket rise above its own
    probability. The margin of what is bought anyway is not gained by the candidate.

    ===========================  =====================================================
    expected_joint_purchase      min(v p_i A_ij, 1)
    independent_purchase         min(v p_i, 1)
    expected_incremental_margin  max(0, min(v p_i A_ij, 1) - min(v p_i, 1)) max(0, m_i)
    pairwise_sum                 (p_i + 1) A_ij
    favourite_times_association  A_ij
    ===========================  =====================================================

    Parameters
    ----------
    preference, margin_cents
        (n,) of the candidates.
    association
        (C, n) >= 0; 0 means no evidence, and such a pair is worth 0.
    spread
        v of the customer.
    """
    chance = spread * preference[None, :]
    joint, apart = np.minimum(chance * association, 1.0), np.minimum(chance, 1.0)
    if objective == Objective.EXPECTED_JOINT_PURCHASE:
        values = joint
    elif objective == Objective.INDEPENDENT_PURCHASE:
        values = apart
    elif objective == Objective.EXPECTED_INCREMENTAL_MARGIN:
        values = np.maximum(joint - apart, 0.0) * np.maximum(margin_cents, 0)
    elif objective == Objective.PAIRWISE_SUM:
        values = (preference[None, :] + 1.0) * association
    else:
        values = association
    beside: Reals = np.where(association > 0, values, 0.0)
    return beside


def dense_pairs(
    objective: Objective,
    preference: Reals,
    association: Reals,
    margin_cents: NDArray[np.int64] | None = None,
    spread: float = 1.0,
) -> Reals:
    """Return the (n, n) symmetric pair values with a zero diagonal.

    Parameters
    ----------
    preference
        (n,) probabilities.
    association
        (n, n) symmetric, >= 0.
    margin_cents
        (n,) ``UNKNOWN_MARGIN`` where it is not known: such a product earns nothing in any pair.
    spread
        v of the customer.
    """
    margin = np.zeros(len(preference)) if margin_cents is None else margin_cents.astype(float)
    both = margin[:, None] + margin[None, :]
    both[both < UNKNOWN_MARGIN / 2] = 0.0
    values = pair_values(objective, preference[:, None], preference[None, :], association, both, spread)
    np.fill_diagonal(values, 0.0)
    return values
