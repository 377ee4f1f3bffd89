"""The sparse symmetric matrix against a dense one."""

import numpy as np
import pytest

from ml.association.symmetric import SymmetricPairs


@pytest.fixture
def dense() -> np.ndarray:
    rng = np.random.default_rng(7)
    upper = np.triu(rng.random((9, 9)) * (rng.random((9, 9)) < 0.4), 1)
    return upper + upper.T


@pytest.fixture
def sparse(dense: np.ndarray) -> SymmetricPairs:
    first, second = (side.astype(np.int32) for side in np.triu_indices(9, 1))
    return SymmetricPairs.of(first, second, dense[first, second], 9)


def test_a_block_equals_the_dense_rows_and_columns(dense: np.ndarray, sparse: SymmetricPairs) -> None:
    codes = np.array([4, 0, 8, 3])
    assert (sparse.block(codes) == dense[np.ix_(codes, codes)]).all()


def test_an_unknown_product_has_an_empty_row_and_column(dense: np.ndarray, sparse: SymmetricPairs) -> None:
    block = sparse.block(np.array([2, -1, 5]))
    assert block[1].tolist() == block[:, 1].tolist() == [0, 0, 0]
    assert block[0, 2] == dense[2, 5]


def test_single_pairs_are_found_in_either_order(dense: np.ndarray, sparse: SymmetricPairs) -> None:
    first, second = np.triu_indices(9, 1)
    assert (sparse.between(first, second) == dense[first, second]).all()
    assert (sparse.between(second, first) == dense[first, second]).all()


def test_zeros_are_not_stored(sparse: SymmetricPairs, dense: np.ndarray) -> None:
    assert len(sparse.values) == (dense != 0).sum()


def test_an_empty_matrix_answers_zero() -> None:
    nothing = np.zeros(0, np.int32)
    empty = SymmetricPairs.of(nothing, nothing, np.zeros(0), 3)
    assert empty.block(np.array([0, 2])).tolist() == [[0, 0], [0, 0]]
    assert empty.between(np.array([0]), np.array([1])).tolist() == [0]


def test_the_cosine_of_two_rows_is_that_of_the_dense_matrix() -> None:
    rng = np.random.default_rng(5)
    dense = np.triu(rng.normal(size=(9, 9)) * (rng.random((9, 9)) < 0.5), 1)
    dense += dense.T
    dense[8] = dense[:, 8] = 0
    first, second = (side.astype(np.int32) for side in np.triu_indices(9, 1))
    sparse = SymmetricPairs.of(first, second, dense[first, second], 9)
    length = np.linalg.norm(dense, axis=1)
    wanted = (dense @ dense)[first, second] / np.maximum(length[first] * length[second], 1e-12)
    assert sparse.cosines(first, second) == pytest.approx(wanted)
