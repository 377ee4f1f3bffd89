"""The ranker: learns, stops early, grows again, refuses what it cannot read."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.errors import ColumnError, ConfigError, DataError, NotFittedError
from ml.preference.baselines import GlobalPopularity, PersonalDecayed
from ml.preference.features import GROUPS, features_of, starting_log_odds
from ml.preference.history import History
from ml.preference.ranker import Ranker, RankerParams
from tests.preference.conftest import CUT, World, everything


@pytest.fixture(scope="module")
def ranker(world: World) -> Ranker:
    return Ranker().fit(world.baskets, world.products, world.examples)


def test_it_ranks_better_than_popularity_on_later_baskets(ranker: Ranker, world: World) -> None:
    names = world.products["product_id"].to_list()
    asked = everything([f"c{k:02d}" for k in range(40)], names, CUT)
    later = world.baskets.filter(pl.col("basket_on") >= CUT).sort("basket_on").group_by("customer_id").first()
    bought = later.select("customer_id", product_id="product_ids", hit=1).explode("product_id")
    outcome = asked.join(bought, on=["customer_id", "product_id"], how="left", maintain_order="left")["hit"].fill_null(
        0
    )
    popular = GlobalPopularity().fit(world.baskets, world.products, world.examples)
    errors = [
        np.mean((model.score(world.baskets, world.products, asked) - outcome.to_numpy()) ** 2)
        for model in (ranker, popular)
    ]
    assert errors[0] < 0.9 * errors[1]


def test_it_stops_early_and_refits_with_as_many_trees(world: World) -> None:
    model = Ranker(RankerParams(trees=150)).fit(world.baskets, world.products, world.examples)
    assert 0 < model.rounds < 150
    rounds, before = model.rounds, model.importance()
    model.refit(world.baskets, world.products, world.examples)
    assert model.rounds == rounds and model.importance() != before


def test_without_validation_it_grows_all_trees(world: World) -> None:
    model = Ranker(RankerParams(trees=7)).fit(
        world.baskets, world.products, world.examples.with_columns(is_validation=pl.lit(False))
    )
    assert model.rounds == 7


def test_importance_is_a_share_of_the_correction_largest_first(ranker: Ranker) -> None:
    shares = ranker.importance()
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_the_trees_start_from_the_decayed_personal_frequency(world: World) -> None:
    start = starting_log_odds(features_of(History.of(world.baskets, world.products), world.examples))
    decayed = PersonalDecayed().fit(world.baskets, world.products, world.examples)
    expected = decayed.score(world.baskets, world.products, world.examples)
    assert np.allclose(1 / (1 + np.exp(-start)), expected, atol=2e-6)


def test_examples_of_one_answer_are_refused(world: World) -> None:
    with pytest.raises(DataError, match=r"degenerate_target.*both answers"):
        Ranker().fit(world.baskets, world.products, world.examples.with_columns(is_bought=pl.lit(False)))


def test_a_feature_that_never_varies_is_named_and_changes_nothing(ranker: Ranker, world: World) -> None:
    """The world has no promotions and no reviews: nowhere known."""
    assert {"display_now", "rating_mean", "rating_count"} <= set(ranker.constant)
    assert "days_since_last" not in ranker.constant
    assert all(ranker.importance()[name] == 0 for name in ranker.constant)
    same = world.examples.with_columns(co_purchase=pl.lit(0.0))
    model = Ranker().fit(world.baskets, world.products, same)
    assert "co_purchase" in model.constant and model.importance()["co_purchase"] == 0
    assert np.isfinite(model.score(world.baskets, world.products, same)).all()


def test_a_model_of_other_features_is_refused(ranker: Ranker, tmp_path: Path) -> None:
    ranker.save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    facts["features"][0] = "something else"
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match="other features"):
        Ranker.load(tmp_path)


def test_refit_needs_a_fit(world: World) -> None:
    with pytest.raises(NotFittedError):
        Ranker().refit(world.baskets, world.products, world.examples)


@pytest.mark.parametrize("name", ["trees", "leaves", "min_leaf_rows", "learning_rate"])
def test_params_refuse_nonsense_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        RankerParams(**{name: 0})  # type: ignore[arg-type]


def test_a_score_seen_when_fitted_is_needed_from_then_on(world: World, tmp_path: Path) -> None:
    told = world.examples.with_columns(sequence=pl.col("is_bought").cast(pl.Float64))
    model = Ranker(RankerParams(trees=20)).fit(world.baskets, world.products, told)
    assert next(iter(model.importance())) == "sequence"
    with pytest.raises(ColumnError, match="sequence"):
        model.score(world.baskets, world.products, world.examples)
    model.save(tmp_path)
    loaded = Ranker.load(tmp_path)
    expected = model.score(world.baskets, world.products, told)
    assert np.array_equal(loaded.score(world.baskets, world.products, told), expected)
    with pytest.raises(ColumnError, match="sequence"):
        loaded.score(world.baskets, world.products, world.examples)


def test_groups_left_out_earn_nothing_and_stay_out_after_loading(world: World, tmp_path: Path) -> None:
    out = ("rhythm", "customer")
    model = Ranker(RankerParams(trees=20, left_out=out)).fit(world.baskets, world.products, world.examples)
    gains = model.importance()
    assert sum(gains[name] for group in out for name in GROUPS[group]) == 0 < gains["days_since_last"]
    model.save(tmp_path)
    loaded = Ranker.load(tmp_path)
    assert loaded.params == model.params


def test_an_unknown_group_or_horizon_is_refused() -> None:
    with pytest.raises(ConfigError, match="weather"):
        RankerParams(left_out=("weather",))
    with pytest.raises(ConfigError, match="next_year"):
        RankerParams(horizon="next_year")


def test_trees_too_large_for_the_fast_scorer_are_scored_by_lightgbm(world: World) -> None:
    model = Ranker(RankerParams(trees=20, leaves=64, min_leaf_rows=1))
    p = model.fit(world.baskets, world.products, world.examples).score(world.baskets, world.products, world.examples)
    assert model._trees is None and 0 < p.min() < p.max() < 1
