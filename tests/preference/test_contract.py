"""What every preference model promises."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.errors import ColumnError, DataError, NotFittedError
from ml.preference.contract import PreferenceModel
from ml.preference.load import DEEP, KINDS, kind_of, load_model
from tests.preference.conftest import CUT, World, everything


@pytest.fixture(params=sorted({*KINDS, *DEEP}))
def kind(request: pytest.FixtureRequest) -> type[PreferenceModel]:
    if request.param in DEEP:
        pytest.importorskip("torch")
    return kind_of(request.param)


@pytest.fixture
def asked(world: World) -> pl.DataFrame:
    names = world.products["product_id"].to_list()
    return everything(["c00", "c01", "c02", "stranger"], [*names, "unheard of"], CUT)


def fitted(kind: type[PreferenceModel], world: World, number: int = 1) -> PreferenceModel:
    """Return a model that nobody changes: a deep one takes seconds to fit."""
    if (kind, number) not in FITTED:
        FITTED[kind, number] = kind().fit(world.baskets, world.products, world.examples)
    return FITTED[kind, number]


FITTED: dict[tuple[type[PreferenceModel], int], PreferenceModel] = {}


def test_probabilities_are_finite_and_between_0_and_1(
    kind: type[PreferenceModel], world: World, asked: pl.DataFrame
) -> None:
    p = fitted(kind, world).score(world.baskets, world.products, asked)
    assert p.shape == (asked.height,) and p.dtype == np.float64
    assert np.isfinite(p).all() and (p >= 0).all() and (p <= 1).all()


def test_two_fits_agree_to_the_last_bit(kind: type[PreferenceModel], world: World, asked: pl.DataFrame) -> None:
    first, second = (fitted(kind, world, number).score(world.baskets, world.products, asked) for number in (1, 2))
    assert np.array_equal(first, second)


def test_scores_belong_to_rows_not_to_their_order(
    kind: type[PreferenceModel], world: World, asked: pl.DataFrame
) -> None:
    model = fitted(kind, world)
    straight = model.score(world.baskets, world.products, asked)
    order = np.random.default_rng(1).permutation(asked.height)
    mixed = model.score(world.baskets.sample(fraction=1, shuffle=True, seed=2), world.products, asked[order.tolist()])
    assert np.allclose(mixed, straight[order], rtol=1e-6, atol=0)


def test_saved_and_loaded_it_scores_alike(
    kind: type[PreferenceModel], world: World, asked: pl.DataFrame, tmp_path: Path
) -> None:
    model = fitted(kind, world)
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    assert type(loaded) is kind
    straight = model.score(world.baskets, world.products, asked)
    assert np.array_equal(loaded.score(world.baskets, world.products, asked), straight)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".txt", ".safetensors"}


def test_a_second_fit_replaces_the_first(kind: type[PreferenceModel], world: World, asked: pl.DataFrame) -> None:
    others = world.examples.filter(pl.col("customer_id") > "c09")
    model = kind().fit(world.baskets, world.products, others).fit(world.baskets, world.products, world.examples)
    expected = fitted(kind, world).score(world.baskets, world.products, asked)
    assert np.array_equal(model.score(world.baskets, world.products, asked), expected)


def test_before_fit_it_refuses_to_score_and_to_save(
    kind: type[PreferenceModel], world: World, asked: pl.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(NotFittedError, match=kind.kind):
        kind().score(world.baskets, world.products, asked)
    with pytest.raises(NotFittedError, match=kind.kind):
        kind().save(tmp_path)


def test_a_missing_column_is_named(kind: type[PreferenceModel], world: World, asked: pl.DataFrame) -> None:
    with pytest.raises(ColumnError, match="cut"):
        fitted(kind, world).score(world.baskets, world.products, asked.drop("cut"))


def test_nothing_asked_is_nothing_answered(kind: type[PreferenceModel], world: World, asked: pl.DataFrame) -> None:
    assert fitted(kind, world).score(world.baskets, world.products, asked.clear()).size == 0


def test_planted_future_baskets_change_no_score(kind: type[PreferenceModel], world: World, asked: pl.DataFrame) -> None:
    model = fitted(kind, world)
    future = world.baskets.filter(pl.col("basket_on") < CUT).with_columns(
        basket_on=pl.col("basket_on") + timedelta(days=210), basket_id=pl.col("basket_id") + " later"
    )
    past = world.baskets.filter(pl.col("basket_on") < CUT)
    before = model.score(past, world.products, asked)
    assert np.array_equal(model.score(pl.concat([past, future]), world.products, asked), before)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"kind": "oracle"}')
    with pytest.raises(DataError, match="oracle"):
        load_model(tmp_path)
