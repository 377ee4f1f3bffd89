"""The exact solver against OR-Tools' CP-SAT, at sizes where trying everything takes too long."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.linear_program import linear_program
from benchmarks.peers import rounding, solve_cp_sat
from ml.optimizer.exact import solve_exact
from ml.optimizer.limits import Limits
from ml.optimizer.problem import BundleProblem
from tests.optimizer.problems import breaks, random_limits, random_problem

SEEDS = range(40)
KINDS = 5


def _problem(seed: int) -> BundleProblem:
    """Return 15 to 40 candidates under every constraint that is linear; every second with evidence on all pairs."""
    rng = np.random.default_rng([11, seed])
    limits = random_limits(rng, largest=5, roles=True)
    dear = 650 * limits.max_size
    is_dear = rng.random() < 0.3 and (limits.budget_cents is None or dear < limits.budget_cents)
    limits = replace(
        limits,
        min_price_cents=dear if is_dear else limits.min_price_cents,
        min_categories=int(rng.integers(1, limits.max_size + 1)),
        cost_per_product=float(rng.choice([0.0, 0.02, 0.5])),
        min_joint_probability=0.0,
    )
    problem = random_problem(rng, int(rng.integers(15, 41)), limits, roles=True)
    problem = replace(problem, category=problem.category % KINDS)
    if seed % 2:
        return problem
    everywhere = np.triu(rng.beta(2, 5, problem.pair_values.shape), 1)
    return replace(problem, pair_values=everywhere + everywhere.T)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_exact_solver_finds_what_cp_sat_proves_to_be_best(seed: int) -> None:
    problem = _problem(seed)
    theirs, ours = solve_cp_sat(problem), solve_exact(problem)
    assert theirs.is_proven
    assert bool(theirs.items) == bool(ours.items)
    if not ours.items:
        return
    assert not breaks(problem, theirs.items) and not breaks(problem, ours.items)
    terms = problem.limits.max_size * (problem.limits.max_size + 1) / 2
    tolerance = terms * rounding(linear_program(problem))
    assert problem.value(ours.items) == pytest.approx(problem.value(theirs.items), rel=0.0, abs=tolerance)
    assert problem.value(ours.items) >= problem.value(theirs.items) - 1e-12


def test_the_problems_try_every_linear_constraint_and_most_have_a_bundle() -> None:
    problems = [_problem(seed) for seed in SEEDS]
    limits = [problem.limits for problem in problems]
    assert sum(bool(solve_exact(problem).items) for problem in problems) >= len(problems) / 2
    assert {one.max_size for one in limits} == {2, 3, 4, 5}
    assert any(one.min_size < one.max_size for one in limits) and any(one.min_size == one.max_size for one in limits)
    assert any(one.budget_cents is not None for one in limits) and any(one.min_price_cents > 0 for one in limits)
    assert any(one.min_margin_cents is not None for one in limits)
    assert any(one.min_categories > 2 for one in limits) and {one.max_per_category for one in limits} == {1, 2, 3}
    assert any(one.needs_anchor for one in limits) and any(one.needs_wanted for one in limits)
    assert any(one.needs_ruled for one in limits) and any(one.needs_new for one in limits)
    assert any(one.complements_only for one in limits)
    assert any(problem.is_pinned is not None and problem.is_pinned.any() for problem in problems)
    assert any(problem.earlier for problem in problems)


def test_a_least_joint_probability_is_no_linear_constraint() -> None:
    problem = random_problem(np.random.default_rng(0), 15, Limits(min_joint_probability=0.1))
    with pytest.raises(ValueError, match="not linear"):
        linear_program(problem)
