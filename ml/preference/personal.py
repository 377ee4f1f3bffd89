"""The customer's side of the features: what this customer did with this product, its category and its brand.

One pass over a customer's lines fills work arrays, a second over the candidates reads them; cost is proportional
to lines plus candidates, whatever the size of the catalogue.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.preference.history import Ints

PERSONAL_FEATURES = (
    "baskets", "units", "basket_share", "decayed_180_share", "decayed_30_share", "last_5_share", "last_10_share",
    "baskets_28_days", "days_since_last", "days_since_first", "baskets_since_last", "mean_gap_days", "overdue_ratio",
    "in_last_basket", "paid_cents", "category_share", "category_decayed_30_share", "category_days_since_last",
    "category_loyalty_share", "brand_share",
)  # fmt: skip
"""Shares are of the customer's baskets (decayed ones: weighted exp(-age / days)); category and brand shares of lines;
loyalty is the product's share of the customer's lines in its category; overdue is days since last / mean gap."""

CUSTOMER_FEATURES = (
    "customer_baskets", "customer_days_since_last", "customer_mean_gap_days", "customer_overdue_ratio",
    "customer_basket_products", "customer_last_products", "customer_products", "customer_repeat_share",
    "customer_basket_cents", "customer_unit_cents", "customer_decayed_baskets",
)  # fmt: skip
"""Basket sizes in products, money in cents a basket and a unit, repeat share = lines that were not the first,
decayed baskets = sum of exp(-age / 180)."""

BASKETS, UNITS, CENTS, W180, W30, LAST_5, LAST_10, IN_28, LAST, FIRST, ORDINAL = range(11)


@njit(cache=True, nogil=True)
def fill_personal(
    out: NDArray[np.float32], order: Ints, opens: Ints, customer: Ints, cut: Ints, product: Ints,
    starts: Ints, day: Ints, basket: Ints, line_product: Ints, units: Ints, cents: Ints, category: Ints, brand: Ints,
) -> None:  # fmt: skip
    """Fill the first columns of ``out`` for candidates sorted by request.

    Parameters
    ----------
    out
        (rows, >= features) float32, NaN where nothing is known.
    order, opens
        (rows,) candidates sorted by request; (requests + 1,) where each request begins in ``order``.
    customer, cut, product
        (rows,) of each candidate; -1 where unknown.
    starts, day, basket, line_product, units, cents, category, brand
        Arrays of :class:`ml.preference.history.History`.
    """
    work = np.zeros((category.size, 11))
    n_categories = category.max() + 1 if category.size else 1
    n_brands = brand.max() + 1 if brand.size else 1
    by_category = np.zeros((n_categories, 3))  # lines, decayed lines, last day
    by_brand = np.zeros(n_brands)
    for request in range(opens.size - 1):
        who, today = customer[order[opens[request]]], cut[order[opens[request]]]
        begin = starts[who] if who >= 0 else 0
        end = begin
        n_baskets = 0
        if who >= 0:
            while end < starts[who + 1] and day[end] < today:
                if end == begin or basket[end] != basket[end - 1]:
                    n_baskets += 1
                end += 1
        w180 = w30 = lines_30 = spent = sold = 0.0
        distinct = last_size = 0
        ordinal = n_baskets
        for line in range(begin, end):
            age = today - day[line]
            decay_180, decay_30 = math.exp(-age / 180.0), math.exp(-age / 30.0)
            if line == begin or basket[line] != basket[line - 1]:
                ordinal -= 1  # 0 is the last basket
                w180 += decay_180
                w30 += decay_30
            item = work[line_product[line]]
            if item[BASKETS] == 0:
                distinct += 1
                item[FIRST] = day[line]
            item[BASKETS] += 1
            item[UNITS] += units[line]
            item[CENTS] += cents[line]
            item[W180] += decay_180
            item[W30] += decay_30
            item[LAST_5] += ordinal < 5
            item[LAST_10] += ordinal < 10
            item[IN_28] += age <= 28
            item[LAST] = day[line]
            item[ORDINAL] = ordinal
            shelf = by_category[category[line_product[line]]]
            shelf[0] += 1
            shelf[1] += decay_30
            shelf[2] = day[line]
            by_brand[brand[line_product[line]]] += 1
            lines_30 += decay_30
            spent += cents[line]
            sold += units[line]
            last_size += ordinal == 0
        lines = end - begin
        for place in range(opens[request], opens[request + 1]):
            row = out[order[place]]
            row[20], row[30] = n_baskets, w180
            if n_baskets:
                since = today - day[end - 1]
                gap = (day[end - 1] - day[begin]) / (n_baskets - 1) if n_baskets > 1 else math.nan
                row[21], row[22], row[23] = since, gap, since / gap if gap > 0 else math.nan
                row[24], row[25], row[26], row[27] = lines / n_baskets, last_size, distinct, 1 - distinct / lines
                row[28], row[29] = spent / n_baskets, spent / max(sold, 1.0)
            which = product[order[place]]
            if which < 0:
                continue
            item = work[which]
            count = item[BASKETS]
            row[0], row[1] = count, item[UNITS]
            if n_baskets:
                row[2], row[3], row[4] = count / n_baskets, item[W180] / w180, item[W30] / w30
                row[5], row[6] = item[LAST_5] / min(5, n_baskets), item[LAST_10] / min(10, n_baskets)
                shelf = by_category[category[which]]
                if category[which] > 0:
                    row[15], row[16] = shelf[0] / lines, shelf[1] / lines_30
                    if shelf[0] > 0:
                        row[17], row[18] = today - shelf[2], count / shelf[0]
                if brand[which] > 0:
                    row[19] = by_brand[brand[which]] / lines
            row[7] = item[IN_28]
            if count > 0:
                row[8], row[9], row[10] = today - item[LAST], today - item[FIRST], item[ORDINAL]
                row[13], row[14] = item[ORDINAL] == 0, item[CENTS] / max(item[UNITS], 1.0)
                if count > 1:
                    mean_gap = (item[LAST] - item[FIRST]) / (count - 1)
                    row[11] = mean_gap
                    row[12] = (today - item[LAST]) / mean_gap if mean_gap > 0 else math.nan
        for line in range(begin, end):
            work[line_product[line]] = 0.0
            by_category[category[line_product[line]]] = 0.0
            by_brand[brand[line_product[line]]] = 0.0
