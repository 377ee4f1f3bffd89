"""Which customers are shown which new product, within what may be spent on finding out how launches go.

Each new product draws a conversion from what is known of it (Thompson sampling): one that may be good gets its chance
in proportion to how likely it is to be the best, and what is known to be poor gets little. A customer's chance is the
drawn conversion times their interest; the best pairs are shown first, as far as the caps allow.

Source
------
Thompson (1933), On the likelihood that one unknown probability exceeds another, Biometrika 25.
Chapelle and Li (2011), An empirical evaluation of Thompson sampling, NeurIPS 24.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.demand.launches import Conversion
from ml.errors import ConfigError
from ml.scenarios.launch.interest import Interested

CUSTOMER_CAP = 2
"""New products that one customer is shown at most: exploration is at their expense."""


@dataclass(frozen=True)
class BudgetParams:
    """What may be spent.

    Attributes
    ----------
    impressions
        Customers shown a new product, over all new products.
    per_product, per_customer
        The same for one product, and new products shown to one customer.
    seed
        Of the drawn conversions.

    Raises
    ------
    ConfigError
        When a number is negative, or a cap below 1.
    """

    impressions: int
    per_product: int
    per_customer: int = CUSTOMER_CAP
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {"impressions": 0, "per_product": 1, "per_customer": 1}.items():
            if getattr(self, name) < least:
                raise ConfigError(f"launch.{name}: got {getattr(self, name)}, must be at least {least}")


@dataclass(frozen=True)
class Trial:
    """What is known of one new product that is shown.

    Attributes
    ----------
    conversion
        None where no launch of the past says anything: interest alone decides then, and each impression may take a
        unit.
    units
        Units of one purchase, > 0.
    capacity
        Units that may be promised; None where stock is not counted.
    is_pinned
        Gets its audience before all others.
    demand_ratio
        Demand for its category over the usual, as the market's signals have it; it is part of the conversion.
    """

    conversion: Conversion | None
    units: float
    capacity: float | None
    is_pinned: bool
    demand_ratio: float = 1.0

    def expected_units(self, interest: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the units that customers of some interest are expected to buy, one each where nothing is known."""
        if self.conversion is None:
            return np.ones(len(interest))
        return np.minimum(self.conversion.mean * interest, 1.0) * self.units


def drawn_conversion(product: str, trial: Trial, seed: int) -> float:
    """Return the conversion that a product is given a chance with: its own draw, whatever other products there are."""
    if trial.conversion is None:
        return 1.0
    return trial.conversion.drawn(np.random.default_rng([seed, zlib.crc32(product.encode())]))


def shown(found: Interested, trials: Mapping[str, Trial], params: BudgetParams) -> NDArray[np.int64]:
    """Return the rows of ``found`` that are shown, by product and descending interest.

    Parameters
    ----------
    trials
        By product; others are not shown.

    Notes
    -----
    Pairs are taken in descending order, which loses at most half of the best sum under two caps (a greedy matching).
    """
    names = found.product_ids
    draws = np.array([drawn_conversion(one, trials[one], params.seed) if one in trials else -1.0 for one in names])
    is_pinned = np.array([one in trials and trials[one].is_pinned for one in names], np.bool_)
    expected = np.zeros(len(found.product))
    left = np.full(len(names), np.inf)
    bounds = np.searchsorted(found.product, np.arange(len(names) + 1))
    for place, name in enumerate(names):
        if name in trials:
            own = slice(bounds[place], bounds[place + 1])
            expected[own] = trials[name].expected_units(found.interest[own])
            capacity = trials[name].capacity
            left[place] = np.inf if capacity is None else capacity
    chance = draws[found.product] * found.interest if len(names) else expected
    order = np.lexsort((found.customer, found.product, -chance, ~is_pinned[found.product]))
    order = order[draws[found.product[order]] >= 0]
    room = np.full(len(names), params.per_product)
    patience = np.full(len(found.customer_ids), params.per_customer)
    chosen: list[int] = []
    for row in order.tolist():
        if len(chosen) == params.impressions:
            break
        product, customer = found.product[row], found.customer[row]
        if room[product] and patience[customer] and left[product] >= expected[row]:
            chosen.append(row)
            room[product] -= 1
            patience[customer] -= 1
            left[product] -= expected[row]
    return np.sort(np.array(chosen, np.int64))
