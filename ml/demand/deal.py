"""What being on offer does whatever the discount: a price tag sells, even where it takes off little."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.demand.discounted import DISCOUNTED, Event

Reals = NDArray[np.float64]

ROUNDS = 50
LARGEST_MOVE = 1.0
"""Log price below the list: beyond it the price of a week is a slip, not an offer."""
SEEN_SHARE = 0.1
"""Share of the discounts seen that may be smaller than those of which the effect is believed."""


@dataclass(frozen=True)
class Deal:
    """The part of the response to a discount that does not depend on its depth.

    Attributes
    ----------
    share
        Of the response to a usual discount, 0 to 1.
    usual_share
        Share of the list price that is paid at a usual discount.
    least_off
        Smallest discount for which it is believed, as a share of the list price: below it nothing was seen.
    response
        Log of the units at a usual discount over usual units, >= 0.
    """

    share: float
    usual_share: float
    least_off: float
    response: float = 0.0

    def felt(self, paid_share: Reals) -> Reals:
        """Return the share of the list price at which an elasticity gives the units that ``paid_share`` sells.

        At a usual discount it is what is paid; a smaller discount feels deeper than it is, a deeper one less deep.
        """
        felt = paid_share ** (1 - self.share) * self.usual_share**self.share
        return np.where(1 - paid_share >= self.least_off - 1e-9, felt, paid_share)


NO_DEAL = Deal(0.0, 1.0, 1.0)


def deal_effect(events: Sequence[Event]) -> Deal:
    """Return the deal effect in the discounted weeks of all products together.

    Units over those of usual weeks near by, log mean = effect + elasticity x log price, by Poisson quasi-likelihood;
    the share is that of the effect in the whole response at the mean log price. Elasticities of
    :mod:`ml.demand.price_response` are slopes through the usual price, so they hold both at a usual discount, and
    the share says how to go from there to other depths.

    Source
    ------
    Inman, McAlister and Hoyer (1990), Promotion signal: proxy for a price cut?, Journal of Consumer Research 17 (1).
    """
    if not events:
        return NO_DEAL
    usual, units, paid = (
        np.concatenate(parts)
        for parts in zip(*((one.usual, one.usual + one.own, one.paid_share) for one in events), strict=True)
    )
    is_told = usual > 0
    usual, units = usual[is_told], units[is_told]
    price = np.maximum(np.log(paid[is_told]), -LARGEST_MOVE)
    if len(units) < 2 or np.ptp(price) < 1e-6:
        return NO_DEAL
    columns = np.stack([np.ones_like(price), price], axis=1)
    found = np.zeros(2)
    for _ in range(ROUNDS):
        expected = usual * np.exp(np.clip(columns @ found, -5.0, 5.0))
        step = np.linalg.solve(columns.T @ (columns * expected[:, None]), columns.T @ (units - expected))
        found = found + step.clip(-1.0, 1.0)
    middle = float(np.average(price, weights=usual))
    effect, slope = max(float(found[0]), 0.0), max(float(found[1] * middle), 0.0)
    share = effect / (effect + slope) if effect > 0 else 0.0
    least = float(np.quantile(1 - np.exp(price), SEEN_SHARE))
    return Deal(share, float(np.exp(middle)), max(least, 1 - DISCOUNTED), effect + slope)
