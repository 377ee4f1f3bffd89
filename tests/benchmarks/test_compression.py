"""The compression benchmark compares what it says: the same candidates, the weights alone."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from benchmarks.compression import Variant, _bytes, _timed, _trees
from benchmarks.scoring import SMALLER
from ml.preference.ranker import Ranker
from ml.preference.sequence import Gru
from ml.training import Shop
from tests.preference.conftest import World, world  # noqa: F401 - a fixture
from tests.preference.test_sequence import QUICK


def test_eight_bits_are_timed_and_weighed_beside_thirty_two(world: World) -> None:  # noqa: F811
    shop = Shop(world.baskets, world.products)
    full = Gru(replace(QUICK, epochs=1)).fit(world.baskets, world.products, world.examples)
    variants = {"float32": Variant(full), "int8": Variant(full.in_int8(), "float32")}
    seconds, found = _timed(variants, shop, world.examples)
    assert all(0 < value < 60 for value in seconds.values())
    assert found["int8"]["product_id"].equals(found["float32"]["product_id"])
    assert _bytes(variants["int8"].model) < 0.6 * _bytes(full)


def test_smaller_trees_are_smaller_than_the_ranker(world: World) -> None:  # noqa: F811
    variants = _trees(Shop(world.baskets, world.products), world.examples)
    assert set(variants) == {"ranker", *SMALLER}
    models = {name: one.model for name, one in variants.items()}
    assert all(isinstance(model, Ranker) for model in models.values())
    assert _bytes(models["half_the_trees"]) < _bytes(models["ranker"])
