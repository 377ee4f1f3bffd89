"""Lambdarank ranks requests, not rows; what else a ranker promises, ``test_contract.py`` holds it to."""

import numpy as np
import polars as pl
import pytest

from ml.preference.lambdarank import Lambdarank
from ml.preference.ranker import Ranker, RankerParams
from tests.preference.conftest import World


@pytest.fixture(scope="module")
def params() -> RankerParams:
    return RankerParams(trees=20, patience=20)


def test_the_order_of_the_examples_changes_nothing(world: World, params: RankerParams) -> None:
    """Rows of a request must stand together for LightGBM; they need not when they are given."""
    straight = Lambdarank(params).fit(world.baskets, world.products, world.examples)
    mixed = world.examples.sample(fraction=1, shuffle=True, seed=4)
    other = Lambdarank(params).fit(world.baskets, world.products, mixed)
    asked = world.examples.filter("is_validation")
    scores = [model.score(world.baskets, world.products, asked) for model in (straight, other)]
    assert np.array_equal(*scores)


def test_it_watches_the_order_and_says_probabilities_all_the_same(world: World, params: RankerParams) -> None:
    model = Lambdarank(params).fit(world.baskets, world.products, world.examples)
    curve = [value for _, value in model.curve]
    assert len(curve) == 20 and max(curve) > curve[0] > 0, "NDCG rises"
    held_out = world.examples.filter("is_validation")
    p = model.score(world.baskets, world.products, held_out)
    rate = held_out["is_bought"].mean()
    assert p.mean() == pytest.approx(rate, rel=0.05)
    binary = Ranker(params).fit(world.baskets, world.products, world.examples)
    assert not np.array_equal(p, binary.score(world.baskets, world.products, held_out))


def test_requests_are_ranked_apart(world: World, params: RankerParams) -> None:
    two = world.examples.sort("customer_id", "cut", "product_id")
    sizes = Lambdarank(params)._groups(two)
    assert sizes is not None and sum(sizes) == two.height
    assert len(sizes) == two.select(pl.struct("customer_id", "cut").n_unique()).item()
    assert Ranker(params)._groups(two) is None
