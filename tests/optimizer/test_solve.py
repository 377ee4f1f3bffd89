"""Certificates, abstentions with their reasons, disjoint bundles, streams."""

from collections.abc import Iterator

import numpy as np
import pytest

import ml.optimizer.solve
from ml.errors import ConfigError
from ml.optimizer.limits import Limits
from ml.optimizer.problem import BundleProblem
from ml.optimizer.solve import SOLVERS, Search, certify, solve, solve_many, solve_slate
from tests.optimizer.problems import by_trying_everything, random_limits, random_problem, three_products


def test_a_worse_incumbent_shows_as_a_gap() -> None:
    problem = three_products(Limits(max_size=2))
    best = certify(problem, (0, 1))
    sabotaged = certify(problem, (1, 2))
    assert (best.status, best.gap_pct) == ("optimal", 0.0)
    assert sabotaged.status == "feasible"
    assert sabotaged.upper_bound == best.upper_bound
    assert sabotaged.gap_pct == pytest.approx(100 * (0.10 - 0.02) / 0.10)


def test_a_broken_solver_cannot_call_itself_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ml.optimizer.solve, "solve_greedy", lambda problem: (1, 2))
    assert solve(three_products(Limits(max_size=2)), Search("greedy")).status == "feasible"


def test_a_solver_that_breaks_a_constraint_is_stopped() -> None:
    with pytest.raises(ConfigError, match="budget"):
        certify(three_products(Limits(budget_cents=499)), (0, 1))


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (three_products(Limits(min_joint_probability=0.9)), "below_threshold"),
        (three_products(Limits(cost_per_product=0.5)), "not_worth_showing"),
        (three_products(Limits(budget_cents=100)), "infeasible:budget"),
        (three_products(available_units=np.array([4, 0, 0])), "infeasible:stock"),
        (three_products(category=np.zeros(3, np.int32)), "infeasible:category"),
        (three_products(Limits(budget_cents=100), category=np.zeros(3, np.int32)), "infeasible:budget,category"),
        (three_products(Limits(min_joint_probability=0.01), joint=np.zeros((3, 3))), "below_threshold"),
        (three_products(Limits(min_price_cents=901)), "infeasible:min_price"),
        (three_products(Limits(min_margin_cents=99), margin_cents=np.array([9, 9, 9])), "infeasible:margin"),
        (
            three_products(Limits(min_categories=3, max_size=3), category=np.array([0, 1, 1], np.int32)),
            "infeasible:categories",
        ),
        (three_products(Limits(needs_anchor=True), is_anchor=np.zeros(3, bool)), "infeasible:anchor"),
        (three_products(Limits(needs_wanted=True), is_wanted=np.zeros(3, bool)), "infeasible:must_include"),
        (three_products(Limits(needs_ruled=True), is_ruled=np.zeros(3, bool)), "infeasible:must_include_rule"),
        (three_products(is_new=np.zeros(3, bool)).needing_new(), "infeasible:discovery"),
        (
            three_products(is_pinned=np.ones(3, bool), is_excluded=np.array([True, False, False])),
            "infeasible:pinned+excluded",
        ),
        (three_products(Limits(max_size=2), is_pinned=np.ones(3, bool)), "infeasible:pinned"),
        (three_products(is_excluded=np.array([True, True, False])), "infeasible:excluded"),
        (
            three_products(Limits(complements_only=True), is_substitute=~np.eye(3, dtype=bool)),
            "infeasible:substitute",
        ),
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


def pinned(*items: int) -> np.ndarray:
    return np.isin(np.arange(3), items)


NO_ANSWER = {
    "no candidates": (random_problem(np.random.default_rng(1), 0, Limits()), "no_candidates"),
    "fewer candidates than the least size": (three_products(Limits(min_size=4, max_size=4)), "no_candidates"),
    "more pins than fit": (three_products(Limits(max_size=2), is_pinned=pinned(0, 1, 2)), "infeasible:pinned"),
    "pins of one category": (
        three_products(is_pinned=pinned(0, 1), category=np.array([0, 0, 1], np.int32)),
        "infeasible:pinned+category",
    ),
    "pins that are substitutes": (
        three_products(Limits(complements_only=True), is_pinned=pinned(0, 1), is_substitute=pinned(0, 1)[:, None]
        & pinned(0, 1) & ~np.eye(3, dtype=bool)),
        "infeasible:pinned+substitute",
    ),
    "pins that are excluded": (
        three_products(is_pinned=pinned(0), is_excluded=pinned(0)),
        "infeasible:pinned+excluded",
    ),
    "pins that are gone": (
        three_products(is_pinned=pinned(0), available_units=np.array([0, -1, -1])),
        "infeasible:pinned+stock",
    ),
    "pins over the budget": (
        three_products(Limits(budget_cents=600), is_pinned=pinned(0, 2)),
        "infeasible:pinned+budget",
    ),
    "a budget below the two cheapest": (three_products(Limits(budget_cents=499)), "infeasible:budget"),
    "a least price above all together": (three_products(Limits(min_price_cents=901)), "infeasible:min_price"),
}  # fmt: skip


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("case", NO_ANSWER)
def test_every_solver_says_why_a_problem_has_no_answer(case: str, name: str) -> None:
    problem, reason = NO_ANSWER[case]
    solution = solve(problem, Search(name))
    assert (solution.items, solution.status, solution.fallback_reason) == ((), "abstained", reason)


def test_two_candidates_are_enough_for_a_pair() -> None:
    values = np.array([[0.0, 0.2], [0.2, 0.0]])
    problem = BundleProblem(
        np.array([0.5, 0.4]), values, values, np.array([1, 1]), np.array([0, 1], np.int32), np.array([1, 1]), Limits()
    )
    assert solve(problem).items == (0, 1)


def test_a_solver_that_finds_nothing_does_not_claim_that_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ml.optimizer.solve, "solve_greedy", lambda problem: ())
    found = solve(three_products(), Search("greedy"))
    assert (found.status, found.fallback_reason, found.gap_pct) == ("abstained", "not_found", 100.0)
    assert found.upper_bound == solve(three_products()).objective


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_keeps_to_the_constraints_and_below_the_bound(name: str) -> None:
    rng = np.random.default_rng(11)
    for _ in range(150):
        problem = random_problem(rng, int(rng.integers(2, 12)), random_limits(rng, 5, roles=True), roles=True)
        found = solve(problem, Search(name, seed=3))
        assert found == solve(problem, Search(name, seed=3))
        assert found.upper_bound >= found.objective
        assert found.objective <= max(solve(problem).objective, 0.0) + 1e-12
        assert not found.items or problem.is_feasible(found.items)
        assert bool(found.items) == (found.status != "abstained") == (found.fallback_reason is None)


def test_an_unknown_solver_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="tabu"):
        Search("tabu")


def test_bundles_of_one_customer_share_no_product_and_fall_in_value() -> None:
    problem = random_problem(np.random.default_rng(2), 40, Limits())
    solutions = solve_slate(problem, bundles=5)
    items = [item for solution in solutions for item in solution.items]
    assert len(solutions) == 5 and len(items) == len(set(items))
    values = [solution.objective for solution in solutions]
    assert values == sorted(values, reverse=True)
    assert {solution.status for solution in solutions} == {"optimal"}


def test_bundles_of_a_slate_share_no_more_than_is_allowed_and_each_is_the_best_beside_those_before() -> None:
    rng = np.random.default_rng(12)
    for overlap in (0, 1, 2):
        problem = random_problem(rng, 9, Limits(min_size=3, max_size=4, max_per_category=3, max_overlap=overlap))
        solutions = solve_slate(problem, bundles=4)
        for number, solution in enumerate(solutions):
            shared = [len(set(solution.items) & set(other.items)) for other in solutions[:number]]
            assert max(shared, default=0) <= overlap
            assert solution.objective == pytest.approx(by_trying_everything(problem))
            problem = problem.after(solution.items)


def test_running_out_of_products_ends_the_list_without_an_abstention() -> None:
    solutions = solve_slate(three_products(Limits(max_size=2)), bundles=5)
    assert [solution.items for solution in solutions] == [(0, 1)]


def test_a_first_abstention_is_kept() -> None:
    (only,) = solve_slate(three_products(Limits(cost_per_product=0.5)), bundles=5)
    assert only.fallback_reason == "not_worth_showing"


def test_a_stream_gives_the_same_answers_in_order_on_any_number_of_threads() -> None:
    rng = np.random.default_rng(3)
    problems = [random_problem(rng, 30, Limits()) for _ in range(40)]
    alone = list(solve_many(problems, bundles=2))
    assert list(solve_many(iter(problems), bundles=2, threads=3)) == alone
    assert alone == [solve_slate(problem, bundles=2) for problem in problems]


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
