"""The exact solver and its bound against trying everything, over all constraints."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ml.optimizer.bounds
import ml.optimizer.tree
from ml.optimizer.exact import count_better, solve_exact, upper_bound
from ml.optimizer.limits import Limits
from ml.optimizer.problem import BundleProblem
from tests.optimizer.problems import (
    by_trying_everything,
    feasible_bundles,
    random_limits,
    random_problem,
    three_products,
)

ROUNDING = 1e-12


def problems(number: int, largest: int, seed: int = 20170101) -> list[BundleProblem]:
    """Return random problems over all constraints."""
    rng = np.random.default_rng(seed)
    return [
        random_problem(rng, int(rng.integers(2, 10)), random_limits(rng, largest, roles=True), roles=True)
        for _ in range(number)
    ]


def worth(problem: BundleProblem, items: tuple[int, ...]) -> float:
    return problem.value(items) if items else -np.inf


@pytest.mark.parametrize("largest", [3, 5, 8])
def test_exact_and_its_bound_equal_trying_everything(largest: int) -> None:
    feasible = 0
    for problem in problems(1500, largest):
        best, proof = by_trying_everything(problem), solve_exact(problem)
        feasible += best > -np.inf
        assert worth(problem, proof.items) == pytest.approx(best, abs=ROUNDING)
        assert proof.bound == pytest.approx(best, abs=ROUNDING)
        assert upper_bound(problem) == pytest.approx(best, abs=ROUNDING)
    assert feasible > 300


def test_several_groups_at_once_are_each_held() -> None:
    """A bundle may need an anchor, one of the form's, one of the merchandiser's and one that is new, all together."""
    rng, feasible, differ = np.random.default_rng(77), 0, 0
    for _ in range(300):
        limits = random_limits(rng, 5, roles=True)
        limits = replace(limits, needs_anchor=True, needs_wanted=True, needs_ruled=True, needs_new=True)
        problem = replace(random_problem(rng, 9, limits, roles=True), earlier=())
        best, proof = by_trying_everything(problem), solve_exact(problem)
        assert worth(problem, proof.items) == pytest.approx(best, abs=ROUNDING)
        assert proof.bound == pytest.approx(best, abs=ROUNDING)
        same = replace(problem, limits=replace(limits, needs_new=False)).needing_new()
        assert solve_exact(same) == proof
        feasible += bool(proof.items)
        differ += bool(proof.items) and len(proof.items) > 2
    assert feasible > 60 and differ > 20


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(2, 8))
def test_a_proof_holds_on_any_problem(seed: int, candidates: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, candidates, random_limits(rng, largest, roles=True), roles=True)
    proof, best = solve_exact(problem), by_trying_everything(problem)
    assert not proof.items or problem.is_feasible(proof.items)
    assert worth(problem, proof.items) == pytest.approx(best, abs=ROUNDING)


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_a_search_cut_short_leaves_a_gap_but_never_a_bound_below_the_optimum(nodes: int) -> None:
    rng = np.random.default_rng(4)
    gaps = []
    for _ in range(60):
        problem = random_problem(rng, 12, Limits(max_size=5, max_per_category=3))
        proof, best = solve_exact(problem, max_nodes=nodes), by_trying_everything(problem)
        assert proof.bound >= best - ROUNDING >= worth(problem, proof.items) - 2 * ROUNDING
        assert upper_bound(problem, 0.0, nodes) >= best - ROUNDING
        gaps.append(proof.bound - worth(problem, proof.items))
    assert nodes > 1 or max(gaps) > ROUNDING


def test_the_bound_is_no_less_than_what_is_claimed_and_no_less_than_the_optimum() -> None:
    for problem in problems(200, 4, seed=3):
        best = by_trying_everything(problem)
        for claimed in (-0.5, 0.0, best / 2, best, 1.0):
            if np.isfinite(claimed):
                assert upper_bound(problem, claimed) >= max(best, claimed) - ROUNDING


def test_better_bundles_are_counted() -> None:
    for problem in problems(150, 4, seed=5):
        values = [value for value, _ in feasible_bundles(problem)]
        for rank in range(0, len(values), 7):
            better = sum(value > values[rank] + 1e-11 for value in values)
            assert count_better(problem, values[rank], 500) == (better, True)
            if better:
                assert count_better(problem, values[rank], better) == (better, False), "there may be more"


def test_a_count_that_was_cut_short_is_not_called_exact() -> None:
    cut = 0
    for problem in problems(150, 4, seed=5):
        values = [value for value, _ in feasible_bundles(problem)]
        for rank in range(0, len(values), 7):
            better = sum(value > values[rank] + 1e-11 for value in values)
            found = count_better(problem, values[rank], 500, max_nodes=3)
            assert found.number <= better
            assert found.number == better or not found.is_exact
            cut += found.number < better
    assert cut, "the test needs counts that the cap cuts short"


def test_the_tree_and_its_bounds_know_no_solver() -> None:
    for module in (ml.optimizer.tree, ml.optimizer.bounds):
        tree = ast.parse(Path(module.__file__ or "").read_text("utf-8"))
        sources = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        known = {"bounds", "node", "relaxation", "rules", "vector"}
        assert {source.split(".")[-1] for source in sources if source and source.startswith("ml.")} <= known


def test_exact_finds_the_optimum_where_all_pairs_are_alike() -> None:
    """Ties everywhere: nothing is lost by cutting off what is only as good."""
    values = np.ones((40, 40)) - np.eye(40)
    facts = {"preference": np.full(40, 0.5), "price_cents": np.arange(40), "available_units": np.full(40, -1)}
    problem = three_products(
        Limits(budget_cents=3), pair_values=values, joint=values / 8, category=np.arange(40, dtype=np.int32), **facts
    )
    proof = solve_exact(problem)
    assert (proof.items, proof.bound) == ((0, 1, 2), 3.0)


def test_real_sized_problems_are_proven_optimal() -> None:
    rng = np.random.default_rng(5)
    for size in (3, 4, 5, 8):
        problem = random_problem(rng, 140, Limits(max_size=size, budget_cents=500 * size, cost_per_product=0.001))
        proof = solve_exact(problem)
        assert proof.bound == pytest.approx(worth(problem, proof.items), rel=1e-11)
