"""What is bought in the shop at large before a cut: the trend of a product's category, and the product's season.

The day of the cut itself is no feature: it is the same for all candidates of a request, and a training set holds a
few cuts only.
"""

import numpy as np
from numpy.typing import NDArray

from ml.preference.history import History, teaching

MARKET_FEATURES = ("category_share_28", "category_trend_ratio")
SEASON_FEATURES = ("season_ratio",)
WINDOW_DAYS, YEAR_DAYS = 28, 364
"""52 weeks, so that the same days of the week are compared."""


def category_trends(history: History, cut: int) -> NDArray[np.float32]:
    """Return (products, ``MARKET_FEATURES``) from baskets before day ``cut``; NaN without a category.

    The share of the baskets of the last 28 days that hold the category, and those baskets against the baskets of the 28
    days before, one added to both and corrected for the number of baskets.
    """
    age = cut - history.day
    category = history.category[history.product]
    size = int(history.category.max(initial=0)) + 1
    counts = []
    teaches = teaching(history, cut)
    for chosen in (teaches & (age <= WINDOW_DAYS), teaches & (age > WINDOW_DAYS) & (age <= 2 * WINDOW_DAYS)):
        held = np.unique(history.basket[chosen] * size + category[chosen]) % size
        counts.append((np.bincount(held, minlength=size), np.unique(history.basket[chosen]).size))
    (recent, n_recent), (before, n_before) = counts
    trend = (recent + 1) / (before + 1) * (n_before + 1) / (n_recent + 1)
    facts = np.column_stack([recent / max(1, n_recent), trend]).astype(np.float32)
    facts[0] = np.nan  # products without a category
    return facts[history.category]


def seasons(history: History, cut: int) -> NDArray[np.float32]:
    """Return (products, ``SEASON_FEATURES``): last year's sales in the four weeks from ``cut`` on against all year.

    Baskets with the product in those weeks of last year, over what its share of the year's baskets makes expect, one
    added to both; NaN while there is no whole year before the cut.
    """
    size = len(history.products)
    if not history.day.size or history.day.min() > cut - YEAR_DAYS:
        return np.full((size, 1), np.nan, np.float32)
    year = teaching(history, cut) & (history.day >= cut - YEAR_DAYS)
    weeks = year & (history.day < cut - YEAR_DAYS + WINDOW_DAYS)
    expected_share = np.unique(history.basket[weeks]).size / max(1, np.unique(history.basket[year]).size)
    held, ever = (np.bincount(history.product[chosen], minlength=size) for chosen in (weeks, year))
    return ((held + 1) / (ever * expected_share + 1))[:, None].astype(np.float32)
