"""One customer's bundle problem: what may be chosen, what is allowed, what it is worth.

Every solver and every bound reads this statement; feasibility and value are defined in
:mod:`ml.optimizer.rules` and nowhere else.
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ml.errors import DataError
from ml.optimizer import rules
from ml.optimizer.limits import Limits
from ml.optimizer.rules import NEVER, UNKNOWN_MARGIN, Statement

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]
Bundle = tuple[int, ...]

UNLIMITED = -1


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
    margin_cents
        (n,) int64, ``UNKNOWN_MARGIN`` where it is not known; nowhere known when None.
    product_values
        (n,) finite, any sign: value of a product beyond its pairs; 0 when None.
    product
        (n,) codes of the products, no two alike; the positions when None.
    is_anchor, is_wanted, is_ruled, is_new, is_pinned, is_excluded
        (n,) roles: may serve as the anchor, belongs to the must-include group, to that of the merchandiser's rules, was
        never bought by the customer, must be in every bundle, must not be in any; nobody when None.
    is_substitute
        (n, n) symmetric: which two are substitutes for each other; nobody when None.
    earlier
        Earlier bundles of the same slate.

    Raises
    ------
    DataError
        When shapes differ, a product stands twice or a value is outside its range.
    """

    preference: Reals
    pair_values: Reals
    joint: Reals
    price_cents: NDArray[np.int64]
    category: NDArray[np.int32]
    available_units: NDArray[np.int64]
    limits: Limits
    margin_cents: NDArray[np.int64] | None = None
    product_values: Reals | None = None
    product: NDArray[np.int64] | None = None
    is_anchor: Flags | None = None
    is_wanted: Flags | None = None
    is_ruled: Flags | None = None
    is_new: Flags | None = None
    is_pinned: Flags | None = None
    is_excluded: Flags | None = None
    is_substitute: Flags | None = None
    earlier: tuple[Bundle, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.preference)
        for name in (
            "price_cents",
            "category",
            "available_units",
            "margin_cents",
            "product_values",
            "product",
            "is_anchor",
            "is_wanted",
            "is_ruled",
            "is_new",
            "is_pinned",
            "is_excluded",
        ):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                raise DataError(f"{name}: shape {values.shape}, {n} candidates")
        for name in ("price_cents", "category", "available_units", "margin_cents", "product"):
            values = getattr(self, name)
            if values is not None and values.dtype.kind not in "iu":  # NaN would become some number of cents
                raise DataError(f"{name}: {values.dtype}, must be whole numbers")
        for name in ("pair_values", "joint", "is_substitute"):
            values = getattr(self, name)
            if values is not None and values.shape != (n, n):
                raise DataError(f"{name}: shape {values.shape}, {n} candidates")
        if not n:
            return
        if not (self.preference.min() >= 0 and self.preference.max() <= 1):
            raise DataError("preference must be a probability, 0 to 1")
        for name in ("pair_values", "joint"):
            values = getattr(self, name)
            if not (np.isfinite(values).all() and values.min() >= 0 and (values == values.T).all()):
                raise DataError(f"{name} must be finite, >= 0 and symmetric")
        if self.product_values is not None and not np.isfinite(self.product_values).all():
            raise DataError("product_values must be finite")
        if self.price_cents.min() < 0 or self.category.min() < 0:
            raise DataError("prices and category codes must be >= 0")
        if self.available_units.min() < UNLIMITED:
            raise DataError(f"available_units must be >= 0, or {UNLIMITED} where stock is not counted")
        if self.product is not None and len(np.unique(self.product)) < n:
            raise DataError("a product stands twice among the candidates")

    @property
    def candidates(self) -> int:
        """Return how many candidates there are."""
        return len(self.preference)

    @cached_property
    def statement(self) -> Statement:
        """Return the problem as arrays for compiled code."""
        n, limits = self.candidates, self.limits
        margin = np.full(n, UNKNOWN_MARGIN) if self.margin_cents is None else self.margin_cents
        pair = np.where(self._may_not_meet(), NEVER, self.pair_values)
        linear = np.full(n, -limits.cost_per_product)
        role = np.zeros(n, np.uint8)
        for flags, bit in (
            (self.is_anchor, rules.IS_ANCHOR),
            (self.is_wanted, rules.IS_WANTED),
            (self.is_ruled, rules.IS_RULED),
            (self.is_new, rules.IS_NEW),
            (self.is_pinned, rules.IS_PINNED),
        ):
            if flags is not None:
                role[flags] |= bit
        earlier = np.zeros(n, np.int64)
        for number, bundle in enumerate(self.earlier):
            earlier[list(bundle)] |= 1 << number
        return Statement(
            np.ascontiguousarray(pair),
            np.ascontiguousarray(self.joint),
            linear if self.product_values is None else linear + self.product_values,
            self.preference,
            self.price_cents.astype(np.int64),
            margin.astype(np.int64),
            self.category.astype(np.int32),
            self._is_open(margin),
            role,
            earlier,
            limits.rules(),
        )

    def after(self, items: Bundle) -> "BundleProblem":
        """Return the problem of the slate's next bundle once ``items`` are one of its bundles.

        Nothing else changes, so nothing is checked or made anew: a slate costs little more than its searches.
        """
        following = copy(self)
        marked = self.statement.earlier.copy()
        marked[list(items)] |= 1 << len(self.earlier)
        object.__setattr__(following, "earlier", (*self.earlier, items))
        object.__setattr__(following, "statement", self.statement._replace(earlier=marked))
        return following

    def needing_new(self) -> "BundleProblem":
        """Return the problem of a bundle that must hold a product the customer never bought; nothing is made anew."""
        stricter = copy(self)
        limited = self.statement.rules._replace(needs=self.statement.rules.needs | rules.IS_NEW)
        object.__setattr__(stricter, "limits", replace(self.limits, needs_new=True))
        object.__setattr__(stricter, "statement", self.statement._replace(rules=limited))
        return stricter

    def is_discovery(self, items: Bundle) -> bool:
        """Return whether ``items`` hold a product the customer never bought."""
        return self.is_new is not None and bool(self.is_new[list(items)].any())

    def value(self, items: Bundle) -> float:
        """Return the objective: sum of the pair values and of the products' own, minus the cost of showing them."""
        chosen = sorted(items)
        own = 0.0 if self.product_values is None else float(self.product_values[chosen].sum())
        pairs = float(np.triu(self.pair_values[np.ix_(chosen, chosen)], 1).sum())
        return pairs + own - self.limits.cost_per_product * len(chosen)

    def joint_probability(self, items: Bundle) -> float:
        """Return the estimated probability that one basket holds all of ``items``."""
        return float(rules.joint_probability(self.statement, np.array(sorted(items), np.int64), len(items)))

    def violations(self, items: Bundle) -> tuple[str, ...]:
        """Return the names of the constraints that ``items`` break; empty when the bundle is feasible."""
        if len(set(items)) < len(items):
            return ("size",)
        chosen = np.array(sorted(items), np.int64)
        flags = rules.broken(self.statement, chosen, len(chosen))
        names = {name for bit, name in enumerate(rules.CONSTRAINTS) if flags >> bit & 1}
        if "excluded" in names:
            names.discard("excluded")
            names |= self._closed_by(chosen)
        if not self._has_substitutes(chosen):
            names.discard("substitute")  # a pair that another rule keeps apart, which has its own name
        return tuple(name for name in rules.CONSTRAINTS if name in names)

    def is_feasible(self, items: Bundle) -> bool:
        """Return whether ``items`` keep to every constraint."""
        return not self.violations(items)

    def _may_not_meet(self) -> Flags:
        """Return (n, n) which pairs no bundle may hold, whatever else it holds."""
        forbidden = np.eye(self.candidates, dtype=bool)
        if self.limits.complements_only and self.is_substitute is not None:
            forbidden |= self.is_substitute
        if self.limits.min_joint_probability > 0:
            forbidden |= self.joint < self.limits.min_joint_probability
        if self.limits.max_per_category == 1:
            forbidden |= self.category[:, None] == self.category[None, :]
        return forbidden

    def _is_open(self, margin: NDArray[np.int64]) -> Flags:
        is_open = self.available_units != 0
        if self.is_excluded is not None:
            is_open &= ~self.is_excluded
        if self.limits.min_margin_cents is not None:
            is_open &= margin != UNKNOWN_MARGIN
        return is_open

    def _closed_by(self, chosen: NDArray[np.int64]) -> set[str]:
        names = set()
        if (self.available_units[chosen] == 0).any():
            names.add("stock")
        if self.is_excluded is not None and self.is_excluded[chosen].any():
            names.add("excluded")
        is_known = self.margin_cents is not None and (self.margin_cents[chosen] != UNKNOWN_MARGIN).all()
        if self.limits.min_margin_cents is not None and not is_known:
            names.add("margin")
        return names

    def _has_substitutes(self, chosen: NDArray[np.int64]) -> bool:
        if not self.limits.complements_only or self.is_substitute is None:
            return False
        return bool(self.is_substitute[np.ix_(chosen, chosen)].any())
