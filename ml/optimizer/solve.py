"""From a problem to bundles with certificates, one customer or a stream of them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np

from ml.errors import ConfigError
from ml.optimizer.bound import upper_bound
from ml.optimizer.exact import solve_exact
from ml.optimizer.greedy import solve_greedy
from ml.optimizer.problem import UNLIMITED, BundleProblem

Status = Literal["optimal", "feasible", "abstained"]
Solver = Callable[[BundleProblem], tuple[int, ...]]

SOLVERS: dict[str, Solver] = {"exact": solve_exact, "greedy": solve_greedy}
OPTIMAL_GAP_PCT = 1e-9
"""Two sums of the same three numbers in different order differ by less."""


@dataclass(frozen=True)
class Solution:
    """A bundle with its certificate, or the reason why there is none.

    Attributes
    ----------
    items
        Positions of the chosen candidates, ascending; empty for an abstention.
    objective
        Value of the bundle; 0 for an abstention, the value of showing nothing.
    upper_bound
        No feasible bundle of the problem is worth more; computed apart from the solver.
    gap_pct
        100 (upper_bound - objective) / upper_bound, from 0 to 100.
    status
        "optimal" when the gap is at most ``OPTIMAL_GAP_PCT``, else "feasible"; "abstained" without a bundle.
    joint_probability
        Estimated probability that one basket holds the whole bundle.
    fallback_reason
        None, or why there is no bundle: no_candidates, infeasible:<constraints>, below_threshold, not_worth_showing.
    """

    items: tuple[int, ...]
    objective: float
    upper_bound: float
    gap_pct: float
    status: Status
    joint_probability: float
    fallback_reason: str | None = None


def solve(problem: BundleProblem, solver: str = "exact") -> Solution:
    """Return the solver's bundle with its certificate.

    Raises
    ------
    ConfigError
        When there is no solver of that name.
    """
    if solver not in SOLVERS:
        raise ConfigError(f"solver: got {solver!r}, there are {', '.join(SOLVERS)}")
    return certify(problem, SOLVERS[solver](problem))


def certify(problem: BundleProblem, items: tuple[int, ...]) -> Solution:
    """Return ``items`` with a certificate whose bound does not depend on who found them.

    Raises
    ------
    ConfigError
        When the items break a constraint: a solver's error, never a customer's.
    """
    if problem.candidates < problem.limits.min_size:
        return abstain("no_candidates", 0.0)
    bound = upper_bound(problem)
    if not items:
        return abstain(_why_nothing(problem), max(bound, 0.0))
    broken = problem.violations(items)
    if broken:
        raise ConfigError(f"bundle {items} breaks {', '.join(broken)}: the solver does not keep to the problem")
    objective = problem.value(items)
    if objective <= 0.0:
        return abstain("not_worth_showing", max(bound, 0.0))
    gap = gap_pct(objective, bound)
    status: Status = "optimal" if gap <= OPTIMAL_GAP_PCT else "feasible"
    return Solution(items, objective, max(bound, objective), gap, status, problem.joint_probability(items))


def gap_pct(objective: float, bound: float) -> float:
    """Return how far a value of at least 0 may be below the best, in percent of the bound: from 0 to 100."""
    return 0.0 if bound <= objective else 100.0 * (bound - objective) / bound


def solve_disjoint(problem: BundleProblem, solver: str = "exact", bundles: int = 1) -> list[Solution]:
    """Return up to ``bundles`` bundles that share no product, best first.

    Each is certified for the candidates that the bundles before it left over; the set as a whole is not claimed to
    be the best set. When the first is an abstention it is the only one; later ones simply end the list.
    """
    solutions = [solve(problem, solver)]
    while solutions[-1].items and len(solutions) < bundles:
        problem = problem.without(solutions[-1].items)
        solutions.append(solve(problem, solver))
    return solutions if solutions[-1].items or len(solutions) == 1 else solutions[:-1]


def solve_many(
    problems: Iterable[BundleProblem], solver: str = "exact", bundles: int = 1, threads: int = 1
) -> Iterator[list[Solution]]:
    """Yield the solutions of each problem, in order, with a bounded number of problems in memory.

    Parameters
    ----------
    problems
        May be a generator: it is read only a little ahead of the answers.
    solver, bundles
        As in :func:`solve_disjoint`.
    threads
        Workers; the compiled kernels release the interpreter lock.
    """
    stream = iter(problems)
    with ThreadPoolExecutor(threads, thread_name_prefix="bundles") as pool:
        running: deque[Future[list[Solution]]] = deque(
            pool.submit(solve_disjoint, problem, solver, bundles) for problem in islice(stream, 4 * threads)
        )
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(solve_disjoint, problem, solver, bundles) for problem in islice(stream, 1))


def abstain(reason: str, bound: float = 0.0) -> Solution:
    """Return the solution that offers nothing, for a stated reason; nothing would be worth more than ``bound``."""
    return Solution((), 0.0, bound, gap_pct(0.0, bound), "abstained", 0.0, reason)


def _why_nothing(problem: BundleProblem) -> str:
    """Return the constraints that would have to give for a bundle to exist, as few as a deletion filter leaves.

    All are lifted, then put back one by one where a bundle still exists: Chinneck and Dravnieks (1991), Locating
    minimal infeasible constraint sets in linear programs, ORSA J. Comput. 3(2).
    """
    lifted = ["stock", "category", "budget", "joint_probability"]
    if not solve_exact(_lift(problem, lifted)):
        return "no_candidates"
    for name in list(lifted):
        others = [other for other in lifted if other != name]
        if solve_exact(_lift(problem, others)):
            lifted = others
    return "below_threshold" if lifted == ["joint_probability"] else "infeasible:" + "+".join(lifted)


def _lift(problem: BundleProblem, names: list[str]) -> BundleProblem:
    limits = problem.limits
    if "category" in names:
        limits = replace(limits, max_per_category=limits.max_size)
    if "budget" in names:
        limits = replace(limits, budget_cents=None)
    if "joint_probability" in names:
        limits = replace(limits, min_joint_probability=0.0)
    units = np.full(problem.candidates, UNLIMITED) if "stock" in names else problem.available_units
    return replace(problem, limits=limits, available_units=units)
