"""Compiled counting of pairs: co-purchases, and how many of them each customer's habits explain.

All kernels release the interpreter lock. Rows are walked product by product with one dense work row
(Gustavson 1978, Two fast algorithms for sparse matrices, ACM TOMS 4(3)), so memory stays that of the result.
"""

import numpy as np
from numba import njit

from ml.association.baskets import NO_CUSTOMER, Codes, IndexedBaskets, Ints, Reals

KNOWN = 1 << 32


def count_pairs(baskets: IndexedBaskets, min_pair_baskets: int) -> tuple[Codes, Codes, Codes, Codes]:
    """Return the pairs bought together often enough, and in how many baskets.

    Parameters
    ----------
    baskets
        Baskets; each counts once for each pair in it.
    min_pair_baskets
        Pairs in fewer baskets are left out.

    Returns
    -------
    tuple
        (pairs,) codes of the first and of the second product, first < second, in ascending order; in how many
        baskets both lie; and in how many of them the customer is known.
    """
    starts, holders = by_product(baskets)
    first_known = int(np.searchsorted(baskets.customers, NO_CUSTOMER, side="right"))
    least = max(min_pair_baskets, 1)
    return _count(starts, holders, baskets.starts, baskets.items, first_known, least)


def by_product(baskets: IndexedBaskets) -> tuple[Ints, Codes]:
    """Return the transpose: (products + 1,) starts and the baskets of each product, ascending."""
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(baskets.product_baskets())])
    return starts, _holders(baskets.starts, baskets.items, starts)


def customer_products(baskets: IndexedBaskets) -> tuple[Ints, Codes, Reals, Reals]:
    """Return the known customers' item counts as sparse rows, and the weight of each customer's pairs.

    Returns
    -------
    tuple
        (customers + 1,) starts; product codes ascending in each row; in how many of the customer's baskets each
        lies; and (customers,) weight: sum_b s_b (s_b - 1) / (sum_b s_b)^2 over the customer's basket sizes s_b.
    """
    known = baskets.of_known_customers()
    customers = int(known.customers[-1]) + 1 if known.baskets_total else 0
    sizes = np.diff(known.starts)
    slots = np.bincount(known.customers, weights=sizes, minlength=customers)
    ordered_pairs = np.bincount(known.customers, weights=sizes * (sizes - 1.0), minlength=customers)
    products = len(known.product_ids)
    owner = np.repeat(known.customers.astype(np.int64), sizes)
    cells, counts = np.unique(owner * products + known.items, return_counts=True)
    starts = np.searchsorted(cells, np.arange(customers + 1, dtype=np.int64) * products)
    weights = np.divide(ordered_pairs, slots**2, out=np.zeros(customers), where=slots > 0)
    return starts.astype(np.int64), (cells % max(products, 1)).astype(np.int32), counts.astype(np.float64), weights


def expected_pairs(baskets: IndexedBaskets, first: Codes, second: Codes) -> Reals:
    """Return the co-purchases that each customer's own habits and basket sizes explain.

    E_ij = sum_u x_ui x_uj * sum_b s_b (s_b - 1) / (sum_b s_b)^2: the pairs expected were the customer's purchases
    dealt at random into baskets of the sizes they really had.

    Parameters
    ----------
    baskets
        Baskets; those without a customer add nothing.
    first, second
        (pairs,) product codes; fastest when ``first`` ascends.
    """
    starts, items, counts, weights = customer_products(baskets)
    owner = np.repeat(np.arange(len(weights), dtype=np.int32), np.diff(starts))
    order = np.argsort(items, kind="stable")
    sizes = np.bincount(items, minlength=len(baskets.product_ids))
    product_starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    rank = np.argsort(first, kind="stable")
    found = _expected(
        first[rank], second[rank], product_starts, owner[order], counts[order], starts, items, counts, weights
    )
    expected = np.empty(len(first))
    expected[rank] = found
    return expected


def heaviest_customers(baskets: IndexedBaskets, first: Codes, second: Codes) -> tuple[Codes, Codes]:
    """Return for each pair the known customer with most baskets of it, and how many; the first of equals.

    Parameters
    ----------
    baskets
        Baskets; those without a customer are passed over.
    first, second
        (pairs,) product codes, first < second, in ascending order.

    Returns
    -------
    tuple
        (pairs,) customer, ``NO_CUSTOMER`` where no known one has the pair; and their baskets that hold both.
    """
    known = baskets.of_known_customers()
    starts, holders = by_product(known)
    return _heaviest(first, second, starts, holders, known.starts, known.items, known.customers)


def expected_of(baskets: IndexedBaskets, customers: Codes, first: Codes, second: Codes) -> Reals:
    """Return the part of :func:`expected_pairs` that one customer's habits explain, (pairs,), a customer each."""
    starts, items, counts, weights = customer_products(baskets)
    if not len(customers):
        return np.zeros(0)
    owner = np.repeat(np.arange(len(weights), dtype=np.int64), np.diff(starts))
    cells = owner * len(baskets.product_ids) + items

    def held(products: Codes) -> Reals:
        wanted = customers.astype(np.int64) * len(baskets.product_ids) + products
        at = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
        return np.where(cells[at] == wanted, counts[at], 0.0)

    return np.asarray(held(first) * held(second) * weights[customers])


@njit(cache=True, nogil=True)
def _holders(basket_starts, items, product_starts):  # type: ignore[no-untyped-def]
    """Counting sort: baskets are met in order, so each product's list ascends."""
    holders = np.empty(len(items), np.int32)
    free = product_starts[:-1].copy()
    for basket in range(len(basket_starts) - 1):
        for line in range(basket_starts[basket], basket_starts[basket + 1]):
            holders[free[items[line]]] = basket
            free[items[line]] += 1
    return holders


@njit(cache=True, nogil=True)
def _count(starts, holders, basket_starts, items, first_known, least):  # type: ignore[no-untyped-def]
    products = len(starts) - 1
    # Two counts in one number: all baskets in the low half, those of known customers in the high half.
    together = np.zeros(products, np.int64)
    touched = np.empty(products, np.int32)
    room, pairs = 1024, 0
    first, second = np.empty(room, np.int32), np.empty(room, np.int32)
    counts, known = np.empty(room, np.int32), np.empty(room, np.int32)
    for product in range(products):
        if starts[product + 1] - starts[product] < least:
            continue
        others = 0
        for position in range(starts[product], starts[product + 1]):
            basket = holders[position]
            step = KNOWN + 1 if basket >= first_known else 1
            for line in range(basket_starts[basket + 1] - 1, basket_starts[basket] - 1, -1):
                other = items[line]
                if other <= product:  # lines ascend: each pair is met once, at its smaller product
                    break
                if together[other] == 0:
                    touched[others] = other
                    others += 1
                together[other] += step
        kept = 0
        for place in range(others):
            other = touched[place]
            if together[other] % KNOWN >= least:
                touched[kept] = other
                kept += 1
            else:
                together[other] = 0
        for other in np.sort(touched[:kept]):
            if pairs == room:
                first, second, counts, known = _double(first), _double(second), _double(counts), _double(known)
                room *= 2
            first[pairs], second[pairs] = product, other
            counts[pairs], known[pairs] = together[other] % KNOWN, together[other] // KNOWN
            together[other] = 0
            pairs += 1
    return first[:pairs].copy(), second[:pairs].copy(), counts[:pairs].copy(), known[:pairs].copy()


@njit(cache=True, nogil=True)
def _heaviest(first, second, starts, holders, basket_starts, items, customers):  # type: ignore[no-untyped-def]
    products = len(starts) - 1
    # A customer's baskets stand together, so one run of counts for each second product is enough.
    counting, run = np.full(products, -1, np.int32), np.zeros(products, np.int32)
    who, most = np.full(products, -1, np.int32), np.zeros(products, np.int32)
    heaviest, held = np.full(len(first), -1, np.int32), np.zeros(len(first), np.int32)
    pair = 0
    while pair < len(first):
        product, begin = first[pair], pair
        while pair < len(first) and first[pair] == product:
            counting[second[pair]], who[second[pair]], most[second[pair]] = -1, -1, 0
            pair += 1
        for position in range(starts[product], starts[product + 1]):
            basket = holders[position]
            customer = customers[basket]
            for line in range(basket_starts[basket + 1] - 1, basket_starts[basket] - 1, -1):
                other = items[line]
                if other <= product:
                    break
                if counting[other] != customer:
                    counting[other], run[other] = customer, 0
                run[other] += 1
                if run[other] > most[other]:
                    most[other], who[other] = run[other], customer
        for place in range(begin, pair):
            heaviest[place], held[place] = who[second[place]], most[second[place]]
    return heaviest, held


@njit(cache=True, nogil=True)
def _double(values):  # type: ignore[no-untyped-def]
    longer = np.empty(2 * len(values), values.dtype)
    longer[: len(values)] = values
    return longer


@njit(cache=True, nogil=True)
def _expected(first, second, product_starts, owners, owner_counts, starts, items, counts, weights):  # type: ignore[no-untyped-def]
    row = np.zeros(len(product_starts) - 1)
    expected = np.empty(len(first))
    here = -1
    for pair in range(len(first)):
        if first[pair] != here:
            here = first[pair]
            row[:] = 0.0
            for position in range(product_starts[here], product_starts[here + 1]):
                customer = owners[position]
                weight = owner_counts[position] * weights[customer]
                for cell in range(starts[customer], starts[customer + 1]):
                    row[items[cell]] += weight * counts[cell]
        expected[pair] = row[second[pair]]
    return expected
