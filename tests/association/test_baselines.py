"""The commissioning formula: its worked example, and what it cannot do."""

import numpy as np
import polars as pl
import pytest

from ml.association.baselines import attribute_vectors, scaled_cosine
from ml.errors import DataError


def test_the_worked_example_is_0_197288() -> None:
    first, second = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    assert scaled_cosine(first, second) * 5 == pytest.approx(17 / np.sqrt(297))
    assert scaled_cosine(first, second) == pytest.approx(0.197288, abs=5e-7)


def test_the_scale_changes_no_ranking() -> None:
    rng = np.random.default_rng(3)
    one, others = rng.random(16), rng.random((50, 16))
    cosine = others @ one / np.linalg.norm(others, axis=1) / np.linalg.norm(one)
    assert (np.argsort(scaled_cosine(one, others)) == np.argsort(cosine)).all()


def test_an_empty_vector_and_an_opposite_one_are_worth_nothing() -> None:
    assert scaled_cosine(np.zeros(3), np.ones(3)) == 0.0
    assert scaled_cosine(-np.ones(3), np.ones(3)) == 0.0


def test_different_dimensions_are_refused() -> None:
    with pytest.raises(DataError, match="3 and 4"):
        scaled_cosine(np.ones(3), np.ones(4))


def test_attributes_reward_look_alikes_over_complements() -> None:
    products = pl.DataFrame(
        {
            "department": ["GROCERY", "GROCERY", "GROCERY"],
            "category_path": ["GROCERY > PASTA > SPAGHETTI", "GROCERY > PASTA > PENNE", "GROCERY > SAUCE > TOMATO"],
            "brand": ["A", "B", None],
        }
    )
    spaghetti, penne, sauce = attribute_vectors(products)
    assert scaled_cosine(spaghetti, penne) > scaled_cosine(spaghetti, sauce)
