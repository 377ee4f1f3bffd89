"""Certificates, abstentions with their reasons, disjoint bundles, streams."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ml.optimizer.bound
from ml.errors import ConfigError
from ml.optimizer.problem import BundleProblem, Limits
from ml.optimizer.solve import SOLVERS, certify, solve, solve_disjoint, solve_many
from tests.optimizer.problems import random_problem, three_products


def test_a_worse_incumbent_shows_as_a_gap() -> None:
    problem = three_products(Limits(max_size=2))
    best = certify(problem, (0, 1))
    sabotaged = certify(problem, (1, 2))
    assert (best.status, best.gap_pct) == ("optimal", 0.0)
    assert sabotaged.status == "feasible"
    assert sabotaged.upper_bound == best.upper_bound
    assert sabotaged.gap_pct == pytest.approx(100 * (0.10 - 0.02) / 0.10)


def test_a_broken_solver_cannot_call_itself_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOLVERS, "exact", lambda problem: (1, 2))
    assert solve(three_products()).status == "feasible"


def test_a_solver_that_breaks_a_constraint_is_stopped() -> None:
    with pytest.raises(ConfigError, match="budget"):
        certify(three_products(Limits(budget_cents=499)), (0, 1))


def test_the_bound_shares_no_code_with_the_solvers() -> None:
    tree = ast.parse(Path(ml.optimizer.bound.__file__).read_text("utf-8"))
    sources = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {source for source in sources if source and source.startswith("ml.")} == {"ml.optimizer.problem"}


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (three_products(Limits(min_joint_probability=0.9)), "below_threshold"),
        (three_products(Limits(cost_per_product=0.5)), "not_worth_showing"),
        (three_products(Limits(budget_cents=100)), "infeasible:budget"),
        (three_products(available_units=np.array([4, 0, 0])), "infeasible:stock"),
        (three_products(category=np.zeros(3, np.int32)), "infeasible:category"),
        (three_products(Limits(budget_cents=100), category=np.zeros(3, np.int32)), "infeasible:category+budget"),
        (three_products(Limits(min_joint_probability=0.01), joint=np.zeros((3, 3))), "below_threshold"),
    ],
)
def test_an_abstention_says_what_stood_in_the_way(problem: BundleProblem, reason: str) -> None:
    solution = solve(problem)
    assert (solution.items, solution.status, solution.fallback_reason) == ((), "abstained", reason)
    assert (solution.objective, solution.upper_bound, solution.gap_pct) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("candidates", [0, 1])
def test_customers_with_too_few_candidates_get_no_bundle(candidates: int) -> None:
    rng = np.random.default_rng(1)
    assert solve(random_problem(rng, candidates, Limits())).fallback_reason == "no_candidates"


def test_two_candidates_are_enough_for_a_pair() -> None:
    values = np.array([[0.0, 0.2], [0.2, 0.0]])
    problem = BundleProblem(
        np.array([0.5, 0.4]), values, values, np.array([1, 1]), np.array([0, 1], np.int32), np.array([1, 1]), Limits()
    )
    assert solve(problem).items == (0, 1)


def test_greedy_that_finds_nothing_does_not_claim_that_there_is_nothing() -> None:
    """The best pair's only third breaks the budget; greedy looks no further, and the bound says so."""
    problem = three_products(
        Limits(min_size=3, budget_cents=30),
        pair_values=np.array([[0, 9, 1, 1], [9, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0]], float),
        joint=np.full((4, 4), 0.1),
        preference=np.full(4, 0.5),
        price_cents=np.array([10, 15, 10, 10]),
        category=np.arange(4, dtype=np.int32),
        available_units=np.full(4, -1),
    )
    greedy, exact = solve(problem, "greedy"), solve(problem, "exact")
    assert greedy.status == "abstained" and greedy.gap_pct == 100.0
    assert greedy.upper_bound == exact.objective == 3.0


def test_an_unknown_solver_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="annealing"):
        solve(three_products(), "annealing")


def test_bundles_of_one_customer_share_no_product_and_fall_in_value() -> None:
    problem = random_problem(np.random.default_rng(2), 40, Limits())
    solutions = solve_disjoint(problem, "exact", 5)
    items = [item for solution in solutions for item in solution.items]
    assert len(solutions) == 5 and len(items) == len(set(items))
    values = [solution.objective for solution in solutions]
    assert values == sorted(values, reverse=True)
    assert {solution.status for solution in solutions} == {"optimal"}


def test_running_out_of_products_ends_the_list_without_an_abstention() -> None:
    solutions = solve_disjoint(three_products(Limits(max_size=2)), "exact", 5)
    assert [solution.items for solution in solutions] == [(0, 1)]


def test_a_first_abstention_is_kept() -> None:
    (only,) = solve_disjoint(three_products(Limits(cost_per_product=0.5)), "exact", 5)
    assert only.fallback_reason == "not_worth_showing"


def test_a_stream_gives_the_same_answers_in_order_on_any_number_of_threads() -> None:
    rng = np.random.default_rng(3)
    problems = [random_problem(rng, 30, Limits()) for _ in range(40)]
    alone = list(solve_many(problems, bundles=2))
    assert list(solve_many(iter(problems), bundles=2, threads=3)) == alone
    assert alone == [solve_disjoint(problem, "exact", 2) for problem in problems]


def test_a_stream_is_read_only_a_little_ahead() -> None:
    read = 0

    def source() -> Iterator[BundleProblem]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield three_products()

    answers = solve_many(source(), threads=2)
    next(answers)
    assert read <= 9
    answers.close()  # type: ignore[attr-defined]
