"""How fast the best bundle is found and proven, against the heuristics of the project and against general solvers.

Problems of one bundle size k among n candidates (``benchmarks.instances``, ``benchmarks.real_instances``), the same
for all that are compared. Times are CPU seconds of one thread: of the project's solvers over many customers in one
compiled loop, of the peers over a few, without the time they need to have the problem stated. ``times_slower`` is the
time a customer over that of the exact solver in the same run. Gaps are shares of the proven optimum by which a bundle
falls short of it, 1 where none was found; ``equal_time_gap_mean`` is that of a heuristic stopped after the time that
the exact solver takes. ``from_neighbours`` counts the time to make the pair values from sparse associations too. Peers
stop after a time limit, and where one did, ``times_slower`` is a lower limit. At size 8 the search is capped:
``certified_gap`` is the part of its bound by which the bundle may fall short.

The run fails where CP-SAT proves another optimum, and where anything finds a bundle better than the proven best.

Run as ``python -m benchmarks.optimizer [--quick] --json FILE``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import prototype
from benchmarks.instances import INVENTED, Instances
from benchmarks.linear_program import linear_program
from benchmarks.peers import Answer, rounding, solve_cp_sat, solve_highs, solve_pymoo
from benchmarks.races import (
    Result,
    Stack,
    annealing_kernel,
    exact_kernel,
    genetic_kernel,
    greedy_kernel,
    race,
    race_from_neighbours,
)
from benchmarks.real_instances import journey
from benchmarks.report import Row, arguments, write_report
from ml.optimizer.annealing import STEPS
from ml.optimizer.genetic import GENERATIONS
from ml.optimizer.problem import BundleProblem

KINDS: dict[str, Callable[[int, int, int], Instances]] = {**INVENTED, "complete_journey": journey}
GRID = tuple((n, k) for n in (50, 100, 200) for k in (3, 4, 5))
LARGEST, UNLIMITED_NODES = 8, 10**9
SAME = 1e-9
"""Relative: values that differ by less are the same."""

HEURISTICS = {
    "greedy": (greedy_kernel, 0),
    "annealing": (annealing_kernel, STEPS),
    "genetic": (genetic_kernel, GENERATIONS),
}
"""Each with its usual effort; 0 where there is no choice."""


@dataclass(frozen=True)
class Plan:
    """How much is run.

    Attributes
    ----------
    grid
        (candidates, size) of the cells.
    customers
        By candidates: how many the exact solver gets.
    judged
        How many of them the heuristics get.
    rounds
        How often the exact solver repeats them; the quickest counts.
    peers
        By cell: how many customers the peers get.
    time_limit
        Wall seconds a peer has for a customer.
    capped
        By candidates: how many customers of size 8.
    max_nodes
        Cap of the search there.
    has_prototype
        Whether the sketch takes part; it takes half a minute to compile.
    """

    grid: tuple[tuple[int, int], ...]
    customers: dict[int, int]
    judged: int
    rounds: int
    peers: dict[tuple[int, int], int]
    time_limit: float
    capped: dict[int, int]
    max_nodes: int
    has_prototype: bool


FULL = Plan(
    GRID, {50: 1000, 100: 400, 200: 150}, 100, 3, {(50, 3): 6, (100, 4): 4, (200, 5): 1}, 20.0,
    {50: 40, 100: 40, 200: 20}, 20_000, True
)  # fmt: skip
QUICK = Plan(
    ((50, 3), (100, 4), (200, 5)), {50: 200, 100: 100, 200: 30}, 20, 2, {(50, 3): 2, (100, 4): 1}, 5.0,
    {50: 5}, 5_000, False
)  # fmt: skip


def main() -> None:
    """Race all solvers on all instances, report."""
    options = arguments(__doc__)
    plan = QUICK if options.quick else FULL
    rows: list[Row] = []
    with tqdm(total=len(KINDS) * (len(plan.grid) + len(plan.capped)), unit="cell", disable=None) as progress:
        for kind, instances_of in KINDS.items():
            for n, k in plan.grid:
                progress.set_description(f"{kind} n={n} k={k}")
                rows += _cell(instances_of(n, k, plan.customers[n]), plan)
                progress.update()
            for n, customers in plan.capped.items():
                progress.set_description(f"{kind} n={n} k={LARGEST}")
                rows += _capped(instances_of(n, LARGEST, customers), plan)
                progress.update()
    write_report("optimizer", "invented customers and Complete Journey, one thread", rows, options.json)


def _cell(instances: Instances, plan: Plan) -> list[Row]:
    """Return the rows of one kind, n and k."""
    name, n, k = instances.name, instances.candidates, instances.size
    stack = Stack.of(instances.problem(u) for u in range(instances.customers))
    best = race(exact_kernel, stack, UNLIMITED_NODES, plan.rounds)
    rows = [_rate("exact", name, best.seconds, best.seconds), _slower("exact", name, best.seconds, best.seconds)]
    rows += _quality("exact", name, best.value, best.bound)
    if instances.is_sparse:
        seconds, bounds = race_from_neighbours(instances, plan.rounds)
        _agree(name, bounds, best.value, SAME * np.abs(best.value))
        rows.append(Row(f"optimizer/exact/{name}/customers_per_s_core_from_neighbours", 1.0 / seconds, "1/s"))
    if instances.kind != "sparse":
        rows += _heuristics(name, stack.first(plan.judged), best, plan)
        rows += _peers(instances, best, plan.peers.get((n, k), 0), plan.time_limit)
    is_its_cell = instances.kind == "realistic" and (n, k) == prototype.CELL
    if plan.has_prototype and is_its_cell and prototype.is_there():
        rows.append(_slower("prototype", name, prototype.seconds(stack, best.value), best.seconds))
    return rows


def _heuristics(name: str, stack: Stack, best: Result, plan: Plan) -> list[Row]:
    optimum, rows = best.value[: stack.customers], []
    for solver, (kernel, effort) in HEURISTICS.items():
        usual = race(kernel, stack, effort, 1 if effort else plan.rounds)
        rows += [_rate(solver, name, usual.seconds, best.seconds), _slower(solver, name, usual.seconds, best.seconds)]
        rows += _quality(solver, name, usual.value, optimum)
        if effort:
            affordable = max(1, round(effort * best.seconds / usual.seconds))
            gaps = _gaps(name, race(kernel, stack, affordable, 1).value, optimum)
            rows.append(
                Row(f"optimizer/{solver}/{name}/equal_time_gap_mean", float(gaps.mean()), "share", peer="exact")
            )
    return rows


def _peers(instances: Instances, best: Result, customers: int, time_limit: float) -> list[Row]:
    """Return the rows of the general solvers on the first customers."""
    if not customers:
        return []
    solvers: dict[str, Callable[[BundleProblem], Answer]] = {
        "cp_sat": lambda problem: solve_cp_sat(problem, time_limit),
        "highs": lambda problem: solve_highs(problem, time_limit),
        "pymoo": lambda problem: solve_pymoo(problem, seed=1),
    }
    problems = [instances.problem(u) for u in range(min(customers, instances.customers))]
    optimum, name, rows = best.value[: len(problems)], instances.name, []
    for solver, solve in solvers.items():
        answers = [solve(problem) for problem in problems]
        seconds = float(np.mean([answer.seconds for answer in answers]))
        value = np.array([_worth(p, answer) for p, answer in zip(problems, answers, strict=True)])
        is_proven = np.array([answer.is_proven for answer in answers])
        is_cut = solver != "pymoo" and not is_proven.all()
        rows += [_rate(solver, name, seconds, best.seconds), _slower(solver, name, seconds, best.seconds, is_cut)]
        rows += _quality(solver, name, value, optimum)
        if solver != "pymoo":
            rows.append(Row(f"optimizer/{solver}/{name}/proven_share", float(is_proven.mean()), "share"))
        if solver == "cp_sat" and is_proven.any():
            _agree(name, value[is_proven], optimum[is_proven], _tolerance(problems)[is_proven])
    return rows


def _capped(instances: Instances, plan: Plan) -> list[Row]:
    """Return what is certified of large bundles when the search may not end."""
    stack = Stack.of(instances.problem(u) for u in range(instances.customers))
    capped = race(exact_kernel, stack, plan.max_nodes, 1)
    gaps = np.where(np.isfinite(capped.value), (capped.bound - capped.value) / np.abs(capped.bound), 1.0)
    gaps[gaps <= SAME] = 0.0
    path = f"optimizer/exact/{instances.name}"
    return [
        _rate("exact", instances.name, capped.seconds, capped.seconds),
        Row(f"{path}/certified_gap_mean", float(gaps.mean()), "share of the bound"),
        Row(f"{path}/certified_gap_p95", float(np.quantile(gaps, 0.95)), "share of the bound"),
        Row(f"{path}/proven_share", float((gaps == 0.0).mean()), "share"),
    ]


def _rate(solver: str, name: str, seconds: float, exact: float) -> Row:
    path, is_exact = f"optimizer/{solver}/{name}/customers_per_s_core", solver == "exact"
    return Row(
        path, 1.0 / seconds, "1/s", peer=None if is_exact else "exact", ratio=None if is_exact else exact / seconds
    )


def _slower(solver: str, name: str, seconds: float, exact: float, is_cut: bool = False) -> Row:
    unit = "times, at least" if is_cut else "times"
    peer = None if solver == "exact" else "exact"  # its own row is 1, so that every solver has the same ones
    return Row(f"optimizer/{solver}/{name}/times_slower", seconds / exact, unit, peer=peer)


def _quality(solver: str, name: str, value: NDArray[np.float64], optimum: NDArray[np.float64]) -> list[Row]:
    gaps, path = _gaps(name, value, optimum), f"optimizer/{solver}/{name}"
    return [
        Row(f"{path}/gap_mean", float(gaps.mean()), "share"),
        Row(f"{path}/gap_p95", float(np.quantile(gaps, 0.95)), "share"),
        Row(f"{path}/optimal_share", float((gaps == 0.0).mean()), "share"),
    ]


def _gaps(name: str, value: NDArray[np.float64], optimum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by what share of the optimum each value falls short, 1 where there is none.

    Customers for whom no bundle is feasible count nowhere.

    Raises
    ------
    RuntimeError
        When a bundle is worth more than the optimum.
    """
    is_there = np.isfinite(optimum)
    value, optimum = value[is_there], optimum[is_there]
    gaps = np.where(np.isfinite(value), (optimum - value) / np.abs(optimum), 1.0)
    if (gaps < -SAME).any():
        raise RuntimeError(f"{name}: a bundle is better than the proven optimum by {-gaps.min():.3g} of it")
    return np.where(gaps <= SAME, 0.0, gaps)


def _agree(name: str, value: NDArray[np.float64], optimum: NDArray[np.float64], tolerance: NDArray[np.float64]) -> None:
    is_other = ~np.isclose(value, optimum, rtol=0.0, atol=tolerance)  # two minus infinities are the same
    if is_other.any():
        raise RuntimeError(f"{name}: another optimum for {is_other.sum()} of {len(value)} customers")


def _tolerance(problems: Sequence[BundleProblem]) -> NDArray[np.float64]:
    """Return how far rounding its objective may lead CP-SAT astray."""
    terms = [problem.limits.max_size * (problem.limits.max_size + 1) / 2 for problem in problems]
    return np.array([count * rounding(linear_program(p)) for count, p in zip(terms, problems, strict=True)])


def _worth(problem: BundleProblem, answer: Answer) -> float:
    """Return what a peer's bundle is worth, minus infinity for none."""
    return problem.value(answer.items) if answer.items and problem.is_feasible(answer.items) else -np.inf


if __name__ == "__main__":
    main()
