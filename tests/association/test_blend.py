"""The blend finds which column tells the answers."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from ml.association.blend import COLUMNS, MODELS, Completion, fit_blend, weights_of
from ml.association.cooccurrence import CooccurrenceParams


def test_the_blend_finds_the_column_that_tells_and_passes_over_the_others() -> None:
    rng = np.random.default_rng(0)
    questions = [rng.normal(size=(20, len(COLUMNS))).astype(np.float32) for _ in range(200)]
    answers = [int(np.argmax(one[:, 4] + 0.1 * rng.normal(size=20))) for one in questions]
    weights = fit_blend(questions, answers)
    assert np.argmax(weights) == 4
    assert abs(np.delete(weights, 4)).max() < 0.2 * weights[4]


def test_the_likelihood_of_two_alternatives_is_that_of_logistic_regression() -> None:
    # One column at 1 for the answer in 3 of 4 questions: without a penalty the weight is log 3.
    questions = [np.zeros((2, len(COLUMNS)), np.float32) for _ in range(4000)]
    for one in questions:
        one[0, 0] = 1.0
    weights = fit_blend(questions, [0] * 3000 + [1] * 1000)
    assert weights[0] == pytest.approx(np.log(3), abs=0.01)
    assert not weights[1:].any()


def test_columns_are_means_over_what_is_shown_and_a_cold_product_has_its_text() -> None:
    baskets = pl.DataFrame({
        "customer_id": [None] * 3, "basket_on": [date(2020, 1, 1)] * 3,
        "product_ids": [["a", "b"], ["a", "b"], ["a", "c"]],
    }, schema_overrides={"customer_id": pl.String})  # fmt: skip
    products = pl.DataFrame({
        "product_id": ["a", "b", "c", "new"], "category_path": [None] * 4,
        "title": ["red mug", "lamp", "vase", "red plate"], "brand": [None] * 4, "department": [None] * 4,
    }, schema_overrides={"category_path": pl.String, "brand": pl.String, "department": pl.String})  # fmt: skip
    asked = [name for name in COLUMNS if name != "sentences"]
    columns = Completion(baskets, products, CooccurrenceParams(min_pair_baskets=1), asked).columns(np.array([0, 1]))
    cosine, words, popularity = (columns[:, COLUMNS.index(name)] for name in ("cosine", "words", "popularity"))
    assert cosine[2] == pytest.approx(np.log1p(100 * (1 / np.sqrt(3)) / 2))
    nearest, focused = (columns[:, COLUMNS.index(name)] for name in ("nearest", "focused"))
    assert nearest[2] == pytest.approx(np.log1p(100 / np.sqrt(3)))
    assert focused[2] == pytest.approx(cosine[2])  # all baskets are of one size
    assert cosine[3] == 0 and words[3] > 0
    assert popularity == pytest.approx(np.log1p([3, 2, 1, 0]))


def test_every_named_model_weighs_known_columns() -> None:
    assert all(set(weights) <= set(COLUMNS) for weights in MODELS.values())
    assert weights_of("cosine").tolist() == [float(name == "cosine") for name in COLUMNS]
