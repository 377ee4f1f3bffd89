"""What each price of a bundle would bring beyond no sale at all, and the price that brings the most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.demand.price_response import units_ratio

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
    less the whole discount; its elasticity says how many more take it. Of these extra units some are taken from rivals
    of its category, which lose their margin, and some from later weeks, which lose the margin at the list price. Extra
    buyers of two parts or more at once are not counted on.

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
    count = len(parts.list_cents)
    elasticity = np.minimum(parts.elasticity + parts.elasticity_error * rng.standard_normal((DRAWS, count)), 0.0)
    pulled = (parts.pulled_share + parts.pulled_error * rng.standard_normal((DRAWS, count))).clip(0.0, 1.0)
    diverted = (parts.diverted_share + parts.diverted_error * rng.standard_normal((DRAWS, count))).clip(0.0, 1.0)
    # What later weeks lose, rivals cannot lose too.
    diverted = np.minimum(diverted, 1.0 - pulled)
    joint = rng.gamma(demand.shape, demand.mean / demand.shape, (DRAWS, 1))
    missing = parts.missing_units
    discount = parts.list_cents.sum() - prices.astype(np.float64)
    paid = parts.list_cents - discount[:, None, None]
    ratio = np.maximum(paid / parts.list_cents, CHEAPEST_RATIO)
    extra = np.minimum(joint * (units_ratio(elasticity, ratio) - 1.0), missing)
    each = paid - parts.cost_cents - diverted * parts.rival_margin_cents
    each = each - pulled * (parts.list_cents - parts.cost_cents)
    gain = (extra * each).sum(axis=2) - joint[:, 0] * discount[:, None]
    low, high = np.quantile(gain, [0.025, 0.975], axis=1)
    at_list, more = float(joint.mean()), extra.sum(axis=2).mean(axis=1)
    near = at_list + float(missing.sum())
    units = at_list + more
    columns = {
        "units": units,
        "diverted_units": (extra * diverted).sum(axis=2).mean(axis=1),
        "pulled_units": (extra * pulled).sum(axis=2).mean(axis=1),
        "margin_cents": gain.mean(axis=1),
        "low": low,
        "high": high,
        "attach": units / near if near > 0 else 0.0 * units,
    }
    usual = {"units_at_list": at_list, "attach_at_list": at_list / near if near > 0 else 0.0}
    return [
        Priced(int(price), **usual, **{name: float(column[n]) for name, column in columns.items()})
        for n, price in enumerate(prices)
    ]


def best_price(options: Sequence[Priced], stock_units: float) -> Priced | None:
    """Return the price that brings the most of those that stock allows, the highest of equals.

    None where not even the list price keeps within the stock.
    """
    allowed = [one for one in options if one.units <= stock_units]
    return max(allowed, key=lambda one: (one.margin_cents, one.price_cents)) if allowed else None
