"""Shops of a strange shape: what is counted of them is defined."""

import numpy as np
import polars as pl

from ml.association.baskets import index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence


def fitted(products: list[list[str]]) -> Cooccurrence:
    baskets = pl.DataFrame({"customer_id": [f"c{n % 7}" for n in range(len(products))], "product_ids": products})
    return fit_cooccurrence(index_baskets(baskets), CooccurrenceParams(5.0, 5))


def test_where_everybody_buys_everything_every_measure_is_finite() -> None:
    model = fitted([[f"p{n:02d}" for n in range(40)]] * 50)
    frame = model.frame()
    assert frame.height == 40 * 39 / 2
    assert np.isfinite(frame.select(pl.selectors.numeric()).to_numpy()).all()
    assert np.allclose(model.values("population_lift"), 1), "what is always together says nothing about anything"


def test_where_nobody_buys_two_things_there_is_no_pair() -> None:
    model = fitted([["a"], ["b"], ["c"]] * 30)
    assert model.frame().is_empty() and model.values("lift").size == 0
