"""Rules that shops use instead of a model: the pairs that sell most, and the pairs a customer already buys."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.association.symmetric import SymmetricPairs
from ml.policies.backtest import HeldOut
from ml.policies.shelf import Shelf

Reals = NDArray[np.float64]
Pairs = list[tuple[int, ...]]


def popular_pairs(counts: SymmetricPairs, customers: list[HeldOut], is_cross_sell: bool, pairs: int) -> Iterator[Pairs]:
    """Yield for each customer the disjoint pairs of candidates that most baskets of the shop hold."""
    for one in customers:
        yield best_disjoint(_allowed(counts.block(one.codes), one, is_cross_sell), pairs)


def personal_pairs(
    baskets: pl.DataFrame, names: list[str], shelf: Shelf, customers: list[HeldOut], is_cross_sell: bool, pairs: int
) -> Iterator[Pairs]:
    """Yield for each customer the disjoint pairs that most of the customer's own baskets hold.

    None of them holds a product the customer never bought, so this rule has nothing to offer on cross-sell.

    Parameters
    ----------
    names
        The customers, in the order of ``customers``.
    """
    own = dict(
        baskets.filter(pl.col("customer_id").is_in(names)).group_by("customer_id").agg("product_ids").iter_rows()
    )
    for name, one in zip(names, customers, strict=True):
        place = {int(code): at for at, code in enumerate(one.codes)}
        held = np.zeros((len(own[name]), len(one.codes)))
        for row, products in enumerate(own[name]):
            held[row, [place[code] for code in shelf.codes(pl.Series(products)).tolist() if code in place]] = 1.0
        yield best_disjoint(_allowed(held.T @ held, one, is_cross_sell), pairs)


def best_disjoint(values: Reals, pairs: int) -> Pairs:
    """Return up to ``pairs`` disjoint pairs, each the best of what the ones before it left; worthless ones are not.

    Parameters
    ----------
    values
        (n, n) symmetric; ties go to the pair that stands first.
    """
    first, second = np.triu_indices(len(values), 1)
    worth = values[first, second]
    free = np.ones(len(values), bool)
    chosen: Pairs = []
    for at in np.argsort(-worth, kind="stable"):
        if len(chosen) == pairs or worth[at] <= 0:
            break
        if free[first[at]] and free[second[at]]:
            chosen.append((int(first[at]), int(second[at])))
            free[[first[at], second[at]]] = False
    return chosen


def _allowed(values: Reals, one: HeldOut, is_cross_sell: bool) -> Reals:
    staples = one.is_bought_before[:, None] & one.is_bought_before[None, :] & is_cross_sell
    return np.where(staples, 0.0, values)
