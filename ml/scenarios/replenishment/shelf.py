"""A shelf that is refilled by a rule: how often it is empty, and what stands on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.demand.sales import Reals

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shelf:
    """What came of a rule on some days, by product.

    Attributes
    ----------
    stock_out_share
        (P,) share of the days on which somebody wanted more than was there.
    lost_share
        (P,) share of the units wanted that were not there; 0 where none was wanted.
    mean_stock
        (P,) units left in the evening, on average.
    """

    stock_out_share: Reals
    lost_share: Reals
    mean_stock: Reals


def refilled(points: Ints, levels: Ints, lead_days: Ints, wanted: Reals) -> Shelf:
    """Return what comes of ordering up to a level as soon as stock and orders are at or below a point.

    The shelf begins with the point's units, so the first order leaves the evening before the first day. An order of
    an evening is there on the morning after ``lead_days`` whole days. What is wanted and not there is lost.

    Parameters
    ----------
    points, levels, lead_days
        (P,) reorder point, level and lead time, each product's.
    wanted
        (P, days) units; NaN, where unknown, is none.
    """
    demand = np.nan_to_num(wanted)
    products, days = demand.shape
    rows = np.arange(products)
    arriving = np.zeros((products, days + int(lead_days.max(initial=0)) + 2))
    stock, ordered = points.astype(np.float64), np.zeros(products)
    short, lost, left = (np.zeros(products) for _ in range(3))
    for day in range(days + 1):
        order = np.where(stock + ordered <= points, np.maximum(levels - stock - ordered, 0.0), 0.0)
        arriving[rows, day + lead_days] += order
        ordered += order
        if day == days:
            break
        came = arriving[:, day]
        stock, ordered = stock + came, ordered - came
        sold = np.minimum(stock, demand[:, day])
        short += sold < demand[:, day]
        lost += demand[:, day] - sold
        stock = stock - sold
        left += stock
    return Shelf(short / days, lost / np.maximum(demand.sum(axis=1), 1.0), left / days)
