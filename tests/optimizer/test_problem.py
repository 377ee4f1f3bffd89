"""The problem statement: value, joint probability, each constraint by name."""

import numpy as np
import pytest

from ml.errors import ConfigError, DataError
from ml.optimizer.limits import Limits
from ml.optimizer.rules import CONSTRAINTS
from tests.optimizer.problems import breaks, random_limits, random_problem, three_products

JAM = np.array([False, False, True])
BREAD_AND_BUTTER = np.array([[False, True, False], [True, False, False], [False, False, False]])


def test_the_value_is_the_sum_of_pairs_minus_the_cost_of_showing_each_product() -> None:
    problem = three_products(Limits(cost_per_product=0.01))
    assert problem.value((0, 1)) == pytest.approx(0.10 - 0.02)
    assert problem.value((2, 0, 1)) == pytest.approx(0.18 - 0.03)


def test_three_independent_products_are_bought_together_as_often_as_their_product() -> None:
    chance = np.array([0.5, 0.4, 0.2])
    joint = np.outer(chance, chance)
    problem = three_products(joint=joint)
    assert problem.joint_probability((0, 1)) == pytest.approx(0.2)
    assert problem.joint_probability((0, 1, 2)) == pytest.approx(0.5 * 0.4 * 0.2)


def test_three_are_never_bought_together_more_often_than_any_two() -> None:
    joint = np.array([[0, 0.4, 0.2], [0.4, 0, 0.15], [0.2, 0.15, 0]])
    assert three_products(joint=joint).joint_probability((0, 1, 2)) == 0.15


def test_a_pair_without_evidence_makes_the_three_improbable() -> None:
    joint = np.array([[0, 0.1, 0.1], [0.1, 0, 0.0], [0.1, 0.0, 0]])
    assert three_products(joint=joint).joint_probability((0, 1, 2)) == 0.0


@pytest.mark.parametrize(
    ("problem", "items", "broken"),
    [
        (three_products(), (0, 1), ()),
        (three_products(), (0,), ("size",)),
        (three_products(), (0, 0), ("size",)),
        (three_products(Limits(max_size=2)), (0, 1, 2), ("size",)),
        (three_products(Limits(budget_cents=500)), (0, 1), ()),
        (three_products(Limits(budget_cents=499)), (0, 1), ("budget",)),
        (three_products(category=np.array([0, 0, 1], np.int32)), (0, 1), ("category",)),
        (three_products(Limits(max_per_category=2), category=np.zeros(3, np.int32)), (0, 1), ()),
        (three_products(Limits(max_per_category=2), category=np.zeros(3, np.int32)), (0, 1, 2), ("category",)),
        (three_products(available_units=np.array([5, 0, -1])), (0, 1), ("stock",)),
        (three_products(Limits(min_price_cents=501)), (0, 1), ("min_price",)),
        (three_products(Limits(min_margin_cents=30), margin_cents=np.array([10, 15, 90])), (0, 1), ("margin",)),
        (three_products(Limits(min_margin_cents=0)), (0, 1), ("margin",)),
        (three_products(Limits(min_categories=3)), (0, 1), ("categories",)),
        (three_products(Limits(needs_anchor=True), is_anchor=JAM), (0, 1), ("anchor",)),
        (three_products(Limits(needs_wanted=True), is_wanted=JAM), (0, 1), ("must_include",)),
        (three_products(Limits(needs_ruled=True), is_ruled=JAM), (0, 1), ("must_include_rule",)),
        (three_products(Limits(needs_new=True), is_new=JAM), (0, 1), ("discovery",)),
        (three_products(is_new=JAM).needing_new(), (0, 1), ("discovery",)),
        (three_products(is_new=JAM).needing_new(), (0, 2), ()),
        (three_products(is_pinned=JAM), (0, 1), ("pinned",)),
        (three_products(is_excluded=JAM), (0, 2), ("excluded",)),
        (three_products(Limits(complements_only=True), is_substitute=BREAD_AND_BUTTER), (0, 1), ("substitute",)),
        (three_products(is_substitute=BREAD_AND_BUTTER), (0, 1), ()),
        (three_products().after((1, 2)), (0, 1), ("overlap",)),
        (three_products(Limits(max_overlap=1)).after((1, 2)), (0, 1), ()),
        (three_products(Limits(min_joint_probability=0.11)), (0, 1), ("joint_probability",)),
    ],
)
def test_each_constraint_is_named_when_it_breaks(problem, items, broken) -> None:
    assert problem.violations(items) == broken
    assert problem.is_feasible(items) == (not broken)


def test_violations_are_those_of_the_rules_written_down_once_more() -> None:
    rng = np.random.default_rng(6)
    seen: set[str] = set()
    for _ in range(1000):
        problem = random_problem(rng, int(rng.integers(3, 9)), random_limits(rng, 6, roles=True), roles=True)
        size = int(rng.integers(1, min(problem.candidates, 7) + 1))
        items = tuple(sorted(int(item) for item in rng.choice(problem.candidates, size, replace=False)))
        wanted = breaks(problem, items)
        seen |= wanted
        if "joint_probability" not in wanted or len(items) > 1:
            assert set(problem.violations(items)) == wanted
    assert seen == set(CONSTRAINTS)


def test_a_next_bundle_leaves_the_first_problem_as_it_was() -> None:
    problem = three_products()
    assert problem.after((0, 1)).earlier == ((0, 1),)
    assert problem.earlier == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_size": 9},
        {"min_size": 1},
        {"min_size": 3, "max_size": 2},
        {"budget_cents": 0},
        {"max_per_category": 0},
        {"cost_per_product": -0.1},
        {"cost_per_product": float("nan")},
        {"min_joint_probability": 1.1},
        {"min_price_cents": 300, "budget_cents": 200},
        {"min_categories": 4},
        {"max_overlap": 2},
    ],
)
def test_limits_refuse_nonsense(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Limits(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"pair_values": np.full((3, 3), -1.0)},
        {"pair_values": np.full((3, 3), np.nan)},
        {"joint": np.zeros((2, 2))},
        {"joint": np.full((3, 3), np.nan)},
        {"price_cents": np.array([1, 2])},
        {"price_cents": np.array([1, 2, -3])},
        {"price_cents": np.array([1.0, 2.0, np.nan])},
        {"price_cents": np.array([1.0, 2.5, 3.0])},
        {"margin_cents": np.array([1.0, np.nan, 3.0])},
        {"available_units": np.array([1.0, np.nan, 3.0])},
        {"available_units": np.array([1, -2, 3])},
        {"category": np.array([0, 1, -1], np.int32)},
        {"preference": np.array([0.5, np.nan, 0.2])},
        {"preference": np.array([0.5, 1.2, 0.2])},
        {"pair_values": np.triu(np.ones((3, 3)), 1)},
        {"product": np.array([7, 8, 7])},
        {"product_values": np.array([0.0, np.inf, 0.0])},
        {"product_values": np.array([0.0, np.nan, 0.0])},
        {"is_pinned": np.zeros(2, bool)},
    ],
)
def test_a_problem_refuses_what_does_not_fit(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError):
        three_products(**wrong)
