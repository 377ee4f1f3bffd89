"""The fast scorer returns what LightGBM returns, to the last bit, missing values and odd thresholds included."""

import lightgbm
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml.errors import DataError
from ml.preference.tree_scoring import BLOCK_ROWS, MOST_LEAVES, TreeScorer

Floats = NDArray[np.float32]


def features(rows: int, missing: float, seed: int, columns: int = 7) -> Floats:
    """Return columns of coarse and fine, small and huge numbers, so that values fall on thresholds too."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, columns)) * 10.0 ** np.arange(-2, columns - 2)
    values[:, 1] = np.round(rng.normal(size=rows))
    values[:, 2] = rng.integers(0, 3, rows) / 3
    values[rng.random(values.shape) < missing] = np.nan
    values[:, 0] = rng.normal(size=rows)  # never missing when the trees grow
    return values.astype(np.float32)


def grown(data: Floats, seed: int, leaves: int = 31, trees: int = 12) -> lightgbm.Booster:
    rng = np.random.default_rng(seed)
    bought = (np.nan_to_num(data[:, :3]).sum(axis=1) + rng.normal(size=len(data)) > 0.5).astype(float)
    options = {"objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 1, "verbosity": -1, "num_threads": 1}
    return lightgbm.train(options, lightgbm.Dataset(data, bought, init_score=np.zeros(len(data))), trees)


@settings(max_examples=25, deadline=None)
@given(
    missing=st.sampled_from([0.0, 0.1, 0.6]),
    leaves=st.integers(2, MOST_LEAVES),
    seed=st.integers(0, 1000),
    rows=st.integers(1, 3 * BLOCK_ROWS),
)
@example(missing=0.1, leaves=12, seed=499, rows=1)  # infinity meets a threshold that is infinite
def test_it_equals_lightgbm_to_the_last_bit(missing: float, leaves: int, seed: int, rows: int) -> None:
    booster = grown(features(400, missing, seed), seed, leaves)
    scorer = TreeScorer.of(booster)
    assert scorer is not None
    asked = features(rows, 0.3, seed + 1)
    asked[::5, 0] = np.nan  # missing where nothing was missing before
    asked[::7, 3] = np.inf
    asked[::11, 4] = -np.inf
    assert np.array_equal(scorer(asked), booster.predict(asked, raw_score=True))


def test_a_value_on_a_threshold_turns_left() -> None:
    booster = grown(features(400, 0.1, 3), 3)
    scorer = TreeScorer.of(booster)
    assert scorer is not None
    limits = scorer.threshold[np.abs(scorer.threshold) < 1e30]
    limits = np.concatenate(
        [limits, np.nextafter(limits, np.float32(np.inf)), np.float32([1e-35, -1e-35, 1e-36, -0.0])]
    )
    asked = np.repeat(limits[:, None], 7, axis=1)
    assert np.array_equal(scorer(asked), booster.predict(asked, raw_score=True))


def test_trees_without_a_split_add_their_constant() -> None:
    data = features(50, 0.0, 1)
    options = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(data, np.arange(50) % 2), 3)
    scorer = TreeScorer.of(booster)
    assert scorer is not None and np.array_equal(scorer(data), booster.predict(data, raw_score=True))


def test_nothing_asked_is_nothing_answered() -> None:
    scorer = TreeScorer.of(grown(features(400, 0.1, 3), 3))
    assert scorer is not None and scorer(features(0, 0.1, 3)).size == 0


def test_larger_trees_are_left_to_lightgbm() -> None:
    assert TreeScorer.of(grown(features(400, 0.1, 3), 3, MOST_LEAVES + 1)) is None


def test_splits_on_categories_are_refused() -> None:
    data = features(400, 0.0, 3)
    data[:, 2] = np.round(data[:, 2] * 3)
    bought = (data[:, 2] == 1).astype(float)
    options = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_per_group": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(data, bought, categorical_feature=[2]), 2)
    with pytest.raises(DataError, match="=="):
        TreeScorer.of(booster)
