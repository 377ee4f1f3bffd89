"""What customers do around their orders: visits, searches, carts, reviews, reactions to the shop's own bundles."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from ml.sources.simulated_shop.market import Market
from ml.sources.simulated_shop.shopping import DayOfSales
from ml.sources.simulated_shop.truth import Flags, Floats, Ints, Truth

STEPS = ("view", "search", "cart", "purchase")
REACTIONS = ("impression", "click", "add", "purchase")
BROWSE_RATE = 0.05
"""Visits without an order, per customer and day, at a web share of one."""
REVIEWED, REVIEW_AFTER_DAYS = 0.02, (2, 14)
SEARCHED, COMPARED = 0.4, 0.6
CLICKED, CLICKED_BY_PULL = 0.02, 0.3
"""Probability of a click on a bundle that nothing draws the customer to, and what is added at a pull of one."""


@dataclass(frozen=True)
class Visits:
    """Visits of one day: customer, the order they led to (-1: none), begin and end in seconds of the day."""

    customer: Ints
    order: Ints
    begin: Floats
    end: Floats


@dataclass(frozen=True)
class Steps:
    """Events of one day: visit, kind (index of ``STEPS``), product (-1: none), need searched (-1: none), second."""

    visit: Ints
    kind: Ints
    product: Ints
    need: Ints
    second: Floats


@dataclass(frozen=True)
class Reviews:
    """Reviews of a day's lines: line, stars, second counted from the midnight before the purchase."""

    line: Ints
    rating: Ints
    second: Floats


@dataclass(frozen=True)
class Reactions:
    """Reactions to own bundles: visit, bundle, kind (index of ``REACTIONS``), second of the day."""

    visit: Ints
    bundle: Ints
    kind: Ints
    second: Floats


def visits(rng: np.random.Generator, truth: Truth, sales: DayOfSales, is_web: Flags, ordered: Floats) -> Visits:
    """Return a visit for each web order and some visits without one."""
    order = np.flatnonzero(is_web)
    buyers = sales.customer[order]
    lookers = np.flatnonzero(rng.random(len(truth.web_share)) < BROWSE_RATE * truth.web_share)
    begin = rng.uniform(0, 23.5 * 3600, len(lookers))
    return Visits(
        np.concatenate([buyers, lookers]),
        np.concatenate([order, np.full(len(lookers), -1)]),
        np.concatenate([ordered[order] - rng.uniform(300, 2400, len(order)), begin]).clip(min=0),
        np.concatenate([ordered[order], begin + rng.uniform(60, 1500, len(lookers))]),
    )


def events(rng: np.random.Generator, truth: Truth, market: Market, day: date, sales: DayOfSales, seen: Visits) -> Steps:
    """Return what was searched, viewed, put in the cart and bought in the visits of a day."""
    visit_of_order = np.full(len(sales.customer), -1)
    visit_of_order[seen.order[seen.order >= 0]] = np.flatnonzero(seen.order >= 0)
    line = np.flatnonzero(visit_of_order[sales.order] >= 0)
    visit, product = visit_of_order[sales.order[line]], sales.product[line]
    span = seen.end[visit] - seen.begin[visit]
    viewed_at = seen.begin[visit] + span * rng.uniform(0.05, 0.7, len(line))
    need, rival = truth.need_of[product], sales.considered[line]
    is_searched = rng.random(len(line)) < SEARCHED
    is_compared = (rng.random(len(line)) < COMPARED) & (rival >= 0)
    parts = [
        _steps("search", visit, -1, need, viewed_at - 0.04 * span, is_searched),
        _steps("view", visit, rival, -1, viewed_at - 0.02 * span, is_compared),
        _steps("view", visit, product, -1, viewed_at),
        _steps("cart", visit, product, -1, viewed_at + 0.1 * span),
        _steps("purchase", visit, product, -1, seen.end[visit]),
        *_browsing(rng, truth, market, day, seen),
    ]
    return Steps(*(np.concatenate([getattr(part, name) for part in parts]) for name in Steps.__dataclass_fields__))


def _browsing(rng: np.random.Generator, truth: Truth, market: Market, day: date, seen: Visits) -> tuple[Steps, Steps]:
    """Return the views of visits without an order, by what the customer is drawn to, and carts left behind."""
    without_order = np.flatnonzero(seen.order < 0)
    visit = np.repeat(without_order, rng.integers(1, 6, len(without_order)))
    taste = np.cumsum(truth.mission_taste[seen.customer[visit]], axis=1)
    mission = (taste < rng.random((len(visit), 1))).sum(axis=1).clip(max=len(truth.missions) - 1)
    need = np.where(truth.missions[mission], rng.random((len(visit), truth.missions.shape[1])), -1).argmax(axis=1)
    table = truth.choices[need]
    liking = np.where((table >= 0) & market.is_listed(day)[table], truth.appeal[table], -np.inf)
    product = table[np.arange(len(table)), (liking + rng.gumbel(size=table.shape)).argmax(axis=1)]
    at = seen.begin[visit] + (seen.end[visit] - seen.begin[visit]) * rng.random(len(visit))
    is_seen = market.is_listed(day)[product]
    return (
        _steps("view", visit, product, -1, at, is_seen),
        _steps("cart", visit, product, -1, at + 5, is_seen & (rng.random(len(visit)) < 0.1)),
    )


def _steps(
    kind: str, visit: Ints, product: Ints | int, need: Ints | int, second: Floats, keep: Flags | None = None
) -> Steps:
    full = Steps(
        visit,
        np.full(len(visit), STEPS.index(kind)),
        np.broadcast_to(product, visit.shape),
        np.broadcast_to(need, visit.shape),
        second,
    )
    if keep is None:
        return full
    return replace(full, **{name: getattr(full, name)[keep] for name in Steps.__dataclass_fields__})


def reviews(rng: np.random.Generator, truth: Truth, sales: DayOfSales) -> Reviews:
    """Return the reviews that the day's purchases lead to, some days later.

    A star above or below the middle follows the liking of the product and of its traits by this customer.
    """
    line = np.flatnonzero(rng.random(len(sales.product)) < REVIEWED)
    product, customer = sales.product[line], sales.customer[sales.order[line]]
    liking = truth.appeal[product] - 2.0 + np.einsum("lt,lt->l", truth.tastes[customer], truth.traits[product])
    rating = np.round(3.6 + liking + rng.normal(0, 0.7, len(line))).clip(1, 5).astype(np.int64)
    later = rng.integers(REVIEW_AFTER_DAYS[0], REVIEW_AFTER_DAYS[1] + 1, len(line))
    return Reviews(line, rating, rng.uniform(0, 86_000, len(line)) + 86_400 * later)


def reactions(rng: np.random.Generator, truth: Truth, sales: DayOfSales, seen: Visits, bundles: Flags) -> Reactions:
    """Return how visitors took the one given bundle each was shown: columns visit, bundle, kind, second.

    Parameters
    ----------
    bundles
        (B, P): products of each given bundle. One is shown at random, so its propensity is 1 / B.

    A customer who is drawn to the bundle's needs clicks more often; a bundle counts as bought when the order of the
    visit holds two of its products.
    """
    shown = rng.integers(0, len(bundles), len(seen.customer))
    pull = (truth.mission_taste[seen.customer] * _fit(truth, bundles)[shown]).sum(axis=1)
    is_clicked = rng.random(len(shown)) < CLICKED + CLICKED_BY_PULL * pull
    is_added = is_clicked & (rng.random(len(shown)) < 0.4)
    held = np.zeros(len(sales.customer) + 1, dtype=np.int64)
    bundle_of_order = np.full(len(sales.customer), -1)
    bundle_of_order[seen.order[seen.order >= 0]] = shown[seen.order >= 0]
    is_in = (bundle_of_order[sales.order] >= 0) & bundles[bundle_of_order[sales.order], sales.product]
    np.add.at(held, sales.order[is_in], 1)
    is_bought = (seen.order >= 0) & (held[seen.order] >= 2)
    masks = (np.ones(len(shown), dtype=np.bool_), is_clicked | is_bought, is_added | is_bought, is_bought)
    visit = np.concatenate([np.flatnonzero(mask) for mask in masks])
    kind = np.repeat(np.arange(len(masks)), [int(mask.sum()) for mask in masks])
    share = np.array([0.1, 0.2, 0.3, 1.0])[kind]
    return Reactions(visit, shown[visit], kind, seen.begin[visit] + (seen.end[visit] - seen.begin[visit]) * share)


def click_chances(truth: Truth, bundles: Flags) -> Floats:
    """Return (C, B): the probability that a customer clicks on a bundle for its own sake, that of :func:`reactions`."""
    chances: Floats = CLICKED + CLICKED_BY_PULL * truth.mission_taste @ _fit(truth, bundles).T
    return chances


def _fit(truth: Truth, bundles: Flags) -> Floats:
    """Return (B, M): the share of each mission's needs that a bundle serves."""
    needs = np.zeros((len(bundles), truth.missions.shape[1]), dtype=np.bool_)
    for row, products in zip(needs, bundles, strict=True):
        row[truth.need_of[products]] = True
    fit: Floats = (needs.astype(float) @ truth.missions.T.astype(float)) / truth.missions.sum(axis=1)
    return fit
