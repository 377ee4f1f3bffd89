"""The named objectives on numbers that can be worked out by hand."""

import numpy as np
import pytest

from ml.optimizer.objective import (
    dense_pairs,
    favourite_times_association,
    independent_purchase,
    joint_purchase,
    pairwise_sum,
)


def test_joint_purchase_is_capped_by_the_rarer_product() -> None:
    assert joint_purchase(np.array([0.5]), np.array([0.1]), np.array([1.2]))[0] == pytest.approx(0.06)
    assert joint_purchase(np.array([0.5]), np.array([0.1]), np.array([9.0]))[0] == 0.1


@pytest.mark.parametrize(
    ("objective", "wanted"),
    [
        (joint_purchase, 0.12 * 2),
        (independent_purchase, 0.12),
        (pairwise_sum, 0.7 * 2),
        (favourite_times_association, 0.4 * 2),
    ],
)
def test_each_objective_on_one_pair(objective, wanted: float) -> None:
    values = dense_pairs(objective, np.array([0.4, 0.3]), np.array([[5.0, 2.0], [2.0, 5.0]]))
    assert values == pytest.approx(np.array([[0, wanted], [wanted, 0]]))


@pytest.mark.parametrize("objective", [joint_purchase, independent_purchase, pairwise_sum, favourite_times_association])
def test_a_pair_without_evidence_is_worth_nothing(objective) -> None:
    assert (dense_pairs(objective, np.array([0.4, 0.3]), np.zeros((2, 2))) == 0).all()


def test_the_commissioning_formula_on_its_worked_example() -> None:
    association = np.array([0.197288])
    assert pairwise_sum(np.array([0.6]), np.array([0.4]), association)[0] == pytest.approx(0.197288)
