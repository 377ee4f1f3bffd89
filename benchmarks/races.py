"""Solvers on many customers in one compiled loop, timed in CPU seconds of one thread."""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.instances import Instances
from ml.optimizer.annealing import anneal
from ml.optimizer.exact import SEEDS, best_bundle
from ml.optimizer.genetic import evolve
from ml.optimizer.greedy import greedy
from ml.optimizer.market import Pairs, Rows, statement_of
from ml.optimizer.problem import BundleProblem
from ml.optimizer.rules import LARGEST_SIZE, NEVER, Rules, Statement, broken, worth

Run = Callable[..., None]
APART = ("pair", "linear", "preference", "price", "margin", "category", "is_open", "role", "earlier")
"""Fields of a statement of which each customer has an own one."""


class Stack(NamedTuple):
    """Statements of U customers with the same limits but for prices, one after the other in memory.

    ``pair`` is (U, n, n), ``joint`` one (n, n) for all, ``min_price`` and ``budget`` are (U,), the others (U, n); see
    :class:`ml.optimizer.rules.Statement`.
    """

    pair: NDArray[np.float64]
    joint: NDArray[np.float64]
    linear: NDArray[np.float64]
    preference: NDArray[np.float64]
    price: NDArray[np.int64]
    margin: NDArray[np.int64]
    category: NDArray[np.int32]
    is_open: NDArray[np.bool_]
    role: NDArray[np.uint8]
    earlier: NDArray[np.int64]
    min_price: NDArray[np.int64]
    budget: NDArray[np.int64]
    rules: Rules

    @classmethod
    def of(cls, problems: Iterable[BundleProblem]) -> "Stack":
        """Stack them."""
        all_of = [problem.statement for problem in problems]
        one = all_of[0]
        limits = np.array([(each.rules.min_price, each.rules.budget) for each in all_of])
        apart = {name: np.stack([getattr(each, name) for each in all_of]) for name in APART}
        return cls(joint=one.joint, min_price=limits[:, 0].copy(), budget=limits[:, 1].copy(), rules=one.rules, **apart)

    def first(self, customers: int) -> "Stack":
        """Return the stack of the first customers alone."""
        names = (*APART, "min_price", "budget")
        return self._replace(**{name: getattr(self, name)[:customers] for name in names})

    @property
    def customers(self) -> int:
        """Return how many customers there are."""
        return len(self.pair)


class Result(NamedTuple):
    """What a solver did for U customers.

    Attributes
    ----------
    found
        (U, LARGEST_SIZE) positions of each bundle, then -1.
    value
        (U,) of each bundle by the rules, minus infinity for one that breaks them or none.
    bound
        (U,) what the solver claims that no bundle exceeds; infinity where it claims nothing.
    seconds
        CPU time a customer, at best of several rounds.
    """

    found: NDArray[np.int64]
    value: NDArray[np.float64]
    bound: NDArray[np.float64]
    seconds: float


@njit(cache=True, nogil=True)
def exact_kernel(st, customer, effort, scratch, found):  # type: ignore[no-untyped-def]
    """Search with at most ``effort`` nodes; return the bound."""
    return best_bundle(st, SEEDS, NEVER, effort, scratch, found)[1]


@njit(cache=True, nogil=True)
def greedy_kernel(st, customer, effort, scratch, found):  # type: ignore[no-untyped-def]
    """Grow a bundle from every product."""
    greedy(st, found)
    return np.inf


@njit(cache=True, nogil=True)
def annealing_kernel(st, customer, effort, scratch, found):  # type: ignore[no-untyped-def]
    """Try ``effort`` moves; the customer's number is the seed."""
    anneal(st, customer, effort, found)
    return np.inf


@njit(cache=True, nogil=True)
def genetic_kernel(st, customer, effort, scratch, found):  # type: ignore[no-untyped-def]
    """Breed ``effort`` generations; the customer's number is the seed."""
    evolve(st, customer, effort, found)
    return np.inf


def race(kernel: Any, stack: Stack, effort: int, rounds: int) -> Result:
    """Return what a kernel does for every customer of a stack."""
    customers, n = stack.pair.shape[:2]
    found, bound = np.full((customers, LARGEST_SIZE), -1, np.int64), np.full(customers, np.inf)
    value, scratch = np.empty(customers), np.empty((stack.rules.max_size - 1) * n * n)
    loop = _loop(kernel)
    loop(stack.first(1), effort, scratch, found[:1], bound[:1])  # compiled and warm

    def run() -> None:
        found[:] = -1
        loop(stack, effort, scratch, found, bound)

    seconds = _timed(run, rounds) / customers
    judge(stack, found, value)
    return Result(found, value, bound, seconds)


def race_from_neighbours(instances: Instances, rounds: int) -> tuple[float, NDArray[np.float64]]:
    """Return CPU seconds a customer of the exact solver when it makes the pair values itself, and the bounds.

    They are looked up in the market's sparse associations, as a run of the project does; its rows are made once for
    all customers.
    """
    customers, n, products = instances.customers, instances.candidates, len(instances.market.price)
    found, bound = np.full((customers, LARGEST_SIZE), -1, np.int64), np.empty(customers)
    rows = Rows.of(instances.market)
    work = np.empty((2, n, n)), np.empty((instances.size - 1) * n * n), np.empty(n, np.int64), np.zeros(products)

    def run() -> None:
        found[:] = -1
        pairs = Pairs.of(instances.market, instances.crowd, rows)
        _build_and_solve(instances.market, instances.crowd, pairs, work, found, bound)

    run()
    seconds = _timed(run, rounds) / customers
    return seconds, np.where(bound > NEVER / 2, bound, -np.inf)


def _timed(run: Callable[[], None], rounds: int) -> float:
    """Return the CPU seconds of the quickest round: whatever else runs on the machine only ever adds to them."""
    seconds = []
    for _ in range(rounds):
        started = time.thread_time()
        run()
        seconds.append(time.thread_time() - started)
    return min(seconds)


LOOPS: dict[Any, Run] = {}


def _loop(kernel: Any) -> Run:
    """Return the loop over customers of a kernel, compiled once."""
    if kernel not in LOOPS:

        @njit(nogil=True)
        def loop(stack, effort, scratch, found, bound):  # type: ignore[no-untyped-def]
            for u in range(len(stack.linear)):
                bound[u] = kernel(statement_at(stack, u), u, effort, scratch, found[u])

        LOOPS[kernel] = loop
    return LOOPS[kernel]


@njit(cache=True, nogil=True)
def statement_at(stack, u):  # type: ignore[no-untyped-def]
    """Return the statement of customer u."""
    return Statement(
        stack.pair[u],
        stack.joint,
        stack.linear[u],
        stack.preference[u],
        stack.price[u],
        stack.margin[u],
        stack.category[u],
        stack.is_open[u],
        stack.role[u],
        stack.earlier[u],
        _priced(stack.rules, stack.min_price[u], stack.budget[u]),
    )


@njit(cache=True, nogil=True)
def _priced(rules, min_price, budget):  # type: ignore[no-untyped-def]
    return Rules(
        rules.min_size,
        rules.max_size,
        min_price,
        budget,
        rules.min_margin,
        rules.has_margin_floor,
        rules.quota,
        rules.min_categories,
        rules.needs,
        rules.complements_only,
        rules.least_joint,
        rules.max_overlap,
    )


@njit(cache=True, nogil=True)
def judge(stack, found, value):  # type: ignore[no-untyped-def]
    """Fill ``value`` with what each found bundle is worth by the rules, minus infinity where it breaks them."""
    for u in range(len(found)):
        st, size = statement_at(stack, u), 0
        while size < found.shape[1] and found[u, size] >= 0:
            size += 1
        is_feasible = size > 0 and broken(st, found[u], size) == 0
        value[u] = worth(st, found[u], size) if is_feasible else -np.inf


@njit(cache=True, nogil=True)
def _build_and_solve(market, crowd, pairs, work, found, bound):  # type: ignore[no-untyped-def]
    matrices, scratch, place, free = work
    n = crowd.product.shape[1]
    kept = np.arange(n)
    for u in range(len(crowd.product)):
        st = statement_of(market, crowd, pairs, u, kept, n, free, place, matrices[0], matrices[1])
        bound[u] = exact_kernel(st, u, np.int64(1 << 40), scratch, found[u])
