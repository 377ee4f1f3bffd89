"""General solvers on a bundle problem, each on one thread: CP-SAT, HiGHS and a genetic algorithm of pymoo."""

import time
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.operators.crossover.ux import UX
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from benchmarks.linear_program import UNBOUNDED, LinearProgram, linear_program
from ml.optimizer.problem import Bundle, BundleProblem

LARGEST_GAIN = 10**7
"""CP-SAT knows integers: the largest number of the objective becomes this one, the others are rounded with it."""
POPULATION, GENERATIONS = 100, 60


@dataclass(frozen=True)
class Answer:
    """What a peer said of a problem.

    Attributes
    ----------
    items
        Positions of the bundle, ascending; empty for none.
    is_proven
        Whether it claims that no other is better, or that there is none.
    seconds
        CPU time of the solver, its own statement of the problem not counted.
    """

    items: Bundle
    is_proven: bool
    seconds: float


def solve_cp_sat(problem: BundleProblem, time_limit: float = 60.0) -> Answer:
    """Return the answer of CP-SAT with one worker; ``time_limit`` in seconds."""
    program = linear_program(problem)
    model = cp_model.CpModel()
    variables = [model.new_bool_var("") for _ in program.gain]
    for row, (start, end) in enumerate(zip(program.starts[:-1], program.starts[1:], strict=True)):
        chosen = [variables[column] for column in program.columns[start:end]]
        total = cp_model.LinearExpr.weighted_sum(chosen, program.coefficients[start:end])
        model.add_linear_constraint(total, program.low[row], program.high[row])
    model.maximize(cp_model.LinearExpr.weighted_sum(variables, scaled(program).tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = time_limit
    started = time.process_time()
    status = solver.solve(model)
    seconds = time.process_time() - started
    is_found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    items = tuple(item for item in range(program.products) if is_found and solver.value(variables[item]))
    return Answer(items, status in (cp_model.OPTIMAL, cp_model.INFEASIBLE), seconds)


def scaled(program: LinearProgram) -> NDArray[np.int64]:
    """Return the objective in integers."""
    return np.round(program.gain / rounding(program)).astype(np.int64)


def rounding(program: LinearProgram) -> float:
    """Return what 1 of the integer objective is worth."""
    return float(np.abs(program.gain).max(initial=0.0) or 1.0) / LARGEST_GAIN


def solve_highs(problem: BundleProblem, time_limit: float = 60.0) -> Answer:
    """Return the answer of the mixed-integer solver of HiGHS with one thread; ``time_limit`` in seconds."""
    program = linear_program(problem)
    variables = len(program.gain)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = variables, len(program.low)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_ = program.gain
    lp.col_lower_, lp.col_upper_ = np.zeros(variables), np.ones(variables)
    lp.row_lower_, lp.row_upper_ = _limits(program.low), _limits(program.high)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.array(program.starts, np.int32)
    lp.a_matrix_.index_ = np.array(program.columns, np.int32)
    lp.a_matrix_.value_ = np.array(program.coefficients, float)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * variables
    solver = highspy.Highs()
    solver.silent()
    for option, value in (("threads", 1), ("time_limit", time_limit), ("mip_rel_gap", 0.0), ("mip_abs_gap", 1e-9)):
        solver.setOptionValue(option, value)
    solver.passModel(lp)
    started = time.process_time()
    solver.run()
    seconds = time.process_time() - started
    status = solver.getModelStatus()
    values = np.array(solver.getSolution().col_value[: program.products])
    is_found = solver.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    items = tuple(np.flatnonzero(values > 0.5).tolist()) if is_found else ()
    is_proven = status in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kInfeasible)
    return Answer(items, is_proven, seconds)


def _limits(numbers: list[int]) -> NDArray[np.float64]:
    limits = np.array(numbers, float)
    limits[np.abs(limits) >= UNBOUNDED] *= np.inf
    return limits


def solve_pymoo(problem: BundleProblem, seed: int) -> Answer:
    """Return the answer of pymoo's genetic algorithm: 100 bundles, 60 generations.

    A bundle is written as one position among the candidates a place, in any order; crossover takes each place from
    either parent, mutation draws a place anew. What breaks a limit ranks behind all that does not, by how much it
    does: Deb (2000), An efficient constraint handling method for genetic algorithms.
    """
    task = _Places(problem)
    algorithm = GA(
        pop_size=POPULATION,
        sampling=IntegerRandomSampling(),
        crossover=UX(),
        mutation=_Redraw(),
        eliminate_duplicates=True,
    )
    started = time.process_time()
    result = minimize(task, algorithm, ("n_gen", GENERATIONS), seed=seed, verbose=False)
    seconds = time.process_time() - started
    items = () if result.X is None else tuple(sorted(int(item) for item in result.X))
    return Answer(items, False, seconds)


class _Places(Problem):  # type: ignore[misc]
    """Bundles of exactly one size, many at a time: each row of x is one."""

    def __init__(self, problem: BundleProblem) -> None:
        limits = problem.limits
        if limits.min_size != limits.max_size:
            raise ValueError("a bundle of places has one size")
        self.bundle, self.own = problem, problem.product_values
        super().__init__(n_var=limits.max_size, n_obj=1, n_ieq_constr=5, xl=0, xu=problem.candidates - 1, vtype=int)

    def _evaluate(self, x, out, *args, **kwargs) -> None:  # type: ignore[no-untyped-def]
        problem, limits = self.bundle, self.bundle.limits
        price = problem.price_cents[x].sum(axis=1)
        value = np.zeros(len(x)) if self.own is None else self.own[x].sum(axis=1)
        twice, crowded = np.zeros(len(x)), np.zeros(len(x))
        for a in range(x.shape[1]):
            alike = np.ones(len(x))
            for b in range(a):
                value += problem.pair_values[x[:, a], x[:, b]]
                twice += x[:, a] == x[:, b]
                alike += problem.category[x[:, a]] == problem.category[x[:, b]]
            crowded += np.maximum(alike - limits.max_per_category, 0)
        over = np.zeros(len(x)) if limits.budget_cents is None else price - float(limits.budget_cents)
        lacks_anchor = np.zeros(len(x))
        if limits.needs_anchor and problem.is_anchor is not None:
            lacks_anchor = 1.0 - problem.is_anchor[x].any(axis=1)
        typical = max(1.0, problem.price_cents.mean())
        out["F"] = -value
        out["G"] = np.column_stack(
            [twice, crowded, lacks_anchor, over / typical, (limits.min_price_cents - price) / typical]
        )


class _Redraw(Mutation):  # type: ignore[misc]
    """One place of a bundle, on average, gets another product: positions have no order that a step could follow."""

    def _do(self, problem, x, *args, random_state=None, **kwargs):  # type: ignore[no-untyped-def]
        is_drawn = random_state.random(x.shape) < 1.0 / x.shape[1]
        return np.where(is_drawn, random_state.integers(0, problem.xu[0] + 1, x.shape), x)
