"""The commissioning formula gives everybody the same ranking; a model with an interaction does not."""

import numpy as np
import polars as pl
import pytest

from ml.errors import ConfigError
from ml.preference.baselines import PersonalFrequency
from ml.preference.contract import PreferenceModel
from ml.preference.two_tower import TwoTowerAdditive, TwoTowerParams
from tests.preference.conftest import CUT, World, everything


def distinct_top_10s(model: PreferenceModel, world: World) -> int:
    asked = everything([f"c{k:02d}" for k in range(40)], world.products["product_id"].to_list(), CUT)
    scored = asked.with_columns(p=pl.Series(model.score(world.baskets, world.products, asked)))
    ranked = scored.sort("customer_id", pl.col("p"), descending=[False, True]).group_by("customer_id").head(10)
    return ranked.group_by("customer_id", maintain_order=True).agg("product_id")["product_id"].n_unique()


def test_every_customer_gets_the_same_ten_products(world: World) -> None:
    additive = TwoTowerAdditive().fit(world.baskets, world.products, world.examples)
    assert distinct_top_10s(additive, world) == 1
    assert distinct_top_10s(PersonalFrequency().fit(world.baskets, world.products, world.examples), world) == 40


def test_customers_differ_in_level_only(world: World) -> None:
    model = TwoTowerAdditive().fit(world.baskets, world.products, world.examples)
    asked = everything(["c00", "c01"], world.products["product_id"].to_list(), CUT)
    p = model.score(world.baskets, world.products, asked).reshape(2, -1)
    log_odds = np.log(p / (1 - p))
    assert np.allclose(log_odds[0] - log_odds[1], log_odds[0, 0] - log_odds[1, 0])


def test_it_learns_which_products_are_bought_more(world: World) -> None:
    model = TwoTowerAdditive().fit(world.baskets, world.products, world.examples)
    names = world.products["product_id"].to_list()
    p = model.score(world.baskets, world.products, everything(["c00"], names, CUT))
    rates = world.examples.group_by("product_id").agg(pl.col("is_bought").mean()).sort("product_id")["is_bought"]
    assert np.corrcoef(p, rates.to_numpy())[0, 1] > 0.9
    assert model.score(world.baskets, world.products, world.examples).mean() == pytest.approx(
        world.examples["is_bought"].mean(), rel=0.1
    )


def test_params_refuse_nonsense_by_name() -> None:
    with pytest.raises(ConfigError, match="dimensions"):
        TwoTowerParams(dimensions=0)
