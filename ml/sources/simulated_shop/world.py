"""Draw the truth of a simulated shop from its seed."""

import numpy as np

from ml.sources.simulated_shop.truth import ALWAYS, Flags, Floats, Ints, Size, Truth

PRODUCTS_PER_NEED = 5
NEEDS_PER_MISSION = (2, 4)
NEEDS_AT_HOME = 12
"""A household keeps about this many needs in stock, however many the shop serves."""


def draw_truth(size: Size, seed: int) -> Truth:
    """Return the truth of the shop of that size; the same seed gives the same shop."""
    rng = np.random.default_rng([seed, 1])
    needs = max(2, size.products // PRODUCTS_PER_NEED)
    need_of = np.arange(size.products) % needs
    tier = rng.integers(0, 4, size.products)
    base = rng.lognormal(np.log(280), 0.6, needs)
    price = np.round(base[need_of] * (0.75 + 0.22 * tier) * rng.uniform(0.9, 1.1, size.products)).astype(np.int64)
    missions = _missions(rng, needs)
    households = rng.integers(1, 6, size.customers)
    return Truth(
        size=size,
        seed=seed,
        need_of=need_of,
        tier=tier,
        appeal=rng.normal(2.0, 0.7, size.products) + 0.15 * tier,
        price_cents=np.maximum(price, 20),
        cost_cents=np.maximum((price * rng.uniform(0.55, 0.85, size.products)).astype(np.int64), 10),
        launch_day=_launches(size),
        traits=rng.normal(0, 1, (size.products, 2)),
        need_days=rng.uniform(3, 20, needs),
        missions=missions,
        mission_peak=rng.uniform(0, 365, len(missions)),
        mission_swing=np.resize([1.0, 0.0, 0.3], len(missions)),
        mission_taste=_shares(rng, size.customers, len(missions)),
        is_used=rng.random((size.customers, needs)) < rng.uniform(0.5, 1.5, needs) * min(0.45, NEEDS_AT_HOME / needs),
        trip_rate=rng.gamma(4, 0.065, size.customers).clip(0.02, 0.8),
        mission_rate=rng.beta(4, 2, size.customers),
        price_sensitivity=rng.lognormal(np.log(2.0), 0.5, size.customers),
        household=households,
        web_share=rng.beta(1.5, 1.5, size.customers),
        sign_up_day=_sign_ups(rng, size),
        tastes=rng.normal(0, 0.6, (size.customers, 2)),
    )


def _missions(rng: np.random.Generator, needs: int) -> Flags:
    """Return (M, N): each mission takes a few needs; no two are the same."""
    low, high = NEEDS_PER_MISSION
    table = np.zeros((max(1, needs // 2), needs), dtype=np.bool_)
    for row in table:
        row[rng.choice(needs, min(needs, int(rng.integers(low, high + 1))), replace=False)] = True
    return np.unique(table, axis=0)


def _shares(rng: np.random.Generator, customers: int, missions: int) -> Floats:
    """Return (C, M) rows that sum to 1 with most of the weight on a few missions."""
    weight = rng.gamma(0.4, 1.0, (customers, missions)) + 1e-6
    shares: Floats = weight / weight.sum(axis=1, keepdims=True)
    return shares


def _launches(size: Size) -> Ints:
    """Return the day of launch: the last tenth of the catalogue comes one by one, the rest was always there."""
    launch = np.full(size.products, ALWAYS)
    new = size.products // 10
    if new == 0:
        return launch
    # From half-way through the first history to two months after it, so that any as-of date there sees a new product.
    launch[-new:] = np.linspace(size.days / 2, size.days + 60, new).astype(np.int64)
    if new > 1:
        launch[-new + 1] = size.days - 2
    return launch


def _sign_ups(rng: np.random.Generator, size: Size) -> Ints:
    """Return the day of sign-up; one customer in six comes during the first history."""
    day = np.where(rng.random(size.customers) < 1 / 6, rng.integers(0, size.days, size.customers), ALWAYS)
    return day.astype(np.int64)
