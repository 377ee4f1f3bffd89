"""Every solver and the bound against trying everything, on many small problems with all constraints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.optimizer.bound import upper_bound
from ml.optimizer.exact import solve_exact
from ml.optimizer.problem import BundleProblem, Limits
from ml.optimizer.solve import SOLVERS, solve
from tests.optimizer.problems import by_trying_everything, random_limits, random_problem, three_products

ROUNDING = 1e-15


def problems(number: int) -> list[BundleProblem]:
    rng = np.random.default_rng(20170101)
    return [random_problem(rng, int(rng.integers(2, 12)), random_limits(rng)) for _ in range(number)]


PROBLEMS = problems(400)


def worth(problem: BundleProblem, items: tuple[int, ...]) -> float:
    return problem.value(items) if items else -np.inf


def test_exact_equals_trying_everything() -> None:
    for problem in PROBLEMS:
        best = by_trying_everything(problem)
        found = worth(problem, solve_exact(problem))
        assert found == best or found == pytest.approx(best, abs=ROUNDING)


def test_the_complete_bound_is_the_optimum() -> None:
    for problem in PROBLEMS:
        assert upper_bound(problem) == by_trying_everything(problem)


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_bound_cut_short_is_looser_but_never_below_the_optimum(steps: int) -> None:
    gaps = [upper_bound(problem, steps) - by_trying_everything(problem) for problem in PROBLEMS]
    assert not any(gap < 0 for gap in gaps)  # infinite minus infinite, no feasible bundle, is not a number
    assert steps > 0 or any(0 < gap < np.inf for gap in gaps)


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_keeps_to_the_constraints_and_below_the_bound(name: str) -> None:
    for problem in PROBLEMS:
        items = SOLVERS[name](problem)
        assert not items or problem.is_feasible(items)
        assert worth(problem, items) <= upper_bound(problem) + ROUNDING


def test_greedy_is_never_above_exact_and_sometimes_below() -> None:
    worse = 0
    for problem in PROBLEMS:
        greedy, exact = (worth(problem, SOLVERS[name](problem)) for name in ("greedy", "exact"))
        assert greedy <= exact + ROUNDING
        worse += greedy < exact - ROUNDING
    assert worse > 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_a_certificate_holds_on_any_problem(seed: int, candidates: int) -> None:
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, candidates, random_limits(rng))
    best = by_trying_everything(problem)
    solution = solve(problem)
    assert solution.upper_bound >= solution.objective
    assert solution.upper_bound >= best
    if solution.items:
        assert solution.status == "optimal" and solution.gap_pct <= 1e-9
        assert solution.objective == pytest.approx(best, abs=ROUNDING)
        assert problem.is_feasible(solution.items)
    else:
        assert best <= 0 and solution.status == "abstained" and solution.fallback_reason


def test_exact_finds_the_optimum_where_all_pairs_are_alike() -> None:
    """Ties everywhere: nothing can be pruned by value, and any bundle is right."""
    values = np.ones((8, 8)) - np.eye(8)
    facts = {"preference": np.full(8, 0.5), "price_cents": np.arange(8), "available_units": np.full(8, -1)}
    problem = three_products(
        Limits(budget_cents=3), pair_values=values, joint=values / 8, category=np.arange(8, dtype=np.int32), **facts
    )
    assert solve_exact(problem) == (0, 1, 2)
    assert upper_bound(problem) == 3.0


def test_real_sized_problems_are_proven_optimal() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        solution = solve(random_problem(rng, 140, Limits(budget_cents=1500, cost_per_product=0.001)))
        assert solution.status == "optimal"
