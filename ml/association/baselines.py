"""Associations to compare with: the commissioning formula over attributes.

Population lift and the cosine of co-purchases are other readings of the same counts
(:meth:`ml.association.cooccurrence.Cooccurrence.values`).
"""

import zlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.association.baskets import Reals
from ml.association.content import LEVELS
from ml.errors import DataError

ATTRIBUTES = ("department", "category_path", "brand")
DIMENSIONS = 64


def scaled_cosine(left: Reals, right: Reals) -> Reals:
    """Return cosine(e_i, e_j) / sqrt(d_i d_j), clipped at 0 because an association is never negative.

    With one number of dimensions d the factor is the constant 1/d: it changes no ranking. Likeness of attributes
    finds products that replace each other rather than complements.

    Parameters
    ----------
    left, right
        (..., d_i) and (..., d_j) embedding vectors, d_i = d_j.

    Raises
    ------
    DataError
        When the vectors have different dimensions.
    """
    if left.shape[-1] != right.shape[-1]:
        raise DataError(f"scaled_cosine: vectors of {left.shape[-1]} and {right.shape[-1]} dimensions do not compare")
    lengths = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    product = (left * right).sum(-1)
    cosine = np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
    return np.asarray(np.maximum(cosine, 0.0) / np.sqrt(left.shape[-1] * right.shape[-1]))


def attribute_vectors(products: pl.DataFrame, dimensions: int = DIMENSIONS) -> Reals:
    """Return (products, dimensions) vectors of department, category path and brand, hashed with signs.

    Parameters
    ----------
    products
        Columns ``department``, ``category_path`` (levels joined by " > "), ``brand``; null where unknown.
    dimensions
        Length of a vector.

    Source
    ------
    Weinberger et al. (2009), Feature hashing for large scale multitask learning, ICML.
    """
    vectors: NDArray[np.float64] = np.zeros((products.height, dimensions))
    for row, values in enumerate(products.select(ATTRIBUTES).iter_rows()):
        for name, value in zip(ATTRIBUTES, values, strict=True):
            for level in (value or "").split(LEVELS):
                if level:
                    digest = zlib.crc32(f"{name}={level}".encode())
                    vectors[row, digest % dimensions] += 1.0 if digest & 0x8000_0000 else -1.0
    return vectors


class AttributeCosine:
    """Scaled cosine of attribute vectors, asked like a matrix of pairs.

    Parameters
    ----------
    vectors
        (products, dimensions), as :func:`attribute_vectors` gives them.
    """

    def __init__(self, vectors: Reals) -> None:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)

    def between(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs,) association of pairs given by code."""
        return scaled_cosine(self._unit[first], self._unit[second])

    def summed(self, codes: NDArray[np.integer]) -> Reals:
        """Return the (products,) summed association of each product with those of ``codes``."""
        cosines = np.maximum(self._unit @ self._unit[codes].T, 0.0)
        return np.asarray(cosines.sum(axis=1) / self._unit.shape[1])
