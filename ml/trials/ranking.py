"""Rank the whole catalogue for each request, and measure what came of it."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from ml.candidates import propose
from ml.errors import DataError
from ml.evaluation.bootstrap import bootstrap_mean, clustered_bootstrap
from ml.preference.baselines import GlobalPopularity
from ml.preference.contract import PreferenceModel
from ml.preference.history import positions
from ml.preference.ranker import Ranker

BLOCK_ROWS = 1_000_000


def ranked_catalogue(
    model: PreferenceModel, baskets: pl.DataFrame, products: pl.DataFrame, requests: pl.DataFrame, places: int
) -> pl.DataFrame:
    """Return the best places of the catalogue for each request.

    What a model does not tell apart stands by its popularity before the cut, then by its id: a customer nobody knows
    gets the best sellers, a product nobody bought comes last. The ranker judges the candidates it was trained on, those
    of :func:`ml.candidates.propose`; the rest follows by popularity.

    Parameters
    ----------
    model
        Fitted.
    baskets
        Rows of ``features.ftr_baskets``; only those strictly before a request's cut are looked at.
    products
        Rows of ``features.ftr_products``, ordered by product.
    requests
        ``customer_id``, ``cut``: one a customer.
    places
        How many are returned for each request.

    Returns
    -------
    ``customer_id``, ``cut``, ``product_id``, ``place`` (1 = best), ``score``, ordered by customer and place.
    """
    names = products["product_id"]
    counted = GlobalPopularity().fit(baskets, products, requests)
    parts = []
    for block in _blocks(requests, len(names)):
        grid = block.select("customer_id", "cut").join(names.to_frame(), how="cross", maintain_order="left_right")
        popular = counted.score(baskets, products, grid.head(len(names)))
        order = np.argsort(-popular, kind="stable")
        if isinstance(model, Ranker):
            asked = propose(baskets, products, block.select("customer_id", "cut"))
            scores = np.full((block.height, len(names)), -1.0)
            at = positions(asked["customer_id"], block["customer_id"]), positions(asked["product_id"], names)
            scores[at] = model.score(baskets, products, asked)
        else:
            scores = model.score(baskets, products, grid).reshape(block.height, len(names))
        best = order[np.argsort(-scores[:, order], axis=1, kind="stable")[:, :places]]
        rows = np.repeat(np.arange(block.height), best.shape[1])
        parts.append(
            block.select("customer_id", "cut")[rows].with_columns(
                product_id=names.gather(best.ravel()),
                place=pl.Series(np.tile(np.arange(1, best.shape[1] + 1), block.height), dtype=pl.Int32),
                score=pl.Series(scores[rows, best.ravel()]),
            )
        )
    return pl.concat(parts).sort("customer_id", "place")


def _blocks(requests: pl.DataFrame, products: int) -> Iterator[pl.DataFrame]:
    """Yield requests of one cut, ordered by customer, few enough for a dense block."""
    step = max(1, BLOCK_ROWS // max(products, 1))
    for _, group in requests.sort("cut", "customer_id").group_by("cut", maintain_order=True):
        for start in range(0, group.height, step):
            yield group.slice(start, step)


def intervals(table: pl.DataFrame, key: str, seed: int) -> dict[str, dict[str, float]]:
    """Return the mean of each column but the key, with the ends of its 95 % interval.

    Raises
    ------
    DataError
        When there is nobody to judge.
    """
    if table.is_empty():
        raise DataError("nobody to judge: no question has an answer")
    found = {name: bootstrap_mean(table[name].to_numpy(), seed=seed) for name in table.columns if name != key}
    return {name: {"value": mean.value, "low": mean.low, "high": mean.high} for name, mean in found.items()}


def clustered_intervals(table: pl.DataFrame, owners: pl.Series, seed: int) -> dict[str, dict[str, float]]:
    """Return the same of questions of which several may belong to one owner: owners are drawn, not questions."""
    cluster = (owners.rank("dense") - 1).cast(pl.Int64).to_numpy()
    found = {name: clustered_bootstrap(table[name].to_numpy(), cluster, seed=seed) for name in table.columns}
    return {name: {"value": mean.value, "low": mean.low, "high": mean.high} for name, mean in found.items()}
