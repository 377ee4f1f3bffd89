"""What is true in the simulated shop and stands in none of its tables."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ml.errors import ConfigError
from ml.sources.simulated_shop.names import need_name

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FIRST_AS_OF = date(2017, 12, 3)
"""History begins a number of days before this one, whatever as-of date is asked for, so that each later as-of date
extends the same history. It is the day of the demo on real data, so both sources take the same form."""
ALWAYS = -10_000
"""Launch or sign-up before anybody looks, in days from the first one."""
LISTED_AHEAD_DAYS = 14
"""A new product stands in the catalogue this long before its launch."""


@dataclass(frozen=True)
class Size:
    """How large the shop is.

    Raises
    ------
    ConfigError
        When a number is too small for a shop.
    """

    customers: int = 200
    products: int = 60
    days: int = 120

    def __post_init__(self) -> None:
        if self.customers < 1 or self.products < 2 or self.days < 8:
            raise ConfigError(f"a simulated shop needs 1 customer, 2 products and 8 days, got {self}")


@dataclass(frozen=True)
class Truth:
    """The hidden causes.

    A *need* is what a product serves: the products of one need are substitutes. A *mission* is a set of needs that
    are met together, such as a recipe: products of different needs of one mission are complements. Days are counted
    from ``first_day``.

    Attributes
    ----------
    need_of, tier, appeal, price_cents, cost_cents, launch_day
        By product, (P,): need, quality tier, liking, base price and cost in cents, day of launch.
    traits
        By product, (P, 2): what tastes act on.
    need_days
        By need, (N,): days one unit lasts a household of two.
    missions
        (M, N): which needs a mission has.
    mission_peak, mission_swing
        By mission, (M,): day of the year of highest demand and strength of the season.
    mission_taste
        (C, M): how often a customer goes on a mission; rows sum to 1.
    is_used
        (C, N): needs the customer keeps at home.
    trip_rate, mission_rate, price_sensitivity, household, web_share, sign_up_day
        By customer, (C,): trips a day, missions a trip, weight of the log price, persons, share of trips on the web.
    tastes
        (C, 2): liking of the traits.
    """

    size: Size
    seed: int
    need_of: Ints
    tier: Ints
    appeal: Floats
    price_cents: Ints
    cost_cents: Ints
    launch_day: Ints
    traits: Floats
    need_days: Floats
    missions: Flags
    mission_peak: Floats
    mission_swing: Floats
    mission_taste: Floats
    is_used: Flags
    trip_rate: Floats
    mission_rate: Floats
    price_sensitivity: Floats
    household: Ints
    web_share: Floats
    sign_up_day: Ints
    tastes: Floats

    @property
    def first_day(self) -> date:
        """Return the first day of the history."""
        return FIRST_AS_OF - timedelta(days=self.size.days - 1)

    @cached_property
    def product_ids(self) -> list[str]:
        """Return the keys of the products, in their order."""
        return [f"P{j:06d}" for j in range(len(self.need_of))]

    @cached_property
    def customer_ids(self) -> list[str]:
        """Return the keys of the customers, in their order."""
        return [f"C{u:07d}" for u in range(len(self.trip_rate))]

    @cached_property
    def choices(self) -> Ints:
        """Return the products of each need, (N, K), filled up with -1."""
        groups = [np.flatnonzero(self.need_of == need) for need in range(len(self.need_days))]
        table = np.full((len(groups), max(map(len, groups))), -1)
        for need, products in enumerate(groups):
            table[need, : len(products)] = products
        return table

    @cached_property
    def substitutes(self) -> Flags:
        """Return (P, P): different products that serve the same need."""
        same = self.need_of[:, None] == self.need_of[None, :]
        np.fill_diagonal(same, False)
        return same

    @cached_property
    def complements(self) -> Flags:
        """Return (P, P): products whose needs meet in a mission."""
        met = (self.missions.T.astype(int) @ self.missions.astype(int)) > 0
        np.fill_diagonal(met, False)
        pairs: Flags = met[np.ix_(self.need_of, self.need_of)]
        return pairs

    def season(self, day: date) -> Floats:
        """Return by mission, (M,), how much more than usual it is wanted on ``day``; its mean over a year is near 1."""
        angle = 2 * np.pi * (day.timetuple().tm_yday - self.mission_peak) / 365
        factor: Floats = np.exp(self.mission_swing * np.cos(angle) - self.mission_swing**2 / 4)
        return factor

    def department(self, product: int) -> tuple[str, str]:
        """Return department and need of a product, in words."""
        return need_name(int(self.need_of[product]))
