"""What a pair is worth under each named objective, elementwise: dense blocks and sparse edges alike.

``left`` and ``right`` are the preferences p_i and p_j (probabilities of buying in the next basket), ``association``
is A_ij >= 0; 0 means no evidence, and such a pair is worth 0 everywhere. The value of a bundle is the sum over its
pairs minus a cost per product shown (:mod:`ml.optimizer.problem`).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
PairObjective = Callable[[Reals, Reals, Reals], Reals]


def joint_purchase(left: Reals, right: Reals, association: Reals) -> Reals:
    """Return min(p_i p_j A_ij, p_i, p_j): the probability that one basket holds both.

    The cap keeps it a probability: both are never bought more often than either.
    """
    return np.minimum(left * right * association, np.minimum(left, right))


def independent_purchase(left: Reals, right: Reals, association: Reals) -> Reals:
    """Return p_i p_j where the pair has evidence: both bought, were they bought independently."""
    return np.where(association > 0, left * right, 0.0)


def pairwise_sum(left: Reals, right: Reals, association: Reals) -> Reals:
    """Return (p_i + p_j) A_ij, the commissioning formula; it grows with every product, so compare at one size."""
    return (left + right) * association


def favourite_times_association(left: Reals, right: Reals, association: Reals) -> Reals:
    """Return max(p_i, p_j) A_ij: what goes best with a favourite, whether or not the customer would buy it."""
    return np.maximum(left, right) * association


def dense_pairs(objective: PairObjective, preference: Reals, association: Reals) -> Reals:
    """Return the (n, n) symmetric pair values with a zero diagonal.

    Parameters
    ----------
    objective
        One of the functions above.
    preference
        (n,) probabilities.
    association
        (n, n) symmetric, >= 0.
    """
    values = objective(preference[:, None], preference[None, :], association)
    np.fill_diagonal(values, 0.0)
    return values
