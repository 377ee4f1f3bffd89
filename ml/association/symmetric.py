"""A sparse symmetric matrix over products: what is not stored is zero."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ml.association.baskets import Codes, Ints, Reals


@dataclass(frozen=True)
class SymmetricPairs:
    """Values of pairs of products, each stored at both of its rows.

    Attributes
    ----------
    starts
        (products + 1,) int64: row i holds ``neighbours[starts[i]:starts[i + 1]]``.
    neighbours
        Product codes, ascending within a row, int32.
    values
        float64, aligned with ``neighbours``.
    """

    starts: Ints
    neighbours: Codes
    values: Reals

    @classmethod
    def of(cls, first: Codes, second: Codes, values: Reals, products: int) -> "SymmetricPairs":
        """Return the matrix of (pairs,) values, pairs given once; zeros are not stored."""
        kept = values != 0
        rows = np.concatenate([first[kept], second[kept]])
        columns = np.concatenate([second[kept], first[kept]])
        order = np.lexsort((columns, rows))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(rows, minlength=products))])
        both = np.concatenate([values[kept], values[kept]])[order].astype(np.float64)
        return cls(starts, columns[order].astype(np.int32), both)

    def block(self, codes: NDArray[np.integer]) -> Reals:
        """Return the (n, n) dense matrix among ``codes`` (n distinct products; -1 for one that is not known)."""
        return _block(self.starts, self.neighbours, self.values, codes.astype(np.int64))

    def between(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs,) values of pairs given by code."""
        products = len(self.starts) - 1
        rows = np.repeat(np.arange(products, dtype=np.int64), np.diff(self.starts))
        keys = rows * products + self.neighbours
        wanted = first.astype(np.int64) * products + second
        at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        if not len(keys):
            return np.zeros(len(wanted))
        return np.where(keys[at] == wanted, self.values[at], 0.0)

    def cosines(self, first: Codes, second: Codes) -> Reals:
        """Return the (pairs,) cosine of the two rows of each pair; fastest when ``first`` ascends."""
        squares = np.concatenate([np.zeros(1), np.cumsum(self.values**2)])
        length = np.sqrt(np.maximum(np.diff(squares[self.starts]), 0.0))
        both = _products(self.starts, self.neighbours, self.values, first, second)
        return np.asarray(both / np.maximum(length[first] * length[second], 1e-12))

    def summed(self, codes: NDArray[np.integer]) -> Reals:
        """Return the (products,) sum of the rows of ``codes``: how strongly each product is tied to them."""
        return _summed(self.starts, self.neighbours, self.values, codes.astype(np.int64))


@njit(cache=True, nogil=True)
def _summed(starts, neighbours, values, codes):  # type: ignore[no-untyped-def]
    total = np.zeros(len(starts) - 1)
    for code in codes:
        for cell in range(starts[code], starts[code + 1]):
            total[neighbours[cell]] += values[cell]
    return total


@njit(cache=True, nogil=True)
def _products(starts, neighbours, values, first, second):  # type: ignore[no-untyped-def]
    row, here = np.zeros(len(starts) - 1), -1
    found = np.zeros(len(first))
    for pair in range(len(first)):
        if first[pair] != here:
            here = first[pair]
            row[:] = 0.0
            for cell in range(starts[here], starts[here + 1]):
                row[neighbours[cell]] = values[cell]
        for cell in range(starts[second[pair]], starts[second[pair] + 1]):
            found[pair] += row[neighbours[cell]] * values[cell]
    return found


@njit(cache=True, nogil=True)
def _block(starts, neighbours, values, codes):  # type: ignore[no-untyped-def]
    size = len(codes)
    position = np.full(len(starts) - 1, -1, np.int32)
    for column in range(size):
        if codes[column] >= 0:
            position[codes[column]] = column
    dense = np.zeros((size, size))
    for row in range(size):
        if codes[row] < 0:
            continue
        for cell in range(starts[codes[row]], starts[codes[row] + 1]):
            column = position[neighbours[cell]]
            if column >= 0:
                dense[row, column] = values[cell]
    return dense
