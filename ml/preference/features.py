"""Hand features of (request, product): one function for training, backtest and today.

A request is a customer and a cut; every number is taken from baskets dated strictly before the cut. Clocks run to
the cut, not to the next visit: at scoring time nobody knows when that comes, so training must not know either.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.preference.contract import check_candidates
from ml.preference.history import History, days, positions
from ml.preference.market import MARKET_FEATURES, SEASON_FEATURES, category_trends, seasons
from ml.preference.offers import PROMOTION_FEATURES, RATING_FEATURES
from ml.preference.personal import CUSTOMER_FEATURES, PERSONAL_FEATURES, fill_personal
from ml.preference.population import Population, population_at
from ml.preference.reactions import REACTION_FEATURES
from ml.preference.rhythm import PRODUCT_RHYTHM_FEATURES, RHYTHM_FEATURES, fill_rhythm, product_rhythm

SCORE_FEATURES = ("co_purchase", "co_purchase_last")
POPULATION_FEATURES = tuple(f"product_{name}" for name in Population.__dataclass_fields__)
PRICE_FEATURES = ("price_to_usual_ratio", "price_to_paid_ratio")
DISCOUNT_FEATURES = ("product_price_ratio", "product_price_ratio_7", "price_to_paid_ratio")
SHELF_FEATURES = tuple(name for name in PERSONAL_FEATURES if name.startswith(("category", "brand")))
"""What the customer did with the product's category and brand."""
SHOP_FEATURES = (
    *POPULATION_FEATURES, *PRODUCT_RHYTHM_FEATURES, *PROMOTION_FEATURES, *RATING_FEATURES, *MARKET_FEATURES,
    *SEASON_FEATURES,
)  # fmt: skip
"""The same for all customers at a cut."""
DUE_FEATURES = ("overdue_product_ratio",)
"""Days since the customer's last purchase over the product's mean gap among all customers."""
FEATURES = (
    *PERSONAL_FEATURES, *CUSTOMER_FEATURES, *RHYTHM_FEATURES, *SHOP_FEATURES, *DUE_FEATURES, *PRICE_FEATURES,
    *SCORE_FEATURES,
)  # fmt: skip
OPTIONAL_SCORES = ("sequence", *REACTION_FEATURES)
"""Columns that candidates may bring; a ranker that was fitted with one needs it from then on."""

GROUPS = {
    "personal": tuple(name for name in PERSONAL_FEATURES if name not in SHELF_FEATURES),
    "category and brand": SHELF_FEATURES,
    "customer": CUSTOMER_FEATURES,
    "rhythm": (*RHYTHM_FEATURES, *PRODUCT_RHYTHM_FEATURES, *DUE_FEATURES),
    "popularity and price": tuple(
        name for name in (*POPULATION_FEATURES, *PRICE_FEATURES) if name not in DISCOUNT_FEATURES
    ),
    "discount": DISCOUNT_FEATURES,
    "promotions": PROMOTION_FEATURES,
    "ratings": RATING_FEATURES,
    "market trend": MARKET_FEATURES,
    "season": SEASON_FEATURES,
    "co-purchase": SCORE_FEATURES,
}


def features_of(history: History, candidates: pl.DataFrame, scores: tuple[str, ...] = ()) -> NDArray[np.float32]:
    """Return the features of each candidate.

    Parameters
    ----------
    history
        Baskets of any length; what is not strictly before a candidate's cut is ignored.
    candidates
        ``customer_id``, ``cut``, ``product_id``, ``co_purchase``, ``co_purchase_last``.
    scores
        Columns of ``OPTIONAL_SCORES`` to append.

    Returns
    -------
    (rows, len(FEATURES) + len(scores)) float32, NaN where nothing is known.

    Raises
    ------
    ColumnError
        When a column of the candidates is missing.
    """
    check_candidates(candidates, ("customer_id", "cut", "product_id", *SCORE_FEATURES, *scores))
    customer = positions(candidates["customer_id"], history.customers)
    cut = days(candidates["cut"])
    product = positions(candidates["product_id"], history.products)
    matrix = np.full((candidates.height, len(FEATURES) + len(scores)), np.nan, np.float32)
    at = {name: column for column, name in enumerate((*FEATURES, *scores))}
    order = np.lexsort((customer, cut))
    opens = np.flatnonzero(np.diff(cut[order], prepend=-1) | np.diff(customer[order], prepend=-2))
    lines = (history.starts, history.day, history.basket, history.product, history.units, history.cents)
    fill_personal(matrix, order, np.append(opens, order.size), customer, cut, product,
                  *lines, history.category, history.brand)  # fmt: skip
    rhythm = matrix[:, at[RHYTHM_FEATURES[0]] : at[RHYTHM_FEATURES[-1]] + 1]
    fill_rhythm(rhythm, order, np.append(opens, order.size), customer, cut, product,
                *lines[:4], len(history.products))  # fmt: skip
    for day in np.unique(cut):
        rows = np.flatnonzero((cut == day) & (product >= 0))
        facts = _shop_at(history, int(day))
        matrix[rows, at["product_share_7"] : at["product_share_7"] + facts.shape[1]] = facts[product[rows]]
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix[:, at["overdue_product_ratio"]] = matrix[:, at["days_since_last"]] / matrix[:, at["product_gap_days"]]
        price = matrix[:, at["product_price_cents"]]
        matrix[:, at["price_to_usual_ratio"]] = price / matrix[:, at["customer_unit_cents"]]
        matrix[:, at["price_to_paid_ratio"]] = (
            price * matrix[:, at["product_price_ratio"]] / matrix[:, at["paid_cents"]]
        )
    for name in (*SCORE_FEATURES, *scores):
        matrix[:, at[name]] = candidates[name].to_numpy()
    return matrix


def _shop_at(history: History, cut: int) -> NDArray[np.float32]:
    """Return (products, ``SHOP_FEATURES``) on the morning of a cut."""
    size = len(history.products)
    parts = (
        population_at(history, cut).matrix(),
        product_rhythm(history, cut),
        history.offers.promotions_at(cut, size),
        history.offers.ratings_at(cut, size),
        category_trends(history, cut),
        seasons(history, cut),
    )
    return np.hstack(parts)


def starting_log_odds(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the log odds of the decayed personal frequency, (rows,): where the trees start from.

    It is the baseline ``personal_decayed`` computed from the features, kept within 1e-6 and 1 - 1e-6.
    """
    share, total, popularity = (
        np.nan_to_num(features[:, FEATURES.index(name)].astype(np.float64))
        for name in ("decayed_180_share", "customer_decayed_baskets", "product_share_ever")
    )
    p = np.clip((share * total + popularity) / (total + 1), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def constant_columns(features: NDArray[np.float32], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the columns that hold one value alone, NaN counted as one."""
    first = features[:1]
    same = ((features == first) | (np.isnan(features) & np.isnan(first))).all(axis=0)
    return tuple(name for name, is_same in zip(names, same, strict=True) if is_same)
