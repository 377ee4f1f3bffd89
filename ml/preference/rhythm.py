"""How regularly a customer buys a product: clocks in days and in baskets, gaps, and what its buyers do in general."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.preference.history import History, Ints, teaching

RHYTHM_FEATURES = (
    "decayed_10_share", "decayed_60_share", "recency_90_share", "recency_70_share", "recency_rank", "recency_to_best",
    "mean_gap_baskets", "overdue_baskets_ratio", "last_gap_days", "gap_deviation_days", "overdue_last_ratio",
)  # fmt: skip
"""Shares as in ``PERSONAL_FEATURES``; the recency of a basket is .9 or .7 to the number of baskets after it; rank and
best are among the customer's products by the .9 clock; overdue is the time since the last purchase over the mean gap in
baskets, or over the last gap in days."""

PRODUCT_RHYTHM_FEATURES = ("product_gap_days", "product_again_share", "product_baskets_each")
"""Mean days between two purchases of one customer, share of buyers who bought again, baskets a buyer."""

W10, W60, R90, R70, FIRST_ORDINAL, LAST_ORDINAL, LAST, LAST_GAP, GAPS, SQUARES, COUNT = range(11)


@njit(cache=True, nogil=True)
def fill_rhythm(
    out: NDArray[np.float32], order: Ints, opens: Ints, customer: Ints, cut: Ints, product: Ints,
    starts: Ints, day: Ints, basket: Ints, line_product: Ints, products: int,
) -> None:  # fmt: skip
    """Fill the columns of ``RHYTHM_FEATURES`` of candidates sorted by request.

    Parameters
    ----------
    out
        (rows, features) float32 view, NaN where nothing is known.
    order, opens, customer, cut, product, starts, day, basket, line_product
        As in :func:`ml.preference.personal.fill_personal`.
    products
        Size of the catalogue.
    """
    work = np.zeros((products, 11))
    for request in range(opens.size - 1):
        who, today = customer[order[opens[request]]], cut[order[opens[request]]]
        if who < 0:
            continue
        begin = end = starts[who]
        n_baskets = 0
        while end < starts[who + 1] and day[end] < today:
            if end == begin or basket[end] != basket[end - 1]:
                n_baskets += 1
            end += 1
        if begin == end:
            continue
        w10 = w60 = r90 = r70 = 0.0
        ordinal = n_baskets
        for line in range(begin, end):
            age = today - day[line]
            if line == begin or basket[line] != basket[line - 1]:
                ordinal -= 1  # 0 is the last basket
                w10 += math.exp(-age / 10.0)
                w60 += math.exp(-age / 60.0)
                r90 += 0.9**ordinal
                r70 += 0.7**ordinal
            item = work[line_product[line]]
            if item[COUNT] == 0:
                item[FIRST_ORDINAL] = ordinal
            else:
                gap = day[line] - item[LAST]
                item[LAST_GAP] = gap
                item[GAPS] += gap
                item[SQUARES] += gap * gap
            item[W10] += math.exp(-age / 10.0)
            item[W60] += math.exp(-age / 60.0)
            item[R90] += 0.9**ordinal
            item[R70] += 0.7**ordinal
            item[LAST_ORDINAL] = ordinal
            item[LAST] = day[line]
            item[COUNT] += 1
        owned = np.unique(line_product[begin:end])
        recencies = np.sort(work[:, R90][owned])
        for place in range(opens[request], opens[request + 1]):
            which = product[order[place]]
            if which < 0:
                continue
            row, item = out[order[place]], work[which]
            row[0], row[1] = item[W10] / max(w10, 1e-300), item[W60] / max(w60, 1e-300)
            row[2], row[3] = item[R90] / r90, item[R70] / r70
            count = item[COUNT]
            if count > 0:
                row[4] = recencies.size - np.searchsorted(recencies, item[R90], side="right") + 1
                row[5] = item[R90] / recencies[-1]
            if count > 1:
                gap_baskets = (item[FIRST_ORDINAL] - item[LAST_ORDINAL]) / (count - 1)
                row[6], row[8] = gap_baskets, item[LAST_GAP]
                if gap_baskets > 0:
                    row[7] = item[LAST_ORDINAL] / gap_baskets
                if item[LAST_GAP] > 0:
                    row[10] = (today - item[LAST]) / item[LAST_GAP]
            if count > 2:
                mean = item[GAPS] / (count - 1)
                row[9] = math.sqrt(max(0.0, (item[SQUARES] - (count - 1) * mean * mean) / (count - 2)))
        for line in range(begin, end):
            work[line_product[line]] = 0.0


def product_rhythm(history: History, cut: int) -> NDArray[np.float32]:
    """Return (products, ``PRODUCT_RHYTHM_FEATURES``) from what teaches before day ``cut``; NaN where nothing does."""
    size = len(history.products)
    seen = np.flatnonzero((history.customer >= 0) & teaching(history, cut))
    seen = seen[np.lexsort((history.day[seen], history.product[seen], history.customer[seen]))]
    customer, product, day = history.customer[seen], history.product[seen], history.day[seen]
    again = (customer[1:] == customer[:-1]) & (product[1:] == product[:-1])
    gaps = np.bincount(product[1:][again], np.diff(day)[again], size)
    purchases, repeats = np.bincount(product, minlength=size), np.bincount(product[1:][again], minlength=size)
    second = again & ~np.append(False, again[:-1])
    buyers, returned = purchases - repeats, np.bincount(product[1:][second], minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack([gaps / repeats, returned / buyers, purchases / buyers]).astype(np.float32)
