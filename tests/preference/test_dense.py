"""The commissioning sample's network: learns the customer's taste, tells why it cannot, is scored by numpy alone."""

import numpy as np
import polars as pl
import pytest

from ml.errors import ConfigError, DataError
from ml.preference.baselines import GlobalPopularity
from ml.preference.dense import DenseNetwork, DenseParams
from tests.preference.conftest import World


def test_it_is_nearer_to_what_is_bought_than_popularity(world: World) -> None:
    bought = world.examples["is_bought"].to_numpy()
    errors = []
    for model in (DenseNetwork(), GlobalPopularity()):
        p = model.fit(world.baskets, world.products, world.examples).score(
            world.baskets, world.products, world.examples
        )
        errors.append(np.mean((p - bought) ** 2))
    assert errors[0] < 0.9 * errors[1]


def test_drawn_rows_stand_for_those_left_out(world: World) -> None:
    few = DenseNetwork(DenseParams(most_rows=int(world.examples["is_bought"].sum()) * 2, epochs=40))
    p = few.fit(world.baskets, world.products, world.examples).score(world.baskets, world.products, world.examples)
    share = world.examples["is_bought"].mean()
    assert p.mean() == pytest.approx(share, rel=0.3)


def test_examples_of_one_answer_are_refused(world: World) -> None:
    with pytest.raises(DataError, match="both answers"):
        DenseNetwork().fit(world.baskets, world.products, world.examples.with_columns(is_bought=pl.lit(True)))


@pytest.mark.parametrize("name", ["units", "epochs", "learning_rate", "most_rows"])
def test_params_refuse_nonsense_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        DenseParams(**{name: 0})  # type: ignore[arg-type]


def test_a_free_product_is_unknown_by_its_price_ratio_and_not_certain(world: World) -> None:
    free = world.baskets.with_columns(
        paid_cents=pl.when(pl.int_range(pl.len()) % 3 == 0)
        .then(pl.col("paid_cents").list.eval(pl.element() * 0))
        .otherwise(pl.col("paid_cents"))
    )
    p = DenseNetwork().fit(free, world.products, world.examples).score(free, world.products, world.examples)
    assert p.min() > 0 and p.max() < 1
