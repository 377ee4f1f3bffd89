"""Which product completes a basket: readings of counts, titles and categories, and a blend of them.

Every model is a weighted sum of the same columns, so that one pass over the columns judges all of them.
"""

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from ml.association.attributes import node_attributes
from ml.association.baselines import AttributeCosine, attribute_vectors
from ml.association.baskets import IndexedBaskets, Ints, Reals, index_baskets
from ml.association.content import CategoryLift, category_levels, title_pieces, title_words
from ml.association.cooccurrence import CooccurrenceParams, Kind, fit_cooccurrence
from ml.association.graph import GraphEmbedding, GraphParams
from ml.association.regression import BasketRegression
from ml.association.sentences import sentence_vectors

KINDS: tuple[Kind, ...] = ("lift", "population_lift", "cosine")
REGRESSION, GRAPH, SENTENCES = "regression", "graph", "sentences"
SCALED, CATEGORIES = "scaled_cosine", "category_lift"
COLUMNS = (
    *KINDS, REGRESSION, "nearest", "focused", "popularity", "words", "pieces", "category", CATEGORIES, SCALED, GRAPH,
    SENTENCES,
)  # fmt: skip
MODELS: dict[str, dict[str, float]] = {
    "lift": {"lift": 1.0},
    "population_lift": {"population_lift": 1.0},
    "cosine": {"cosine": 1.0},
    REGRESSION: {REGRESSION: 1.0},
    "popularity": {"popularity": 1.0},
    CATEGORIES: {CATEGORIES: 1.0},
    SCALED: {SCALED: 1.0},
    GRAPH: {GRAPH: 1.0},
    SENTENCES: {SENTENCES: 1.0},
    "text_category": {"words": 1.0, "pieces": 2.0, "category": 0.4},
}
"""Named models by their weights; what has no weight counts nothing. Those of titles and categories completed the
validation bundles of BundleRec electronics best (Sun et al., 2022), and need no baskets at all."""
GRAPH_SEED = 0
RIDGE = 10.0
"""Of the squared weights, on columns of unit spread: keeps the weight of what a few questions favour small. Chosen on
the validation of BundleRec electronics, where 1 gives .005 less NDCG@10."""

Columns = NDArray[np.float32]


class Completion:
    """Columns that say how well each product of a catalogue goes with some others.

    Parameters
    ----------
    baskets
        Baskets of the period that is learned from, as ``features.ftr_baskets``.
    products
        Catalogue, ``product_id`` in ascending order, ``title``, ``department``, ``category_path``, ``brand``, and any
        ``*_vector``.
    params
        How pairs are counted.
    asked
        Columns that will be weighed. ``regression``, ``graph`` and ``sentences`` take long, and are 0 where they are
        not among them.
    sentences
        Whether the graph, too, reads titles by the sentence model.

    Raises
    ------
    ConfigError
        When sentences are to be read and their model is not installed.
    """

    def __init__(
        self, baskets: pl.DataFrame, products: pl.DataFrame, params: CooccurrenceParams,
        asked: Collection[str] = COLUMNS, sentences: bool = False,
    ) -> None:  # fmt: skip
        indexed = index_baskets(baskets, products["product_id"].to_list())
        counted = fit_cooccurrence(indexed, params)
        self._pairs = {kind: counted.matrix(kind) for kind in KINDS}
        cosine = self._pairs["cosine"]
        shape = (products.height, products.height)
        self._cosine = sparse.csr_matrix((cosine.values, cosine.neighbours, cosine.starts), shape)
        self._regression = BasketRegression(indexed) if REGRESSION in asked else None
        self._focused = _focused(indexed)
        self._popularity = np.log1p(counted.product_baskets)
        self._content = {
            "words": title_words(products["title"]),
            "pieces": title_pieces(products["title"]),
            "category": category_levels(products["category_path"]),
        }
        if SENTENCES in asked:
            self._content[SENTENCES] = sparse.csr_matrix(sentence_vectors(products["title"]))
        self._attributes = AttributeCosine(attribute_vectors(products))
        self._categories = CategoryLift(indexed, products["category_path"])
        self._graph = None
        if GRAPH in asked:
            self._graph = GraphEmbedding(indexed, node_attributes(products, sentences)[0], GraphParams(), GRAPH_SEED)

    def columns(self, shown: Ints) -> Columns:
        """Return the (products, len(COLUMNS)) columns beside the products ``shown``.

        All but one are means over what is shown; ``nearest`` is the largest cosine, and ``focused`` a cosine where a
        basket counts one over its size, as a large one says less about each of its pairs. Readings of counts are
        logarithms, as their spread is that of ratios.
        """
        found = {str(kind): pairs.summed(shown) / len(shown) for kind, pairs in self._pairs.items()}
        found["nearest"] = self._cosine[shown].max(axis=0).toarray().ravel()
        asked = np.bincount(shown, minlength=len(self._popularity)) / len(shown)
        found["focused"] = self._focused.T @ (self._focused @ asked)
        if self._regression is not None:
            found[REGRESSION] = np.maximum(self._regression.summed(shown), 0.0)
        found = {name: np.log1p(100 * values) for name, values in found.items()}
        for name, rows in self._content.items():
            found[name] = np.asarray(rows @ rows[shown].mean(axis=0).T).ravel()
        found |= {"popularity": self._popularity, CATEGORIES: self._categories.mean(shown)}
        found[SCALED] = self._attributes.summed(shown) / len(shown)
        if self._graph is not None:
            found[GRAPH] = np.log(self._graph.summed(shown) / len(shown))
        none = np.zeros(len(self._popularity))
        return np.stack([found.get(name, none) for name in COLUMNS], axis=1).astype(np.float32)


def _focused(baskets: IndexedBaskets) -> sparse.csr_matrix:
    """Return (baskets, products), each entry 1 / sqrt(size of the basket), columns of length 1."""
    sizes = np.diff(baskets.starts)
    entries = 1 / np.sqrt(np.repeat(sizes, sizes))
    length = np.sqrt(np.bincount(baskets.items, entries**2, minlength=len(baskets.product_ids)))
    shape = (baskets.baskets_total, len(baskets.product_ids))
    return sparse.csr_matrix((entries / length[baskets.items], baskets.items, baskets.starts), shape)


def weights_of(model: str) -> Reals:
    """Return the (len(COLUMNS),) weights of a named model."""
    return np.array([MODELS[model].get(name, 0.0) for name in COLUMNS])


def fit_blend(questions: Sequence[Columns], answers: Sequence[int]) -> Reals:
    """Return the weights under which the answers are likeliest, (len(COLUMNS),).

    The probability of an alternative is proportional to the exponential of its weighted sum; squared weights are
    penalised by ``RIDGE``.

    Parameters
    ----------
    questions
        For each question the columns of its alternatives.
    answers
        For each question which alternative is right.

    Source
    ------
    McFadden (1974), Conditional logit analysis of qualitative choice behavior, in Frontiers in Econometrics.
    """
    stacked = np.concatenate(questions).astype(np.float64)
    spread = stacked.std(axis=0)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    stacked *= scale
    starts = np.concatenate([[0], np.cumsum([len(one) for one in questions])])
    right = stacked[starts[:-1] + np.asarray(answers)]
    owner = np.repeat(np.arange(len(questions)), np.diff(starts))

    def loss(weights: Reals) -> tuple[float, Reals]:
        scores = stacked @ weights
        scores -= np.maximum.reduceat(scores, starts[:-1])[owner]
        odds = np.exp(scores)
        total = np.add.reduceat(odds, starts[:-1])
        share = odds / total[owner]
        likelihood = (scores[starts[:-1] + np.asarray(answers)] - np.log(total)).sum()
        slope = right.sum(axis=0) - share @ stacked
        return RIDGE * weights @ weights / 2 - likelihood, RIDGE * weights - slope

    found = minimize(loss, np.zeros(stacked.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x * scale)
