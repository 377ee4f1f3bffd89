"""Which priced bundles make the sale: disjoint, at most so many, worth the most in all, with a certificate."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_matrix

from ml.errors import DataError
from ml.optimizer.solve import gap_pct

MOST_NODES = 50_000
"""Of a search; what it leaves unproven shows as a gap. A limit of time would make results depend on the machine."""
TOLERANCE = 1e-6
"""What the solver's bound may lie off a whole number."""


@dataclass(frozen=True)
class Choice:
    """The bundles chosen.

    Attributes
    ----------
    chosen
        Positions, ascending.
    objective, upper_bound
        Their worth, and what no allowed choice exceeds.
    unmet
        Pinned products that no chosen bundle holds, as no allowed choice holds more of them.
    """

    chosen: tuple[int, ...]
    objective: float
    upper_bound: float
    unmet: tuple[str, ...] = ()

    @property
    def gap_pct(self) -> float:
        """Return how far the bound lies above the objective, in percent of the bound."""
        return gap_pct(self.objective, self.upper_bound)


def choose(bundles: Sequence[Sequence[str]], worth: Sequence[float], most: int, pinned: Collection[str] = ()) -> Choice:
    """Return the bundles, disjoint in products and at most ``most``, that are worth most in all.

    First as many pinned products as can be are in some bundle, then the worth counts.

    Parameters
    ----------
    bundles
        Products of each.
    worth
        Of each; only a pinned product makes one of no worth stay.

    Raises
    ------
    DataError
        When the solver fails, or does not find out how many pinned products can be held at once.
    """
    if not bundles:
        return Choice((), 0.0, 0.0, tuple(sorted(pinned)))
    products = sorted({product for bundle in bundles for product in bundle})
    code = {product: row for row, product in enumerate(products)}
    rows, columns = zip(*((code[p], b) for b, bundle in enumerate(bundles) for p in bundle), strict=True)
    held = coo_matrix((np.ones(len(rows)), (rows, columns)), (len(products), len(bundles))).tocsr()
    limits = [LinearConstraint(held, 0, 1), LinearConstraint(np.ones((1, len(bundles))), 0, most)]
    wanted = [code[product] for product in sorted(pinned) if product in code]
    if wanted:
        met = np.asarray(held[wanted].sum(axis=0)).ravel()
        pins = _solve(met, limits)
        most_met = round(pins.objective)
        # Counts are whole, so a bound below the next one proves this one; without proof nobody may be told that a
        # pinned product has no place.
        if pins.upper_bound > most_met + 1 - TOLERANCE:
            raise DataError(
                f"bundle sale: {most_met} pinned products find a place together, and whether more do is not found out"
                f" within {MOST_NODES} steps of the search; pin fewer products"
            )
        limits.append(LinearConstraint(met[None, :], most_met, len(wanted)))
    value = np.asarray(worth, np.float64)
    found = _solve(value, limits)
    inside = {product for b in found.chosen for product in bundles[b]}
    # Without pins, one that adds nothing has no place.
    keep = tuple(b for b in found.chosen if value[b] > 0 or set(bundles[b]) & set(pinned))
    return Choice(keep, float(value[list(keep)].sum()), found.upper_bound, tuple(sorted(set(pinned) - inside)))


def _solve(value: np.ndarray, limits: Sequence[LinearConstraint]) -> Choice:
    found = milp(
        -value,
        constraints=limits,
        integrality=np.ones(len(value)),
        bounds=Bounds(0, 1),
        options={"node_limit": MOST_NODES, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise DataError(f"bundle sale: the choice of bundles failed: {found.message}")
    chosen = tuple(int(b) for b in np.flatnonzero(found.x > 0.5))
    objective = float(value[list(chosen)].sum())
    bound = objective if found.mip_dual_bound is None else max(objective, -float(found.mip_dual_bound))
    return Choice(chosen, objective, bound)
