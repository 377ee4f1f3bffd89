"""What each price of a bundle would bring beyond no sale at all, and the price that brings the most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.demand.price_response import MOST_UNITS_RATIO, units_ratio
from ml.demand.quantity import Quantity
from ml.scenarios.bundle_sale.sets import mean_sets, sets_growth

Reals = NDArray[np.float64]
Cents = NDArray[np.int64]

DRAWS = 400
STEPS = (1, 5, 10, 50, 100, 500, 1000, 5000)
"""Steps of a price grid in cents: the least that leaves at most ``MOST_PRICES``."""
MOST_PRICES = 60
CHEAPEST_RATIO = 0.05
"""A part that is all but given away is still asked for as at a twentieth of its price."""


@dataclass(frozen=True)
class Parts:
    """What is known of the products of one bundle, (parts,) each; money in cents.

    Attributes
    ----------
    list_cents, cost_cents, floor_cents
        List price, cost, lowest price that the rules allow.
    missing_units
        Bundles that would be sold if every basket that holds all others took this one too.
    elasticity, elasticity_error
        <= 0, and its standard deviation.
    diverted_share, diverted_error
        Of its extra units, those that other products of its category lose.
    rival_margin_cents
        What a unit of those earns on average.
    pulled_share, pulled_error
        Of its extra units, those bought earlier than otherwise.
    units_per_basket
        That a basket with the part holds of it, >= 1.
    quantity
        What of the response buyers make by taking more at once.
    """

    list_cents: Cents
    cost_cents: Reals
    floor_cents: Cents
    missing_units: Reals
    elasticity: Reals
    elasticity_error: Reals
    diverted_share: Reals
    diverted_error: Reals
    rival_margin_cents: Reals
    pulled_share: Reals
    pulled_error: Reals
    units_per_basket: Reals
    quantity: Quantity


@dataclass(frozen=True)
class Demand:
    """Bundles sold during the sale at list prices: a gamma distribution, and how many may be sold.

    Attributes
    ----------
    shape, mean
        Of the gamma distribution of the number of bundles.
    stock_units
        Most that may be sold; infinite where stock is not counted.
    """

    shape: float
    mean: float
    stock_units: float


@dataclass(frozen=True)
class Priced:
    """One price of a bundle and what is expected of it over the days of the sale.

    Attributes
    ----------
    price_cents
        Of the bundle.
    units_at_list, units
        Bundles without and with the discount; all of the former are sold cheaper than they might be.
    diverted_units, pulled_units
        Of the extra bundles: what rivals lose, what later weeks lose.
    margin_cents, low, high
        Expected margin beyond no sale, with its 95 % interval.
    attach_at_list, attach
        Of the baskets that hold all parts but one at least, the share that holds all.
    """

    price_cents: int
    units_at_list: float
    units: float
    diverted_units: float
    pulled_units: float
    margin_cents: float
    low: float
    high: float
    attach_at_list: float
    attach: float


def price_grid(parts: Parts, max_discount_share: float, min_margin_share: float) -> Cents:
    """Return the prices to look at in cents, ascending, the list price last.

    None lies below the largest discount, the margin floor, a floor of the rules on a part (which gets its proportional
    share of the discount), or a cent for each part. Only the list price is there when all others do.
    """
    whole = int(parts.list_cents.sum())
    # Where the parts' list prices leave less than the floor, a discount is out of the question.
    share = float((parts.floor_cents / parts.list_cents).max())
    lowest = max(
        whole * (1 - max_discount_share),
        float(parts.cost_cents.sum()) / (1 - min_margin_share),
        whole * share,
        float(len(parts.list_cents)),
    )
    # A hair off, as 100 x (1 - 0.3) is more than 70 in floating point.
    first = int(np.ceil(lowest - 1e-6))
    if first >= whole:
        return np.array([whole])
    step = next((one for one in STEPS if (whole - first) / one <= MOST_PRICES), STEPS[-1])
    nice = np.arange(-(-first // step) * step, whole, step)
    return np.append(nice, whole).astype(np.int64)


def outcomes(parts: Parts, demand: Demand, prices: Cents, seed: Sequence[int]) -> list[Priced]:
    """Return what is expected of each price.

    Whoever buys all parts anyway pays less: a loss. Whoever would buy all but one pays, for that one, its list price
    less the whole discount; the elasticity of its buyers says how many more take it. All who take the bundle take more
    units of each part, as a discounted bundle is an offer like any other: what goes into whole bundles is paid at their
    price, what is left over at the list price. Of these extra units some are taken from rivals of the category, which
    lose their margin, and some from later weeks, which lose the margin at the list price. Extra buyers of two parts or
    more at once are not counted on.

    Parameters
    ----------
    prices
        (n,) of the bundle, none above the sum of the list prices.
    seed
        Of the draws of elasticities, shares and joint demand; the same for all prices.

    Source
    ------
    Adams and Yellen (1976), Commodity bundling and the burden of monopoly, QJE 90 (3): mixed bundling, where each part
    can still be bought alone.
    """
    rng = np.random.default_rng(list(seed))
    count, of = len(parts.list_cents), parts.quantity
    elasticity = np.minimum(parts.elasticity + parts.elasticity_error * rng.standard_normal((DRAWS, count)), 0.0)
    pulled = (parts.pulled_share + parts.pulled_error * rng.standard_normal((DRAWS, count))).clip(0.0, 1.0)
    diverted = (parts.diverted_share + parts.diverted_error * rng.standard_normal((DRAWS, count))).clip(0.0, 1.0)
    own = _apart(diverted, pulled, of.share)
    joint = rng.gamma(demand.shape, demand.mean / demand.shape, (DRAWS, 1))
    missing = parts.missing_units
    discount = parts.list_cents.sum() - prices.astype(np.float64)
    paid = parts.list_cents - discount[:, None, None]
    ratio = np.maximum(paid / parts.list_cents, CHEAPEST_RATIO)
    extra = np.minimum(joint * (units_ratio(elasticity * (1 - of.share), of.buyers_deal.felt(ratio)) - 1.0), missing)
    first = joint[:, 0] + extra.sum(axis=2)
    felt = of.deal.felt(prices / parts.list_cents.sum())[:, None, None]
    taken = units_ratio(elasticity * of.share, felt)
    # Whole bundles grow as the part that grows least.
    more = first * (sets_growth(parts.units_per_basket, taken.min(axis=2), MOST_UNITS_RATIO) - 1.0)
    a_set = parts.units_per_basket / mean_sets(parts.units_per_basket[None, :])
    loose = np.maximum(first[:, :, None] * a_set * (taken - 1.0) - more[:, :, None], 0.0)
    later = parts.list_cents - parts.cost_cents
    lost = own.diverted * parts.rival_margin_cents + own.pulled_buyers * later
    gain = (extra * (paid - parts.cost_cents - lost)).sum(axis=2) - joint[:, 0] * discount[:, None]
    gain += more * (prices[:, None] - parts.cost_cents.sum() - (own.pulled_quantity * later).sum(axis=1))
    gain += (loose * (1.0 - own.pulled_quantity) * later).sum(axis=2)
    low, high = np.quantile(gain, [0.025, 0.975], axis=1)
    at_list = float(joint.mean())
    baskets = first.mean(axis=1)
    near = at_list + float(missing.sum())
    early = (extra * own.pulled_buyers).sum(axis=2) + more * own.pulled_quantity.mean(axis=1)
    columns = {
        "units": (first + more).mean(axis=1),
        "diverted_units": (extra * own.diverted).sum(axis=2).mean(axis=1),
        "pulled_units": early.mean(axis=1),
        "margin_cents": gain.mean(axis=1),
        "low": low,
        "high": high,
        "attach": baskets / near if near > 0 else 0.0 * baskets,
    }
    usual = {"units_at_list": at_list, "attach_at_list": at_list / near if near > 0 else 0.0}
    return [
        Priced(int(price), **usual, **{name: float(column[n]) for name, column in columns.items()})
        for n, price in enumerate(prices)
    ]


@dataclass(frozen=True)
class _Apart:
    """Shares of the extra units that are no gain, (draws, parts): of new buyers, and of what buyers take more."""

    diverted: Reals
    pulled_buyers: Reals
    pulled_quantity: Reals


def _apart(diverted: Reals, pulled: Reals, quantity_share: float) -> _Apart:
    """Return the shares of the two kinds of extra units, given those of all.

    Whoever takes two instead of one leaves a rival nothing less, but comes later again; so what later weeks lose is
    first of all that, and what rivals lose are new buyers.
    """
    new = 1.0 - quantity_share
    pulled_quantity = np.minimum(pulled / quantity_share, 1.0) if quantity_share > 0 else 0.0 * pulled
    pulled_buyers = np.maximum(pulled - quantity_share, 0.0) / new if new > 0 else 0.0 * pulled
    of_new = diverted / new if new > 0 else 0.0 * diverted
    # What later weeks lose, rivals cannot lose too.
    return _Apart(np.minimum(of_new, 1.0 - pulled_buyers), pulled_buyers, pulled_quantity)


def best_price(options: Sequence[Priced], stock_units: float) -> Priced | None:
    """Return the price that brings the most of those that stock allows, the highest of equals.

    None where not even the list price keeps within the stock.
    """
    allowed = [one for one in options if one.units <= stock_units]
    return max(allowed, key=lambda one: (one.margin_cents, one.price_cents)) if allowed else None
