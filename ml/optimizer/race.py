"""All solvers on the same problems with equal time: how far each is from the proven optimum, and after how long."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import thread_time
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.errors import DataError
from ml.optimizer.annealing import anneal
from ml.optimizer.exact import SEEDS, best_bundle, solve_exact
from ml.optimizer.genetic import evolve
from ml.optimizer.greedy import greedy
from ml.optimizer.incumbent import start
from ml.optimizer.problem import BundleProblem
from ml.optimizer.relaxation import multipliers, optimistic
from ml.optimizer.rules import LARGEST_SIZE, NEVER

BUDGETS_MS = tuple(float(budget) for budget in np.geomspace(0.1, 50, 14))
GROWTH = 1.5
"""Of the effort from one run to the next, so that on the mean a run uses most of its budget."""
SAME = 1e-9
"""Relative: two values that differ by less are both optimal."""

Found = NDArray[np.int64]
Run = Callable[[int, Found], bool]
"""Fills the positions found with an effort; returns whether more effort would change nothing."""


@dataclass(frozen=True)
class Point:
    """How one solver stands after so much time.

    Attributes
    ----------
    seconds
        Time of one core that the solver had for each problem.
    mean_gap_pct
        Mean over the problems of 100 (optimum - value) / optimum; 100 where nothing feasible was found in time, or
        nothing worth more than 0.
    optimal_share
        Share of the problems on which it found a bundle worth the optimum, whether it could prove that or not.
    """

    solver: str
    seconds: float
    mean_gap_pct: float
    optimal_share: float


class Finish(NamedTuple):
    """One run: how long it took, and its gap in percent."""

    seconds: float
    gap_pct: float


def race(problems: Sequence[BundleProblem], budgets_ms: Sequence[float] = BUDGETS_MS, seed: int = 0) -> list[Point]:
    """Return a point for each solver and budget, solvers in order of :data:`SOLVERS`, budgets as given.

    Each solver runs on each problem with growing effort (nodes, starts, steps, generations), each time anew with the
    same seed, until it exceeds the largest budget, finds the optimum or has nothing left to try. What counts for a
    budget is the run of most effort that took no longer; its earlier runs are not charged, since a user would make
    that one alone. Time is that of the thread, so that other work on the machine does not count; building the problem
    is not part of it. Problems without a bundle worth more than 0, or without a proven optimum, are left out.

    Raises
    ------
    DataError
        When no problem is left.
    """
    known = [(problem, optimum) for problem in problems if (optimum := _optimum(problem)) > 0]
    if not known:
        raise DataError("a race needs at least one problem with a proven optimum above 0")
    points = []
    longest = max(budgets_ms) / 1000
    for solver, prepare in SOLVERS.items():
        prepare(known[0][0], seed)(1, _nothing())  # compiled before the clock starts
        finishes = [_climb(prepare(problem, seed), problem, optimum, longest) for problem, optimum in known]
        for budget in budgets_ms:
            gaps = np.array([_standing(runs, budget / 1000) for runs in finishes])
            share = float((gaps <= 100 * SAME).mean())
            points.append(Point(solver, budget / 1000, float(gaps.mean()), share))
    return points


def _optimum(problem: BundleProblem) -> float:
    """Return the proven optimum, minus infinity when there is none."""
    proof = solve_exact(problem)
    if not proof.items:
        return -np.inf
    value = problem.value(proof.items)
    return value if proof.bound <= value + SAME * abs(value) else -np.inf


def _climb(run: Run, problem: BundleProblem, optimum: float, longest: float) -> list[Finish]:
    """Return the runs of growing effort, until one takes longer than ``longest`` seconds or ends the search."""
    finishes: list[Finish] = []
    effort, is_done, seconds = 1, False, 0.0
    while not is_done and seconds <= longest:
        found = _nothing()
        begin = thread_time()
        is_done = run(effort, found)
        seconds = thread_time() - begin
        items = tuple(int(item) for item in found if item >= 0)
        value = problem.value(items) if items and problem.is_feasible(items) else 0.0
        finishes.append(Finish(seconds, min(100.0, 100 * (optimum - value) / optimum)))
        is_done |= finishes[-1].gap_pct <= 100 * SAME
        effort = max(effort + 1, int(effort * GROWTH))
    return finishes


def _standing(finishes: list[Finish], seconds: float) -> float:
    """Return the gap of the run of most effort that took no longer than ``seconds``, 100 when none did."""
    return next((finish.gap_pct for finish in reversed(finishes) if finish.seconds <= seconds), 100.0)


def _nothing() -> Found:
    return np.full(LARGEST_SIZE, -1, np.int64)


def _exact(problem: BundleProblem, _seed: int) -> Run:
    scratch = np.ones((problem.limits.max_size - 1) * problem.candidates**2)

    def run(effort: int, found: Found) -> bool:
        _, _, nodes = best_bundle(problem.statement, SEEDS, NEVER, effort, scratch, found)
        return bool(nodes <= effort)

    return run


def _greedy(problem: BundleProblem, _seed: int) -> Run:
    def run(_effort: int, found: Found) -> bool:
        greedy(problem.statement, found)
        return True  # it has one way to go, from every product at once

    return run


def _starts(problem: BundleProblem, _seed: int) -> Run:
    def run(effort: int, found: Found) -> bool:
        starts(problem.statement, effort, found)
        return effort >= problem.candidates

    return run


def _annealing(problem: BundleProblem, seed: int) -> Run:
    def run(effort: int, found: Found) -> bool:
        anneal(problem.statement, seed, effort * _STEPS, found)
        return False

    return run


def _genetic(problem: BundleProblem, seed: int) -> Run:
    def run(effort: int, found: Found) -> bool:
        evolve(problem.statement, seed, effort - 1, found)
        return False

    return run


_STEPS = 64
"""Of annealing in its first run: fewer take no less time."""
SOLVERS: Mapping[str, Callable[[BundleProblem, int], Run]] = MappingProxyType(
    {
        "exact": _exact,
        "greedy": _greedy,
        "greedy starts, exchanges": _starts,
        "annealing": _annealing,
        "genetic": _genetic,
    }
)


@njit(cache=True, nogil=True)
def starts(st, seeds, found):  # type: ignore[no-untyped-def]
    """Return the value of what the exact solver starts from: see :func:`ml.optimizer.incumbent.start`."""
    order = np.argsort(st.category, kind="mergesort")
    promise, half = np.empty(len(st.linear)), np.empty(len(st.linear))
    optimistic(st, order, promise, half)
    money, reward = multipliers(st, promise)
    return start(st, promise, money, reward, seeds, found)
