"""Other associations than that of counted pairs, to be judged beside it.

What bundles are made of stays the lift of counted pairs with evidence: their probabilities are calibrated with it. The
regression completes baskets best, the graph and the categories are what there is for products without sales.
"""

import polars as pl

from ml.association.attributes import node_attributes
from ml.association.baskets import IndexedBaskets
from ml.association.content import CategoryLift
from ml.association.graph import GraphEmbedding, GraphParams
from ml.association.regression import BasketRegression

Other = BasketRegression | GraphEmbedding | CategoryLift


def other_readings(
    baskets: IndexedBaskets, catalogue: pl.DataFrame, seed: int, sentences: bool = False
) -> dict[str, Other]:
    """Return the readings by name.

    Parameters
    ----------
    baskets
        What is learned from.
    catalogue
        One row for each of ``baskets.product_ids``, in their order: ``title``, ``category_path``, ``brand`` and any
        ``*_vector``.
    sentences
        Whether the graph reads titles by the sentence model.
    """
    return {
        "regression": BasketRegression(baskets),
        "graph": GraphEmbedding(baskets, node_attributes(catalogue, sentences)[0], GraphParams(), seed),
        "category_lift": CategoryLift(baskets, catalogue["category_path"]),
    }
