"""The named objectives on numbers that can be worked out by hand."""

import numpy as np
import pytest

from ml.optimizer.objective import Objective, dense_pairs, pair_values
from ml.optimizer.rules import UNKNOWN_MARGIN

ALL = list(Objective)


def one(objective: Objective, left: float, right: float, association: float, margin: float = 0.0) -> float:
    values = pair_values(objective, np.array([left]), np.array([right]), np.array([association]), np.array([margin]))
    return float(values[0])


def test_joint_purchase_is_capped_by_the_rarer_product() -> None:
    assert one(Objective.EXPECTED_JOINT_PURCHASE, 0.5, 0.1, 1.2) == pytest.approx(0.06)
    assert one(Objective.EXPECTED_JOINT_PURCHASE, 0.5, 0.1, 9.0) == 0.1


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        (Objective.EXPECTED_JOINT_PURCHASE, 0.12 * 2),
        (Objective.INDEPENDENT_PURCHASE, 0.12),
        (Objective.PAIRWISE_SUM, 0.7 * 2),
        (Objective.FAVOURITE_TIMES_ASSOCIATION, 0.4 * 2),
        (Objective.EXPECTED_INCREMENTAL_MARGIN, (0.24 - 0.12) * (70 + 50)),
    ],
)
def test_each_objective_on_one_pair(objective: Objective, wanted: float) -> None:
    association = np.array([[5.0, 2.0], [2.0, 5.0]])
    values = dense_pairs(objective, np.array([0.4, 0.3]), association, np.array([70, 50]))
    assert values == pytest.approx(np.array([[0, wanted], [wanted, 0]]))


def test_customers_whose_baskets_differ_in_size_buy_more_together() -> None:
    association = np.array([[0.0, 2.0], [2.0, 0.0]])

    def value(objective: Objective, spread: float) -> float:
        return float(dense_pairs(objective, np.array([0.4, 0.3]), association, np.array([70, 50]), spread)[0, 1])

    assert value(Objective.INDEPENDENT_PURCHASE, 1.2) == pytest.approx(0.144)
    assert value(Objective.EXPECTED_JOINT_PURCHASE, 1.2) == pytest.approx(0.288)
    assert value(Objective.EXPECTED_JOINT_PURCHASE, 9.0) == value(Objective.INDEPENDENT_PURCHASE, 9.0) == 0.3
    assert value(Objective.EXPECTED_INCREMENTAL_MARGIN, 1.2) == pytest.approx(0.144 * 120)
    assert value(Objective.PAIRWISE_SUM, 1.2) == pytest.approx(1.4)


@pytest.mark.parametrize("objective", ALL)
def test_a_pair_without_evidence_is_worth_nothing(objective: Objective) -> None:
    assert one(objective, 0.4, 0.3, 0.0, 100) == 0.0


@pytest.mark.parametrize("objective", ALL)
def test_no_pair_is_worth_less_than_nothing(objective: Objective) -> None:
    rng = np.random.default_rng(1)
    left, right, association = rng.random(500), rng.random(500), rng.gamma(1, 1, 500)
    assert pair_values(objective, left, right, association, rng.normal(0, 100, 500)).min() >= 0


def test_what_is_bought_together_less_than_by_chance_earns_no_increment() -> None:
    assert one(Objective.EXPECTED_INCREMENTAL_MARGIN, 0.4, 0.3, 0.9, 100) == 0.0


def test_a_product_of_unknown_margin_earns_nothing_in_any_pair() -> None:
    margin = np.array([70, UNKNOWN_MARGIN, 50])
    values = dense_pairs(Objective.EXPECTED_INCREMENTAL_MARGIN, np.full(3, 0.3), np.full((3, 3), 2.0), margin)
    assert values[0, 2] > 0
    assert values[0, 1] == values[1, 2] == 0.0


def test_the_commissioning_formula_on_its_worked_example() -> None:
    assert one(Objective.PAIRWISE_SUM, 0.6, 0.4, 0.197288) == pytest.approx(0.197288)
