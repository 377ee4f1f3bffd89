"""What is known of a product besides its sales, as one sparse row: the attributes at the nodes of the graph."""

import logging

import numpy as np
import polars as pl
from scipy import sparse

from ml.association.content import category_levels, title_words
from ml.association.sentences import sentence_vectors
from ml.errors import DataError

VECTOR_SUFFIX = "_vector"
log = logging.getLogger(__name__)


def node_attributes(products: pl.DataFrame, sentences: bool = False) -> tuple[sparse.csr_matrix, tuple[str, ...]]:
    """Return the (products, features) attributes and the names of the kinds found.

    Category levels, brand, titles (as TF-IDF of words, or as sentence vectors where they are asked for) and every
    column named ``*_vector``, whatever it was made of: pictures, sounds, texts. Each kind has rows of length 1, or 0
    where the product lacks it. Vectors are centred, as what all have in common tells nobody apart. Those with another
    number of entries than most of their column count as unknown, and the log says how many.

    Parameters
    ----------
    products
        ``title``, ``category_path``, ``brand``; optional list columns ``*_vector`` of numbers, null where unknown.
    sentences
        Whether titles are read by the sentence model: a choice, not a finding, so that equal data give equal models
        whatever is installed.

    Raises
    ------
    ConfigError
        When sentences are asked for and their model is not installed.
    DataError
        When a vector holds what is no finite number.
    """
    titles = sparse.csr_matrix(sentence_vectors(products["title"])) if sentences else title_words(products["title"])
    kinds = {"title": titles, "category": category_levels(products["category_path"]), "brand": _brands(products)}
    for name in products.columns:
        if name.endswith(VECTOR_SUFFIX):
            kinds[name] = _vectors(products[name])
    found = {name: rows for name, rows in kinds.items() if rows.nnz}
    if not found:
        return sparse.csr_matrix((products.height, 1), dtype=np.float32), ()
    return sparse.hstack(list(found.values()), "csr").astype(np.float32), tuple(found)


def _brands(products: pl.DataFrame) -> sparse.csr_matrix:
    brands = products["brand"]
    number = (brands.rank("dense") - 1).cast(pl.Int64)
    rows = np.flatnonzero(brands.is_not_null().to_numpy())
    shape = (products.height, max(brands.n_unique(), 1))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, number.drop_nulls().to_numpy())), shape)


def _vectors(column: pl.Series) -> sparse.csr_matrix:
    lengths = column.list.len().fill_null(0)
    size = _usual(lengths)
    if not size:
        return sparse.csr_matrix((len(column), 1))
    is_usual = (lengths == size).to_numpy()
    left_out = int((lengths > 0).sum()) - int(is_usual.sum())
    if left_out:
        log.warning("%s: %d vectors left out: most have %d numbers and these have not", column.name, left_out, size)
    rows = column.filter(is_usual).explode().cast(pl.Float32).to_numpy().reshape(-1, size)
    is_finite = np.isfinite(rows).all(axis=1)
    if not is_finite.all():
        raise DataError(f"{column.name}: {int((~is_finite).sum())} vectors hold no finite number")
    rows = rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    whole = np.zeros((len(column), size), np.float32)
    whole[is_usual] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return sparse.csr_matrix(whole)


def _usual(lengths: pl.Series) -> int:
    """Return the length that most vectors have, the shorter of two as frequent; 0 where there is no vector."""
    found = lengths.filter(lengths > 0).value_counts().sort("count", lengths.name, descending=[True, False])
    return int(found[lengths.name][0]) if found.height else 0
