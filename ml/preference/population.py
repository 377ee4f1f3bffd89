"""What all customers together had done before a cut: the product side of the features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.preference.history import History, Ints, teaching

Column = NDArray[np.float32]


@dataclass(frozen=True)
class Population:
    """Facts of each product on the morning of a cut, (products,) float32 each; NaN where nothing is known.

    Attributes
    ----------
    share_7, share_28, share_91, share_ever
        Share of the baskets of the last days that hold the product.
    trend_ratio
        Baskets of the last 28 days against the 28 before, one added to both and corrected for the shop's own trend.
    reorder_share
        Share of the product's purchases that were not the customer's first.
    buyers
        Known customers who ever bought it.
    days_since_first, days_since_last
        Since it was first and last sold.
    price_cents
        Mean price paid for a unit in the last 91 days, else ever.
    price_ratio
        Mean price of the last 28 days against ``price_cents``: under 1 while it is offered cheaply.
    price_ratio_7
        The same of the last 7 days: the depth of this week's discount, where it sold.
    """

    share_7: Column
    share_28: Column
    share_91: Column
    share_ever: Column
    trend_ratio: Column
    reorder_share: Column
    buyers: Column
    days_since_first: Column
    days_since_last: Column
    price_cents: Column
    price_ratio: Column
    price_ratio_7: Column

    def matrix(self) -> NDArray[np.float32]:
        """Return (products, facts)."""
        return np.column_stack([getattr(self, name) for name in self.__dataclass_fields__])


def population_at(history: History, cut: int) -> Population:
    """Return the population's facts from lines dated before day ``cut``, of baskets that count for everybody.

    Parameters
    ----------
    cut
        Days since 1970.
    """
    seen = teaching(history, cut)
    size = len(history.products)
    product, age = history.product[seen], cut - history.day[seen]
    known = history.customer[seen] >= 0
    pairs = np.unique(history.customer[seen][known] * size + product[known])
    buyers, purchases = np.bincount(pairs % size, minlength=size), np.bincount(product[known], minlength=size)
    basket = history.basket[seen]
    recent = np.bincount(product[age <= 28], minlength=size)
    before = np.bincount(product[(age > 28) & (age <= 56)], minlength=size)
    price, price_28 = _price(history, seen, age <= 91, size), _price(history, seen, age <= 28, size)
    ever = _price(history, seen, age > 0, size)
    price = np.where(np.isnan(price), ever, price)
    last, first = np.full(size, np.nan), np.full(size, np.nan)
    newest_first = np.argsort(age, kind="stable")
    last[product[newest_first[::-1]]] = age[newest_first[::-1]]  # of several lines the one assigned last stays
    first[product[newest_first]] = age[newest_first]
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "share_7": _share(basket, product, age <= 7, size),
            "share_28": _share(basket, product, age <= 28, size),
            "share_91": _share(basket, product, age <= 91, size),
            "share_ever": _share(basket, product, age > 0, size),
            "trend_ratio": (recent + 1) / (before + 1) * (before.sum() + size) / (recent.sum() + size),
            "reorder_share": np.where(purchases > 0, (purchases - buyers) / purchases, np.nan),
            "buyers": buyers,
            "days_since_first": first,
            "days_since_last": last,
            "price_cents": price,
            "price_ratio": price_28 / price,
            "price_ratio_7": _price(history, seen, age <= 7, size) / price,
        }
    return Population(**{name: np.asarray(column, np.float32) for name, column in columns.items()})


def _share(basket: Ints, product: Ints, chosen: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    n_baskets = int(np.count_nonzero(np.diff(basket[chosen], prepend=-1)))  # lines of a basket stand together
    return np.bincount(product[chosen], minlength=size) / max(1, n_baskets)


def _price(history: History, seen: NDArray[np.bool_], chosen: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    product = history.product[seen][chosen]
    units = np.bincount(product, history.units[seen][chosen], minlength=size)
    cents = np.bincount(product, history.cents[seen][chosen], minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(units > 0, cents / units, np.nan)
