"""One customer's bundle problem: what may be chosen, what is allowed, what it is worth.

Every solver and every bound reads this statement; feasibility and value are defined here and nowhere else.
"""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.errors import ConfigError, DataError

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]

LARGEST_SOLVED = 3
UNLIMITED = -1
NO_BUDGET = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Limits:
    """What a bundle must keep to.

    Attributes
    ----------
    min_size, max_size
        How many different products, 2 to 3.
    budget_cents
        Highest sum of prices; None for no limit.
    max_per_category
        At most this many products of one category.
    cost_per_product
        Subtracted from the value for each product shown, in the unit of the pair values.
    min_joint_probability
        A bundle less likely than this to be bought whole is not offered.
    """

    min_size: int = 2
    max_size: int = LARGEST_SOLVED
    budget_cents: int | None = None
    max_per_category: int = 1
    cost_per_product: float = 0.0
    min_joint_probability: float = 0.0

    def __post_init__(self) -> None:
        if self.max_size > LARGEST_SOLVED:
            raise ConfigError(
                f"bundle_size: got {self.max_size}; bundles of more than {LARGEST_SOLVED} are not solved yet"
            )
        if not 2 <= self.min_size <= self.max_size:
            raise ConfigError(
                f"bundle sizes {self.min_size} to {self.max_size}: a bundle holds 2 to {LARGEST_SOLVED} products"
            )
        if self.budget_cents is not None and self.budget_cents < 1:
            raise ConfigError(f"budget_cents: got {self.budget_cents}, must be at least 1 or empty")
        if self.max_per_category < 1:
            raise ConfigError(f"max_per_category: got {self.max_per_category}, must be at least 1")
        if not self.cost_per_product >= 0 or not 0 <= self.min_joint_probability <= 1:
            raise ConfigError(
                f"cost_per_product {self.cost_per_product} must be >= 0, "
                f"min_joint_probability {self.min_joint_probability} within 0 and 1"
            )


@dataclass(frozen=True)
class BundleProblem:
    """n candidates of one customer.

    Attributes
    ----------
    preference
        (n,) probability that the next basket holds the candidate.
    pair_values
        (n, n) symmetric, finite, >= 0, zero diagonal: what the objective gives each pair.
    joint
        (n, n) symmetric: probability that one basket holds both; the objective itself where it is that.
    price_cents
        (n,) int64, >= 0.
    category
        (n,) int32 codes >= 0.
    available_units
        (n,) int64; ``UNLIMITED`` where stock is not counted. 0 is not offered.
    limits
        What a bundle must keep to.
    is_taken
        (n,) True where an earlier bundle of this customer holds the candidate; nobody when None.

    Raises
    ------
    DataError
        When shapes differ or a value is outside its range.
    """

    preference: Reals
    pair_values: Reals
    joint: Reals
    price_cents: NDArray[np.int64]
    category: NDArray[np.int32]
    available_units: NDArray[np.int64]
    limits: Limits
    is_taken: Flags | None = None

    def __post_init__(self) -> None:
        n = len(self.preference)
        for name in ("price_cents", "category", "available_units"):
            if getattr(self, name).shape != (n,):
                raise DataError(f"{name}: shape {getattr(self, name).shape}, {n} candidates")
        for name in ("pair_values", "joint"):
            if getattr(self, name).shape != (n, n):
                raise DataError(f"{name}: shape {getattr(self, name).shape}, {n} candidates")
        if n and not (np.isfinite(self.pair_values).all() and self.pair_values.min() >= 0):
            raise DataError("pair_values must be finite and >= 0")
        if n and (self.price_cents.min() < 0 or self.category.min() < 0):
            raise DataError("prices and category codes must be >= 0")

    @property
    def candidates(self) -> int:
        """Return how many candidates there are."""
        return len(self.preference)

    @property
    def budget(self) -> int:
        """Return the budget in cents, a number no price reaches where there is none."""
        return NO_BUDGET if self.limits.budget_cents is None else self.limits.budget_cents

    def offered(self) -> Flags:
        """Return (n,) which candidates are in stock and not taken."""
        in_stock = self.available_units != 0
        return in_stock if self.is_taken is None else in_stock & ~self.is_taken

    def without(self, items: tuple[int, ...]) -> "BundleProblem":
        """Return the problem that is left once ``items`` are taken."""
        taken = np.zeros(self.candidates, bool) if self.is_taken is None else self.is_taken.copy()
        taken[list(items)] = True
        return replace(self, is_taken=taken)

    def value(self, items: tuple[int, ...]) -> float:
        """Return the objective: sum of the pair values in ascending order, minus the cost of showing the products."""
        total = 0.0
        for left, right in combinations(sorted(items), 2):
            total += float(self.pair_values[left, right])
        return total - self.limits.cost_per_product * len(items)

    def joint_probability(self, items: tuple[int, ...]) -> float:
        """Return the estimated probability that one basket holds all of ``items`` (two or three)."""
        chosen = sorted(items)
        pairs = [float(self.joint[left, right]) for left, right in combinations(chosen, 2)]
        return pairs[0] if len(pairs) == 1 else float(joint_of_three(*pairs, *self.preference[chosen]))

    def violations(self, items: tuple[int, ...]) -> tuple[str, ...]:
        """Return the names of the constraints that ``items`` break; empty when the bundle is feasible."""
        chosen = list(items)
        broken = []
        if not self.limits.min_size <= len(set(chosen)) <= self.limits.max_size or len(set(chosen)) < len(chosen):
            return ("size",)
        if self.price_cents[chosen].sum() > self.budget:
            broken.append("budget")
        if np.unique(self.category[chosen], return_counts=True)[1].max() > self.limits.max_per_category:
            broken.append("category")
        if (self.available_units[chosen] == 0).any():
            broken.append("stock")
        if self.is_taken is not None and self.is_taken[chosen].any():
            broken.append("taken")
        if self.joint_probability(items) < self.limits.min_joint_probability:
            broken.append("joint_probability")
        return tuple(broken)

    def is_feasible(self, items: tuple[int, ...]) -> bool:
        """Return whether ``items`` keep to every constraint."""
        return not self.violations(items)


@njit(cache=True, nogil=True)
def joint_of_three(p_ab, p_ac, p_bc, p_a, p_b, p_c):  # type: ignore[no-untyped-def]
    """Return p_ab p_ac p_bc / (p_a p_b p_c), at most the least of the pairs.

    The superposition estimate of Kirkwood (1935), Statistical mechanics of fluid mixtures, J. Chem. Phys. 3: exact
    where the three are independent; it leaves out what they have in common beyond their pairs.
    """
    least = min(p_ab, p_ac, p_bc)
    alone = p_a * p_b * p_c
    if least <= 0.0 or alone <= 0.0:
        return least
    return min(least, p_ab * p_ac * p_bc / alone)
