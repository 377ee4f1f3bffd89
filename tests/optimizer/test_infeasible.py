"""Naming the constraints that conflict: minimal, complete, and never a guess when the search is cut short."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ml.optimizer import infeasible
from ml.optimizer.exact import Proof
from ml.optimizer.infeasible import LIFTS, conflict
from ml.optimizer.limits import Limits
from ml.optimizer.problem import BundleProblem
from ml.optimizer.solve import Search, solve
from tests.optimizer.problems import feasible_bundles, random_limits, random_problem, three_products


def lifted(problem: BundleProblem, names: set[str]) -> BundleProblem:
    for name, lift in LIFTS:
        if name in names:
            problem = lift(problem)
    return problem


def conflicts(reason: str) -> list[set[str]]:
    if reason == "below_threshold":
        return [{"joint_probability"}]
    named = reason.removeprefix("infeasible").removeprefix(":")
    return [set(core.split("+")) for core in named.split(",")] if named else []


def without_a_bundle(count: int) -> list[BundleProblem]:
    """Return random problems of which none has a feasible bundle, by trying everything; without earlier bundles."""
    rng, found = np.random.default_rng(8), []
    while len(found) < count:
        problem = random_problem(rng, 7, random_limits(rng, 4, roles=True), roles=True)
        problem = replace(problem, earlier=())
        if not feasible_bundles(problem):
            found.append(problem)
    return found


@pytest.fixture(scope="module")
def hopeless() -> list[BundleProblem]:
    return without_a_bundle(40)


def test_what_is_named_is_a_conflict_and_leaving_out_any_part_of_it_is_none(hopeless: list[BundleProblem]) -> None:
    every, named = {name for name, _ in LIFTS}, 0
    for problem in hopeless:
        earlier: set[str] = set()
        for core in conflicts(conflict(problem)):
            assert not feasible_bundles(lifted(problem, every - core))
            for name in core:
                assert feasible_bundles(lifted(problem, every - core | {name}))
            assert not core & earlier
            earlier |= core
            named += 1
        assert feasible_bundles(lifted(problem, earlier)), "with all conflicts set aside there is a bundle"
    assert named >= len(hopeless)


@pytest.mark.parametrize("nodes", [1, 2, 5, 20])
def test_a_capped_search_names_nothing_that_is_not_a_conflict(hopeless: list[BundleProblem], nodes: int) -> None:
    """What the cap leaves open counts as possible: constraints may stay unnamed, none is blamed without proof."""
    every = {name for name, _ in LIFTS}
    for problem in hopeless:
        reason = conflict(problem, nodes)
        assert reason.startswith("infeasible") or reason == "below_threshold"
        for core in conflicts(reason):
            assert not feasible_bundles(lifted(problem, every - core))


def open_with(monkeypatch: pytest.MonkeyPatch, is_left_open: Callable[[BundleProblem], bool]) -> None:
    """Let the search be cut short on the problems of one kind."""
    search = infeasible.solve_exact

    def capped(problem: BundleProblem, max_nodes: int) -> Proof:
        return Proof((), 1.0, max_nodes) if is_left_open(problem) else search(problem, max_nodes)

    monkeypatch.setattr(infeasible, "solve_exact", capped)


def test_when_every_search_is_cut_short_no_constraint_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    open_with(monkeypatch, lambda _: True)
    assert conflict(three_products(Limits(budget_cents=100))) == "infeasible"


def test_a_conflict_of_which_no_part_can_be_cleared_in_time_is_named_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the budget the search does not end, so the budget may be what is in the way; and it is."""
    open_with(monkeypatch, lambda problem: problem.limits.budget_cents is None)
    assert conflict(three_products(Limits(budget_cents=100))) == "infeasible:budget"


@pytest.mark.parametrize(
    ("is_left_open", "reason"),
    [
        (lambda limits: limits.budget_cents is None and limits.max_per_category > 1, "infeasible:budget,category"),
        (lambda limits: limits.budget_cents is None and limits.max_per_category == 1, "infeasible:budget"),
        (lambda limits: limits.budget_cents is not None and limits.max_per_category == 1, "infeasible"),
    ],
)
def test_two_conflicts_are_named_as_far_as_the_cap_lets_them_be_proven(
    monkeypatch: pytest.MonkeyPatch, is_left_open: Callable[[Limits], bool], reason: str
) -> None:
    """Nothing open but what has a bundle anyway; the second open behind the first; everything at once open."""
    problem = three_products(Limits(budget_cents=100), category=np.zeros(3, np.int32))
    assert conflict(problem) == "infeasible:budget,category"
    open_with(monkeypatch, lambda one: is_left_open(one.limits))
    assert conflict(problem) == reason


def test_the_reason_that_a_capped_solver_gives_is_proven(hopeless: list[BundleProblem]) -> None:
    every, seen = {name for name, _ in LIFTS}, set()
    for problem in hopeless:
        found = solve(problem, Search(max_nodes=1))
        reason = found.fallback_reason or ""
        seen.add(reason.split(":")[0])
        assert found.items == ()
        assert (found.upper_bound > 0) == (reason == "not_found")
        if reason.startswith("infeasible"):
            assert all(not feasible_bundles(lifted(problem, every - core)) for core in conflicts(reason))
    assert seen >= {"infeasible", "not_found"}
