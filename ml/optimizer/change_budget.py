"""At most so many live bundles are replaced in a run, decided together with what replaces them.

Each customer has options, one for each number of live bundles that is replaced; one option a customer is chosen, so
that the total value is largest within the replacements allowed: a multiple-choice knapsack. Its linear relaxation is
solved by the steps of each customer's concave hull in order of value per replacement (Sinha and Zoltners 1979, The
multiple-choice knapsack problem, Oper. Res. 27), which leaves at most one step undecided and gives the bound. Small
problems that this does not prove optimal are solved by dynamic programming (Kellerer, Pferschy and Pisinger 2004,
Knapsack Problems, chapter 11).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.errors import DataError

MOST_STATES = 4_000_000
"""Options times replacements up to which a problem is small; the table of dynamic programming takes 4 bytes each."""

Whole = NDArray[np.integer]


@dataclass(frozen=True)
class Replacements:
    """One option for each customer and the proof of how good they are together.

    Attributes
    ----------
    chosen
        (U,) positions of the options.
    value
        Sum of their values.
    upper_bound
        No choice that replaces as few has a larger value.
    replaced
        How many live bundles they replace, the forced ones included.
    forced
        How many live bundles must be replaced whatever is chosen, because too few of them are still feasible.
    budget
        How many may be replaced.
    """

    chosen: NDArray[np.int64]
    value: float
    upper_bound: float
    replaced: int
    forced: int
    budget: int

    @property
    def gap(self) -> float:
        """Return what may be missing to the best choice, in the unit of the values; 0 when it is proven."""
        return self.upper_bound - self.value

    @property
    def over_budget(self) -> int:
        """Return by how many the forced replacements alone exceed the budget."""
        return max(self.forced - self.budget, 0)


def choose_replacements(
    starts: Whole, replaced: Whole, values: NDArray[np.floating], budget: int, most_states: int = MOST_STATES
) -> Replacements:
    """Return the choice of one option a customer that is worth most within the budget of replacements.

    Forced replacements come out of the budget first. Where they use it up or exceed it, every customer gets the option
    with the fewest replacements. A replacement that gains nothing is not made, and where two gain the same, the
    customer who comes first gets it.

    Parameters
    ----------
    starts
        (U + 1,) options of customer u are ``starts[u]`` to ``starts[u + 1]``, at least one.
    replaced
        (N,) live bundles that an option replaces, >= 0, ascending among the options of a customer.
    values
        (N,) finite: best value of the customer's bundles with so many replaced; need not grow with them.
    budget
        How many live bundles may be replaced, over all customers, >= 0.
    most_states
        Options times replacements up to which an unproven choice is made again by dynamic programming; 0 for never.

    Raises
    ------
    DataError
        When shapes differ, a customer has no option, replacements do not ascend or are negative, a value is not finite,
        or the budget is negative.
    """
    starts, replaced = _whole("starts", starts), _whole("replaced", replaced)
    worth = np.ascontiguousarray(values, np.float64)
    _check(starts, replaced, worth, budget)
    forced, most = int(replaced[starts[:-1]].sum()), int(replaced[starts[1:] - 1].sum())
    room = min(max(budget - forced, 0), most - forced)
    chosen, bound = _by_hull(starts, replaced, worth, room)
    value = float(worth[chosen].sum())
    if bound > value and len(worth) * (room + 1) <= most_states:
        chosen = _by_dynamic_programming(starts, replaced, worth, room)
        value = bound = float(worth[chosen].sum())
    return Replacements(chosen, value, max(bound, value), int(replaced[chosen].sum()), forced, budget)


def _whole(name: str, numbers: Whole) -> NDArray[np.int64]:
    array = np.asarray(numbers)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{name}: must be one row of whole numbers")
    return np.ascontiguousarray(array, np.int64)


def _check(starts: NDArray[np.int64], replaced: NDArray[np.int64], values: NDArray[np.float64], budget: int) -> None:
    if budget < 0:
        raise DataError(f"budget: got {budget} replacements, must be at least 0")
    if values.shape != replaced.shape:
        raise DataError(f"values: shape {values.shape}, replaced has {replaced.shape}")
    if len(starts) == 0 or starts[0] != 0 or starts[-1] != len(values):
        raise DataError(f"starts must run from 0 to the {len(values)} options")
    if (np.diff(starts) < 1).any():
        raise DataError("a customer has no option")
    if not np.isfinite(values).all():
        raise DataError("values must be finite")
    is_first = np.zeros(len(values), np.bool_)
    is_first[starts[:-1]] = True
    if replaced.min(initial=0) < 0 or (np.diff(replaced)[~is_first[1:]] < 1).any():
        raise DataError("replaced must be >= 0 and ascend among the options of a customer")


def _by_hull(
    starts: NDArray[np.int64], replaced: NDArray[np.int64], values: NDArray[np.float64], room: int
) -> tuple[NDArray[np.int64], float]:
    """Return the choice by steps of the hulls, filled up, and the value of the linear relaxation."""
    chosen = starts[:-1].copy()
    customer, option, slope, width = _hull_steps(starts, replaced, values)
    order = np.argsort(-slope, kind="stable")  # equal slopes stay in the order of the hull
    used = np.cumsum(width[order])
    taken = int(np.searchsorted(used, room, side="right"))
    steps = order[:taken]
    np.maximum.at(chosen, customer[steps], option[steps])
    bound = float(values[chosen].sum())
    left = room - (int(used[taken - 1]) if taken else 0)
    if taken < len(order):
        bound += left * float(slope[order[taken]])
        _fill(starts, replaced, values, left, chosen)
    return chosen, bound


@njit(cache=True, nogil=True)
def _hull_steps(starts, replaced, values):  # type: ignore[no-untyped-def]
    """Return the steps of every customer's concave hull: customer, option stepped to, value and replacements of a step.

    The hull begins at the fewest replacements and ends at the best value. Slopes are compared as they will be sorted,
    so that rounding cannot put the steps of a customer out of order.
    """
    most = len(values)
    customer, option = np.empty(most, np.int64), np.empty(most, np.int64)
    slope, width = np.empty(most), np.empty(most, np.int64)
    steps = 0
    for u in range(len(starts) - 1):
        first, corner = steps, starts[u]
        for j in range(starts[u] + 1, starts[u + 1]):
            if values[j] <= values[corner]:
                continue
            rise = (values[j] - values[corner]) / (replaced[j] - replaced[corner])
            while steps > first and rise > slope[steps - 1]:
                steps -= 1
                corner = option[steps - 1] if steps > first else starts[u]
                rise = (values[j] - values[corner]) / (replaced[j] - replaced[corner])
            customer[steps], option[steps], slope[steps] = u, j, rise
            width[steps] = replaced[j] - replaced[corner]
            corner, steps = j, steps + 1
    return customer[:steps], option[:steps], slope[:steps], width[:steps]


@njit(cache=True, nogil=True)
def _fill(starts, replaced, values, left, chosen):  # type: ignore[no-untyped-def]
    """Replace options by others of the same customer, best value per replacement first, while ``left`` allows it.

    Options under the hull count here too. ``left`` is less than the widest step, so the rounds are few.
    """
    while left > 0:
        best, best_customer, best_rise = -1, -1, 0.0
        for u in range(len(chosen)):
            now = chosen[u]
            for j in range(now + 1, starts[u + 1]):
                more = replaced[j] - replaced[now]
                if more > left:
                    break
                rise = (values[j] - values[now]) / more
                if rise > best_rise:
                    best, best_customer, best_rise = j, u, rise
        if best < 0:
            return
        left -= replaced[best] - replaced[chosen[best_customer]]
        chosen[best_customer] = best


@njit(cache=True, nogil=True)
def _by_dynamic_programming(starts, replaced, values, room):  # type: ignore[no-untyped-def]
    """Return the best choice with at most ``room`` replacements beyond the forced ones, customer by customer."""
    customers = len(starts) - 1
    total = np.zeros(room + 1)
    pick = np.empty((customers, room + 1), np.int32)
    for u in range(customers):
        first = starts[u]
        for r in range(room, -1, -1):  # downwards, so that the totals read are still those without this customer
            best, best_total = first, total[r] + values[first]
            for j in range(first + 1, starts[u + 1]):
                more = replaced[j] - replaced[first]
                if more > r:
                    break
                if total[r - more] + values[j] > best_total:
                    best, best_total = j, total[r - more] + values[j]
            total[r], pick[u, r] = best_total, best - first
    chosen = np.empty(customers, np.int64)
    r = room
    for u in range(customers - 1, -1, -1):
        chosen[u] = starts[u] + pick[u, r]
        r -= replaced[chosen[u]] - replaced[starts[u]]
    return chosen
