"""The mix of repeat and discovery: how many of a customer's bundles hold something new, and which.

A bundle is a discovery when it holds at least one product that the customer never bought. Of n bundles, share n rounded
up must be discoveries; the others are free, and may be discoveries as well. Where the customer's best bundles are too
few of these, the bundles are chosen one after the other as ever, each the best given those before it, and those that
have to be discoveries take their turn at every place; what is worth most in all is offered. A customer with too few
discoveries gets fewer bundles, so that the share is kept.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import ceil, comb

from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import Search, Solution, solve

MOST_ORDERS = 10
"""Up to so many orders all are tried (five bundles); beyond, only those in which the discoveries follow each other."""

Chosen = tuple[float, list[Bundle]]
"""Worth of all bundles, and the bundles in the order in which they were chosen."""
Known = dict[tuple[tuple[Bundle, ...], bool], Solution]
"""The best bundle after others, and among discoveries alone: orders have their first bundles in common."""

_ROUNDING = 1e-9
"""0.7 of 10 bundles is 7, not 8, whatever the product of the two numbers."""


def needed(share: float, bundles: int) -> int:
    """Return how many of so many bundles must be discoveries."""
    return ceil(share * bundles - _ROUNDING)


def is_forced(share: float, found: int, chosen: int, total: int) -> bool:
    """Return whether the next bundle must be a discovery.

    Parameters
    ----------
    found, chosen
        Discoveries among the bundles before it, and how many bundles these are.
    total
        How many bundles there are to be in all.
    """
    return found + total - chosen - 1 < needed(share, total)


def keeps_share(problem: BundleProblem, bundles: Sequence[Bundle], share: float) -> bool:
    """Return whether enough of the bundles are discoveries."""
    return sum(map(problem.is_discovery, bundles)) >= needed(share, len(bundles))


def shortened(problem: BundleProblem, bundles: Sequence[Bundle], share: float) -> list[Bundle]:
    """Return the bundles less those of little worth and nothing new, until the share is kept."""
    kept = sorted(bundles, key=lambda items: (-problem.value(items), items))
    while not keeps_share(problem, kept, share):
        kept.remove(next(items for items in reversed(kept) if not problem.is_discovery(items)))
    return kept


def mixed(problem: BundleProblem, search: Search, bundles: int, share: float) -> list[Bundle] | None:
    """Return up to ``bundles`` bundles beside those of ``problem.earlier`` that keep the share with them.

    Returns
    -------
    Those worth most in all, in the order in which they were chosen; none where the earlier ones are enough of
    themselves; None where the share cannot be kept.
    """
    before = problem.earlier
    best: Chosen | None = (0.0, []) if keeps_share(problem, before, share) else None
    total, found = len(before) + bundles, sum(map(problem.is_discovery, before))
    wanted = min(max(needed(share, total) - found, 0), bundles)
    if wanted and (problem.is_new is None or not problem.is_new.any()):
        return None if best is None else best[1]
    known: Known = {}
    for places in _orders(bundles, wanted):
        chosen = _follow(problem, search, bundles, places, share, known)
        if chosen is not None and (best is None or chosen[0] > best[0]):
            best = chosen
    return None if best is None else best[1]


def _orders(bundles: int, forced: int) -> Iterator[tuple[int, ...]]:
    """Yield the places of the bundles that have to be discoveries, late places first."""
    if comb(bundles, forced) <= MOST_ORDERS:
        yield from reversed(list(combinations(range(bundles), forced)))
        return
    for first in range(bundles - forced, -1, -1):
        yield tuple(range(first, first + forced))


def _follow(
    problem: BundleProblem, search: Search, bundles: int, places: Sequence[int], share: float, known: Known
) -> Chosen | None:
    """Return the bundles chosen in an order, as far as they keep the share; None where they never do."""
    kept: Chosen | None = None
    value, chosen, left = 0.0, list[Bundle](), len(places)
    for place in range(bundles):
        is_bound = place in places and left > 0
        if (problem.earlier, is_bound) not in known:
            known[problem.earlier, is_bound] = solve(problem.needing_new() if is_bound else problem, search)
        solution = known[problem.earlier, is_bound]
        if not solution.items:
            break
        value, chosen = value + solution.objective, [*chosen, solution.items]
        left -= problem.is_discovery(solution.items)
        problem = problem.after(solution.items)
        if keeps_share(problem, problem.earlier, share):
            kept = value, chosen
    return kept
