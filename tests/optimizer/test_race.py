"""The race of the solvers: equal time, judged by runs that ended in time, against the proven optimum."""

import numpy as np
import pytest

from ml.errors import DataError
from ml.optimizer import race as course
from ml.optimizer.limits import Limits
from ml.optimizer.problem import UNLIMITED, BundleProblem
from ml.optimizer.race import Found, Point, Run, race

BEST, SECOND = (0, 1), (0, 2)


def three_products(limits: Limits | None = None) -> BundleProblem:
    """Return pairs worth .10, .06, .02."""
    values = np.array([[0.0, 0.10, 0.06], [0.10, 0.0, 0.02], [0.06, 0.02, 0.0]])
    return BundleProblem(
        preference=np.array([0.5, 0.4, 0.2]),
        pair_values=values,
        joint=values,
        price_cents=np.array([300, 200, 400]),
        category=np.arange(3, dtype=np.int32),
        available_units=np.full(3, UNLIMITED),
        limits=limits or Limits(max_size=2),
    )


class Clock:
    """Time as the solvers tell it: each run takes what it says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(course, "thread_time", clock)
    return clock


def enter(monkeypatch: pytest.MonkeyPatch, **solvers: Run) -> None:
    monkeypatch.setattr(course, "SOLVERS", {name: lambda _p, _s, run=run: run for name, run in solvers.items()})


def runner(clock: Clock, ms: float, needs: int, items: tuple[int, ...] = BEST, before: tuple[int, ...] = ()) -> Run:
    """Return a solver that takes ``ms`` for each unit of effort and finds ``items`` from ``needs`` units on."""

    def run(effort: int, found: Found) -> bool:
        clock.now += effort * ms / 1000
        bundle = items if effort >= needs else before
        found[: len(bundle)] = bundle
        return False

    return run


def test_every_solver_has_a_point_for_every_budget() -> None:
    rows = race([three_products()] * 2, (0.5, 5.0), seed=1)
    assert [(row.solver, row.seconds) for row in rows] == [
        (solver, budget) for solver in course.SOLVERS for budget in (0.0005, 0.005)
    ]
    assert all(0 <= row.mean_gap_pct <= 100 and 0 <= row.optimal_share <= 1 for row in rows)


@pytest.mark.usefixtures("clock")
def test_a_solver_with_time_enough_ends_at_the_optimum() -> None:
    for row in race([three_products()], (1.0,)):  # the clock stands still
        assert row == Point(row.solver, 0.001, 0.0, 1.0)


def test_only_runs_that_end_within_the_budget_count(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    enter(monkeypatch, fast=runner(clock, 1, needs=4), slow=runner(clock, 10, needs=4))
    rows = race([three_products()], (1.0, 3.9, 5.0, 41.0))
    assert [row.mean_gap_pct for row in rows if row.solver == "fast"] == [100, 100, 0, 0]
    assert [row.mean_gap_pct for row in rows if row.solver == "slow"] == [100, 100, 100, 0]


def test_the_gap_is_the_mean_share_of_the_optimum_that_is_missed(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    found = iter([SECOND, SECOND, BEST, ()])  # the first is not timed

    def run(_effort: int, positions: Found) -> bool:
        bundle = next(found)
        positions[: len(bundle)] = bundle
        return True

    enter(monkeypatch, runner=run)
    (row,) = race([three_products()] * 3, (1.0,))
    assert row.mean_gap_pct == pytest.approx((40 + 0 + 100) / 3)
    assert row.optimal_share == pytest.approx(1 / 3)


def test_a_bundle_that_may_not_be_offered_counts_as_none(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    enter(monkeypatch, cheat=runner(clock, 1, needs=1, items=BEST))
    (row,) = race([three_products(Limits(max_size=2, min_price_cents=501))], (1.0,))
    assert row == Point("cheat", 0.001, 100.0, 0.0)


def test_a_better_early_run_is_not_kept_when_more_effort_finds_less(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    enter(monkeypatch, erratic=runner(clock, 1, needs=2, items=(), before=SECOND))
    rows = race([three_products()], (1.0, 2.0))
    assert [row.mean_gap_pct for row in rows] == [pytest.approx(40), 100]


@pytest.mark.parametrize("limits", [Limits(max_size=2, budget_cents=100), Limits(max_size=2, cost_per_product=1.0)])
def test_problems_without_a_bundle_worth_showing_are_left_out(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, limits: Limits
) -> None:
    enter(monkeypatch, perfect=runner(clock, 1, needs=1))
    (row,) = race([three_products(limits), three_products()], (1.0,))
    assert row == Point("perfect", 0.001, 0.0, 1.0)
    with pytest.raises(DataError, match="at least one problem"):
        race([three_products(limits)], (1.0,))
