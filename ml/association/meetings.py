"""How often two products could have met in a basket, given what each customer buys of both, and how often they did."""

from typing import NamedTuple

import numpy as np
from numba import njit

from ml.association.baskets import Codes, IndexedBaskets, Ints, Reals
from ml.association.counting import by_product, customer_products


class Meetings(NamedTuple):
    """Pairs that known customers buy both of, often enough that their meeting or not says something.

    Attributes
    ----------
    first, second
        (pairs,) int32 product codes, first < second, ascending.
    together, expected
        (pairs,) baskets that hold both; and how many would if each customer's purchases were dealt at random into
        baskets of the sizes they had, as in :func:`ml.association.counting.expected_pairs`.
    apart, apart_expected, apart_variance
        (pairs,) customers who bought both, never together; how many there would be so; and the variance of that number.
        Each customer is one trial, so that no customer weighs more than another.
    """

    first: Codes
    second: Codes
    together: Ints
    expected: Reals
    apart: Ints
    apart_expected: Reals
    apart_variance: Reals


def meetings(baskets: IndexedBaskets, least: float) -> Meetings:
    """Return the pairs that were expected, or seen, in at least so many baskets of known customers."""
    known = baskets.of_known_customers()
    starts, items, counts, weights = customer_products(known)
    owner = np.repeat(np.arange(len(weights), dtype=np.int32), np.diff(starts))
    order = np.argsort(items, kind="stable")
    of_product = np.bincount(items, minlength=len(known.product_ids))
    owner_starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(of_product)])
    held_starts, holders = by_product(known)
    customers = (owner_starts, owner[order], counts[order], starts, items, counts, weights)
    return Meetings(*_meet(least, *customers, held_starts, holders, known.starts, known.items, known.customers))


@njit(cache=True, nogil=True)
def _meet(  # type: ignore[no-untyped-def]
    least, owner_starts, owners, owner_counts, starts, items, counts, weights,
    held_starts, holders, basket_starts, basket_items, customers,
):  # fmt: skip
    products = len(owner_starts) - 1
    # Columns: baskets with both, customers with both in one, customers of both, the last customer counted.
    seen = np.zeros((products, 4), np.int64)
    hoped = np.zeros((products, 3))  # expected baskets; customers expected apart; the variance of that
    room, pairs = 1024, 0
    codes, whole, real = np.empty((room, 2), np.int32), np.empty((room, 2), np.int64), np.empty((room, 3))
    for product in range(products):
        if owner_starts[product + 1] == owner_starts[product]:
            continue
        seen[:] = 0
        seen[:, 3] = -1
        hoped[:] = 0.0
        for position in range(owner_starts[product], owner_starts[product + 1]):
            customer = owners[position]
            weight = owner_counts[position] * weights[customer]
            for cell in range(starts[customer + 1] - 1, starts[customer] - 1, -1):
                other = items[cell]
                if other <= product:
                    break
                likely = weight * counts[cell]
                never = np.exp(-likely)
                hoped[other, 0] += likely
                hoped[other, 1] += never
                hoped[other, 2] += never * (1.0 - never)
                seen[other, 2] += 1
        for position in range(held_starts[product], held_starts[product + 1]):
            basket = holders[position]
            for line in range(basket_starts[basket + 1] - 1, basket_starts[basket] - 1, -1):
                other = basket_items[line]
                if other <= product:
                    break
                seen[other, 0] += 1
                if seen[other, 3] != customers[basket]:
                    seen[other, 3] = customers[basket]
                    seen[other, 1] += 1
        for other in range(product + 1, products):
            if hoped[other, 0] < least and seen[other, 0] < least:
                continue
            if pairs == room:
                codes, whole, real = _doubled(codes), _doubled(whole), _doubled(real)
                room *= 2
            codes[pairs, 0], codes[pairs, 1] = product, other
            whole[pairs, 0], whole[pairs, 1] = seen[other, 0], seen[other, 2] - seen[other, 1]
            real[pairs] = hoped[other]
            pairs += 1
    codes, whole, real = codes[:pairs], whole[:pairs], real[:pairs]
    return (
        codes[:, 0].copy(), codes[:, 1].copy(), whole[:, 0].copy(), real[:, 0].copy(),
        whole[:, 1].copy(), real[:, 1].copy(), real[:, 2].copy(),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _doubled(rows):  # type: ignore[no-untyped-def]
    longer = np.empty((2 * len(rows), rows.shape[1]), rows.dtype)
    longer[: len(rows)] = rows
    return longer
