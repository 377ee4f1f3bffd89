"""From a problem to bundles with certificates, one customer or a stream of them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeVar

from ml.errors import ConfigError
from ml.optimizer.annealing import solve_annealing
from ml.optimizer.exact import MAX_NODES, solve_exact, upper_bound
from ml.optimizer.genetic import solve_genetic
from ml.optimizer.greedy import solve_greedy
from ml.optimizer.infeasible import conflict
from ml.optimizer.problem import Bundle, BundleProblem

Status = Literal["optimal", "feasible", "abstained"]
Item = TypeVar("Item")
Answer = TypeVar("Answer")

SOLVERS = ("exact", "greedy", "annealing", "genetic")

OPTIMAL_GAP_PCT = 1e-9
"""Two sums of the same numbers in different order differ by less."""


@dataclass(frozen=True)
class Search:
    """How bundles are searched for.

    Attributes
    ----------
    solver
        One of ``SOLVERS``; the heuristic ones stop by iterations, so that one seed gives one answer.
    seed
        Of the random choices of annealing and genetic search.
    max_nodes
        Cap on the proof of one bundle; what it leaves open shows as a gap.
    """

    solver: str = "exact"
    seed: int = 0
    max_nodes: int = MAX_NODES

    def __post_init__(self) -> None:
        if self.solver not in SOLVERS:
            raise ConfigError(f"solver: got {self.solver!r}, there are {', '.join(SOLVERS)}")


EXACT = Search()


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
        No feasible bundle of the problem is worth more; proven by the tree search, whoever found the bundle.
    gap_pct
        100 (upper_bound - objective) / upper_bound, from 0 to 100.
    status
        "optimal" when the gap is at most ``OPTIMAL_GAP_PCT``, else "feasible"; "abstained" without a bundle.
    joint_probability
        Estimated probability that one basket holds the whole bundle.
    fallback_reason
        None, or why there is no bundle: no_candidates, infeasible:<constraints>, below_threshold, not_worth_showing,
        not_found, no_more (after other bundles of a slate).
    """

    items: Bundle
    objective: float
    upper_bound: float
    gap_pct: float
    status: Status
    joint_probability: float
    fallback_reason: str | None = None


def solve(problem: BundleProblem, search: Search = EXACT) -> Solution:
    """Return the solver's bundle with its certificate."""
    if problem.candidates < problem.limits.min_size:
        return abstain("no_candidates")
    if search.solver == "exact":
        proof = solve_exact(problem, search.max_nodes)
        return _certified(problem, proof.items, proof.bound, search.max_nodes)
    items = _heuristic(problem, search)
    return certify(problem, items, search.max_nodes)


def certify(problem: BundleProblem, items: Bundle, max_nodes: int = MAX_NODES) -> Solution:
    """Return ``items``, whoever found them, with a bound from the tree search alone.

    Raises
    ------
    ConfigError
        When the items break a constraint: a solver's error, never a customer's.
    """
    if problem.candidates < problem.limits.min_size:
        return abstain("no_candidates")
    objective = problem.value(items) if items else float("-inf")
    return _certified(problem, items, upper_bound(problem, objective, max_nodes), max_nodes)


def gap_pct(objective: float, bound: float) -> float:
    """Return how far a value of at least 0 may be below the best, in percent of the bound: from 0 to 100."""
    return 0.0 if bound <= objective else 100.0 * (bound - objective) / bound


def solve_slate(problem: BundleProblem, search: Search = EXACT, bundles: int = 1) -> list[Solution]:
    """Return up to ``bundles`` bundles, best first, any two of which share at most ``max_overlap`` products.

    Each is the best (or bounded) given those before it: the first of all bundles, the next of those that keep the
    overlap with the first, and so on. The slate as a whole is not claimed to be the best slate. When the first is an
    abstention it is the only one; later ones simply end the list.
    """
    solutions = [solve(problem, search)]
    while solutions[-1].items and len(solutions) < bundles:
        problem = problem.after(solutions[-1].items)
        solutions.append(solve(problem, search))
    return solutions if solutions[-1].items or len(solutions) == 1 else solutions[:-1]


def solve_many(
    problems: Iterable[BundleProblem], search: Search = EXACT, bundles: int = 1, threads: int = 1
) -> Iterator[list[Solution]]:
    """Yield the slate of each problem, in order; see :func:`solve_slate` and :func:`in_threads`."""
    return in_threads(lambda problem: solve_slate(problem, search, bundles), problems, threads)


def in_threads(work: Callable[[Item], Answer], items: Iterable[Item], threads: int) -> Iterator[Answer]:
    """Yield ``work(item)`` of each item, in order, with a bounded number of items in memory.

    Parameters
    ----------
    items
        May be a generator: it is read only a little ahead of the answers.
    threads
        Workers; compiled kernels release the interpreter lock.
    """
    stream = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="bundles") as pool:
        running: deque[Future[Answer]] = deque(pool.submit(work, item) for item in islice(stream, 4 * threads))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(work, item) for item in islice(stream, 1))


def abstain(reason: str, bound: float = 0.0) -> Solution:
    """Return the solution that offers nothing, for a stated reason; nothing would be worth more than ``bound``."""
    return Solution((), 0.0, bound, gap_pct(0.0, bound), "abstained", 0.0, reason)


def _heuristic(problem: BundleProblem, search: Search) -> Bundle:
    if search.solver == "greedy":
        return solve_greedy(problem)
    return (solve_annealing if search.solver == "annealing" else solve_genetic)(problem, search.seed)


def _certified(problem: BundleProblem, items: Bundle, bound: float, max_nodes: int) -> Solution:
    if not items:
        if bound > 0.0:
            return abstain("not_found", bound)
        if bound > float("-inf"):
            return abstain("not_worth_showing")
        # Only a customer without any bundle needs to be told why; a slate may simply end.
        return abstain("no_more" if problem.earlier else conflict(problem, max_nodes))
    broken = problem.violations(items)
    if broken:
        raise ConfigError(f"bundle {items} breaks {', '.join(broken)}: the solver does not keep to the problem")
    objective = problem.value(items)
    if objective <= 0.0:
        return abstain("not_worth_showing", max(bound, 0.0))
    gap = gap_pct(objective, bound)
    status: Status = "optimal" if gap <= OPTIMAL_GAP_PCT else "feasible"
    return Solution(items, objective, max(bound, objective), gap, status, problem.joint_probability(items))
