"""Annealing and the genetic algorithm: always feasible, never above the optimum, the same for a seed, and good."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from ml.optimizer import rules
from ml.optimizer.annealing import solve_annealing
from ml.optimizer.exact import solve_exact
from ml.optimizer.genetic import solve_genetic
from ml.optimizer.limits import Limits
from ml.optimizer.problem import UNLIMITED, Bundle, BundleProblem
from ml.optimizer.violations import ledger, unlikely, violation

Solver = Callable[[BundleProblem, int], Bundle]
SOLVERS = (solve_annealing, solve_genetic)
MEASURED = {
    "budget", "min_price", "margin", "category", "categories", "anchor", "must_include", "must_include_rule",
    "discovery", "overlap", "joint_probability",
}  # fmt: skip
"""Constraints that a violation is counted for; the others are pairs that may not meet, or kept by every move."""

both = pytest.mark.parametrize("solve", SOLVERS, ids=["annealing", "genetic"])


def problem_of_everything(rng: np.random.Generator, n: int) -> BundleProblem:
    """Return n candidates under random limits of every kind, about half of them with a feasible bundle."""
    largest = int(rng.integers(2, 7))
    smallest = int(rng.integers(2, largest + 1))
    preference = rng.beta(0.5, 5, n)
    lift = np.triu(rng.gamma(2, 1, (n, n)) * (rng.random((n, n)) < 0.6), 1)
    joint = preference[:, None] * preference * (lift + lift.T)
    joint = np.minimum((joint + joint.T) / 2, np.minimum(preference[:, None], preference))
    substitute = np.triu(rng.random((n, n)) < 0.15, 1)

    def some(share: float) -> np.ndarray:
        return rng.random(n) < share

    (more,) = rng.spawn(1)  # leaves the draws of everything else as they are

    def now_and_then(value: float) -> float | None:
        return value if rng.random() < 0.5 else None

    budget, margin = now_and_then(rng.integers(300, 3500)), now_and_then(rng.integers(0, 500))
    return BundleProblem(
        preference=preference,
        pair_values=joint if rng.random() < 0.5 else lift + lift.T,
        joint=joint,
        price_cents=rng.integers(50, 1000, n),
        category=rng.integers(0, max(2, n // 2), n).astype(np.int32),
        available_units=np.where(some(0.1), 0, UNLIMITED),
        limits=Limits(
            min_size=smallest,
            max_size=largest,
            budget_cents=None if budget is None else int(budget),
            min_price_cents=int(now_and_then(rng.integers(0, 300)) or 0),
            min_margin_cents=None if margin is None else int(margin),
            max_per_category=int(rng.integers(1, 4)),
            min_categories=int(rng.integers(1, min(largest, 4) + 1)),
            needs_anchor=bool(rng.random() < 0.4),
            needs_wanted=bool(rng.random() < 0.3),
            needs_ruled=bool(more.random() < 0.2),
            needs_new=bool(more.random() < 0.2),
            complements_only=bool(rng.random() < 0.5),
            cost_per_product=float(rng.choice([0, 0.001, 0.02, 0.2])),
            min_joint_probability=float(rng.choice([0, 0, 0.001, 0.01])),
            max_overlap=int(rng.integers(0, 2)),
        ),
        margin_cents=np.where(some(0.15), rules.UNKNOWN_MARGIN, rng.integers(-50, 300, n)),
        product_values=now_and_then(1) and rng.normal(0, 0.05, n),
        is_anchor=some(0.3),
        is_wanted=some(0.4),
        is_ruled=more.random(n) < 0.4,
        is_new=more.random(n) < 0.5,
        is_pinned=now_and_then(1) and some(1 / (n + 1)),
        is_excluded=some(0.1),
        is_substitute=substitute | substitute.T,
        earlier=tuple(tuple(map(int, rng.choice(n, 3, replace=False))) for _ in range(rng.integers(0, 3)) if n > 3),
    )


def pairs_alone(pair_values: np.ndarray, limits: Limits, **changes: object) -> BundleProblem:
    """Return a problem of all different categories and equal prices of 100."""
    n = len(pair_values)
    facts: dict[str, object] = {
        "preference": np.full(n, 0.1),
        "pair_values": pair_values,
        "joint": np.zeros((n, n)),
        "price_cents": np.full(n, 100),
        "category": np.arange(n, dtype=np.int32),
        "available_units": np.full(n, UNLIMITED),
        "limits": limits,
    }
    return BundleProblem(**{**facts, **changes})  # type: ignore[arg-type]


@both
def test_every_answer_is_feasible_and_never_worth_more_than_the_optimum(solve: Solver) -> None:
    rng = np.random.default_rng(0)
    reached, solvable = 0, 0
    for seed in range(400):
        problem = problem_of_everything(rng, int(rng.integers(0, 25)))
        items, best = solve(problem, seed), solve_exact(problem).items
        assert items == tuple(sorted(items))
        if not best:
            assert items == ()
            continue
        solvable += 1
        if items:
            assert problem.is_feasible(items), problem.violations(items)
            assert problem.value(items) <= problem.value(best) + 1e-12
            reached += problem.value(items) >= problem.value(best) - 1e-12
    assert solvable > 100
    assert reached >= 0.97 * solvable


@both
def test_the_same_seed_gives_the_same_bundle_in_any_thread(solve: Solver) -> None:
    rng = np.random.default_rng(1)
    problems = [problem_of_everything(rng, 80) for _ in range(30)]

    def answers(_: int) -> list[Bundle]:
        return [
            solve_annealing(problem, 3, 500) if solve is solve_annealing else solve_genetic(problem, 3, 3)
            for problem in problems
        ]

    alone = answers(0)
    with ThreadPoolExecutor(4) as threads:
        assert all(other == alone for other in threads.map(answers, range(8)))


@pytest.mark.parametrize("solve", [lambda p, s: solve_annealing(p, s, 200), lambda p, s: solve_genetic(p, s, 1)])
def test_another_seed_searches_elsewhere(solve: Solver) -> None:
    problem = pairs_alone(np.ones((60, 60)) - np.eye(60), Limits(min_size=3, max_size=3))
    assert len({solve(problem, seed) for seed in range(20)}) > 10


@both
def test_a_rich_bundle_just_over_the_budget_tempts_in_vain(solve: Solver) -> None:
    """The three that are worth 1000 times more cost one cent too much together."""
    values = np.full((30, 30), 0.001)
    values[:3, :3] = 1.0
    values[np.ix_(range(3), range(3, 30))] = values[np.ix_(range(3, 30), range(3))] = 0.0
    np.fill_diagonal(values, 0)
    limits = Limits(min_size=3, max_size=3, budget_cents=299)
    problem = pairs_alone(values, limits, price_cents=np.where(np.arange(30) < 3, 100, 99))
    two_rich = problem.value((0, 1, 3))
    for seed in range(10):
        items = solve(problem, seed)
        assert problem.is_feasible(items)
        assert problem.value(items) == pytest.approx(two_rich)


@both
def test_a_search_that_starts_among_what_is_too_dear_finds_its_way_out(solve: Solver) -> None:
    """Two thirds are worth ten times more, and any one of them is beyond the budget together with others."""
    rng = np.random.default_rng(4)
    values = np.triu(rng.random((90, 90)), 1)
    values[:60, :] *= 10
    problem = pairs_alone(
        values + values.T,
        Limits(min_size=5, max_size=5, budget_cents=500),
        price_cents=np.where(np.arange(90) < 60, 450, 100),
    )
    optimum = problem.value(solve_exact(problem).items)
    gaps = [1 - problem.value(solve(problem, seed)) / optimum for seed in range(10)]
    assert np.mean(gaps) < 0.03


@both
def test_rich_pairs_that_may_not_meet_tempt_in_vain(solve: Solver) -> None:
    values = np.full((20, 20), 0.001)
    values[:6, :6] = 1.0
    np.fill_diagonal(values, 0)
    rich = np.arange(20) < 6
    limits = Limits(min_size=3, max_size=6, complements_only=True)
    problem = pairs_alone(values, limits, is_substitute=rich[:, None] & rich & ~np.eye(20, dtype=bool))
    for seed in range(10):
        items = solve(problem, seed)
        assert len(items) == 6
        assert problem.is_feasible(items)


@both
def test_nothing_is_returned_where_nothing_is_feasible(solve: Solver) -> None:
    values = np.ones((12, 12)) - np.eye(12)
    everything = pairs_alone(values, Limits(min_size=3, max_size=4))
    assert solve(everything, 0) != ()
    for problem in (
        replace(everything, limits=replace(everything.limits, budget_cents=299)),
        replace(everything, limits=replace(everything.limits, needs_anchor=True)),
        replace(everything, available_units=np.zeros(12, np.int64)),
        replace(everything, is_pinned=np.arange(12) < 5),
        replace(everything, is_pinned=np.arange(12) < 1, is_excluded=np.arange(12) < 1),
        replace(everything, category=np.zeros(12, np.int32)),
    ):
        assert solve(problem, 0) == ()


@both
def test_pinned_products_alone_are_a_bundle_when_nothing_else_is_open(solve: Solver) -> None:
    values = np.ones((5, 5)) - np.eye(5)
    pinned = np.array([False, True, False, True, False])
    problem = pairs_alone(values, Limits(min_size=2, max_size=4), is_pinned=pinned, is_excluded=~pinned)
    assert solve(problem, 0) == (1, 3)
    full = pairs_alone(values, Limits(min_size=2, max_size=2), is_pinned=pinned)
    assert solve(full, 0) == (1, 3)


@both
def test_a_size_that_pays_is_found_between_the_smallest_and_the_largest(solve: Solver) -> None:
    values = np.full((20, 20), 0.1)
    values[:4, :4] = 1.0
    np.fill_diagonal(values, 0)
    problem = pairs_alone(values, Limits(min_size=2, max_size=8, cost_per_product=0.9))
    assert solve(problem, 0) == (0, 1, 2, 3)


@both
def test_most_optima_of_a_hundred_candidates_are_found(solve: Solver) -> None:
    rng = np.random.default_rng(2)
    gaps = []
    for seed in range(30):
        preference = rng.beta(0.5, 5, 100)
        lift = np.triu(rng.gamma(2, 1, (100, 100)) * (rng.random((100, 100)) < 0.5), 1)
        values = (preference[:, None] + preference) * (lift + lift.T)
        problem = pairs_alone(
            values,
            Limits(min_size=4, max_size=4, budget_cents=2000, max_per_category=2, needs_anchor=True),
            category=rng.integers(0, 20, 100).astype(np.int32),
            price_cents=rng.integers(100, 1000, 100),
            is_anchor=rng.random(100) < 0.2,
        )
        optimum = problem.value(solve_exact(problem).items)
        gaps.append(1 - problem.value(solve(problem, seed)) / optimum)
    assert np.mean(gaps) < 0.02
    assert np.mean(np.array(gaps) < 1e-9) >= 0.7


def test_a_violation_is_counted_exactly_where_a_rule_is_broken() -> None:
    rng = np.random.default_rng(3)
    seen: set[str] = set()
    for _ in range(2000):
        problem = problem_of_everything(rng, 12)
        limits, st = problem.limits, problem.statement
        size = int(rng.integers(limits.min_size, limits.max_size + 1))
        items = rng.choice(np.flatnonzero(st.is_open), min(size, st.is_open.sum()), replace=False)
        if len(items) < limits.min_size:
            continue
        facts, per_price, per_margin = ledger(st)
        counted = violation(facts, st.rules, items, len(items), per_price, per_margin)
        may_meet = all(st.pair[i, j] > rules.IS_ALLOWED for i in items for j in items if i != j)
        if st.rules.least_joint > 0:
            counted += unlikely(st, items, len(items))
        broken = set(problem.violations(tuple(map(int, items)))) & MEASURED
        if may_meet:
            assert (counted > 0) == bool(broken), broken
            seen |= broken
    assert seen == MEASURED
