"""What titles and categories say about products going together: all there is for a product nobody bought yet."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from ml.association.baskets import IndexedBaskets, Ints, Reals

LEVELS = " > "
SMOOTHING = 0.5
"""Pairs imagined for each pair of categories, seen and expected alike."""


def title_words(titles: pl.Series) -> sparse.csr_matrix:
    """Return the (products, words) TF-IDF of titles, rows of length 1; products without a title are empty.

    Source
    ------
    Salton and Buckley (1988), Term-weighting approaches in automatic text retrieval, Information Processing and
    Management 24(5).
    """
    return _vectors(titles, TfidfVectorizer(sublinear_tf=True))


def title_pieces(titles: pl.Series) -> sparse.csr_matrix:
    """Return the same of pieces of three to five letters, which catch model numbers and plurals."""
    return _vectors(titles, TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True))


def category_levels(paths: pl.Series) -> sparse.csr_matrix:
    """Return the (products, prefixes) TF-IDF of category paths cut at each level, rows of length 1.

    Two paths are alike by the levels they share from the top; a level that few products stand in counts more.
    """
    return _vectors(paths, TfidfVectorizer(analyzer=_prefixes))


def _prefixes(path: str) -> Iterator[str]:
    levels = path.split(LEVELS) if path else []
    return (LEVELS.join(levels[:depth]) for depth in range(1, len(levels) + 1))


def _vectors(texts: pl.Series, vectorizer: TfidfVectorizer) -> sparse.csr_matrix:
    given = texts.fill_null("").to_list()
    analyse = vectorizer.build_analyzer()
    if not any(True for text in given for _ in analyse(text)):
        return sparse.csr_matrix((len(given), 1))
    return vectorizer.fit_transform(given)


MOST_CATEGORIES = 3000
"""Paths are cut at a higher level where there are more: the lift of all pairs is kept in memory."""


class CategoryLift:
    """How much more often products of two categories lie in one basket than chance has it, as a logarithm.

    log((C + 1/2) / (E + 1/2)), C the pairs of products of the two categories in the baskets, E those expected were the
    ends of all pairs dealt at random. Two products of one category count too. Products without a category get 0.

    Parameters
    ----------
    baskets
        What is learned from, over ``baskets.product_ids``.
    paths
        Category path of each of those products, null where unknown.
    """

    def __init__(self, baskets: IndexedBaskets, paths: pl.Series) -> None:
        paths = _cut(paths)
        names = paths.drop_nulls().unique().sort()
        number = paths.replace_strict(names, np.arange(len(names)), default=len(names), return_dtype=pl.Int64)
        self._category: Ints = number.to_numpy()
        n = len(names) + 1
        held = sparse.csr_matrix(
            (np.ones(len(baskets.items)), self._category[baskets.items], baskets.starts), (baskets.baskets_total, n)
        )
        pairs = (held.T @ held).toarray() - np.diag(np.asarray(held.sum(axis=0)).ravel())
        ends = pairs.sum(axis=0)
        expected = np.outer(ends, ends) / max(ends.sum(), 1.0)
        self._lift = np.log((pairs + SMOOTHING) / (expected + SMOOTHING))
        self._lift[-1], self._lift[:, -1] = 0.0, 0.0

    def between(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> Reals:
        """Return the (pairs,) lift of the categories of pairs given by code."""
        return np.asarray(np.exp(self._lift[self._category[first], self._category[second]]))

    def summed(self, codes: NDArray[np.integer]) -> Reals:
        """Return the (products,) summed lift of each product's category with those of ``codes``."""
        return np.asarray(np.exp(self._lift[:, self._category[codes]]).sum(axis=1)[self._category])

    def mean(self, codes: Ints) -> Reals:
        """Return the (products,) mean lift of each product's category with those of ``codes``."""
        return np.asarray(self._lift[:, self._category[codes]].mean(axis=1)[self._category])


def _cut(paths: pl.Series) -> pl.Series:
    """Return paths cut at the deepest level that tells few enough categories apart; null where none does."""
    levels = paths.str.split(LEVELS)
    for depth in range(int(levels.list.len().max() or 0), 0, -1):  # type: ignore[arg-type]
        shortened = levels.list.head(depth).list.join(LEVELS)
        if shortened.n_unique() <= MOST_CATEGORIES:
            return shortened
    return pl.Series([None] * len(paths), dtype=pl.String)
