"""The problem statement: value, joint probability, each constraint by name."""

import numpy as np
import pytest

from ml.errors import ConfigError, DataError
from ml.optimizer.problem import Limits
from tests.optimizer.problems import three_products


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
        (three_products().without((1,)), (0, 1), ("taken",)),
        (three_products(Limits(min_joint_probability=0.11)), (0, 1), ("joint_probability",)),
    ],
)
def test_each_constraint_is_named_when_it_breaks(problem, items, broken) -> None:
    assert problem.violations(items) == broken
    assert problem.is_feasible(items) == (not broken)


def test_taking_products_leaves_the_first_problem_as_it_was() -> None:
    problem = three_products()
    left = problem.without((0,)).without((2,))
    assert left.offered().tolist() == [False, True, False]
    assert problem.offered().all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_size": 4},
        {"min_size": 1},
        {"min_size": 3, "max_size": 2},
        {"budget_cents": 0},
        {"max_per_category": 0},
        {"cost_per_product": -0.1},
        {"cost_per_product": float("nan")},
        {"min_joint_probability": 1.1},
    ],
)
def test_limits_refuse_nonsense(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Limits(**wrong)  # type: ignore[arg-type]


def test_larger_bundles_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="more than 3 are not solved yet"):
        Limits(max_size=8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pair_values": np.full((3, 3), -1.0)},
        {"pair_values": np.full((3, 3), np.nan)},
        {"joint": np.zeros((2, 2))},
        {"price_cents": np.array([1, 2])},
        {"price_cents": np.array([1, 2, -3])},
        {"category": np.array([0, 1, -1], np.int32)},
    ],
)
def test_a_problem_refuses_what_does_not_fit(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError):
        three_products(**wrong)
