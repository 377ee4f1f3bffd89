"""A sequence model is kept in 8 bits where these lose next to nothing on its validation examples."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")

from ml.contest.logged import log_model
from ml.contest.plan import CANDIDATE
from ml.contest.windows import Contest, Entrant
from ml.preference.load import load_model
from ml.preference.recipe import Recipe
from ml.preference.sequence import Gru
from ml.training import kept_small
from tests.contest.test_windows import FREQUENT, held, products  # noqa: F401 - a fixture
from tests.preference.conftest import CUT, World, everything, world  # noqa: F401 - a fixture
from tests.preference.test_sequence import QUICK


class Notes:
    """A run that remembers its tags and metrics."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def tags(self, values: dict[str, Any]) -> None:
        self.seen |= values

    def metrics(self, values: dict[str, Any], step: int = 0) -> None:
        self.seen |= values

    def figure(self, figure: object, file: str) -> None:
        pass


@pytest.fixture(scope="module")
def gru(world: World) -> Gru:  # noqa: F811
    return Gru(replace(QUICK, epochs=2)).fit(world.baskets, world.products, world.examples)


def test_a_contest_keeps_the_small_form_and_says_so(world: World, products: pl.DataFrame) -> None:  # noqa: F811
    found: Contest = held(
        world, products, Entrant(CANDIDATE, Recipe.of(Gru(replace(QUICK, epochs=1)))), Entrant("a", FREQUENT)
    )
    model, run = found.models[CANDIDATE], Notes()
    log_model(run, model, found)  # type: ignore[arg-type]
    assert isinstance(model, Gru) and model.compression
    assert run.seen["weights"] == ("int8" if model.compression.is_used else "float32")
    assert run.seen["weights_reason"] == model.compression.reason and run.seen["int8_size_share"] < 0.6


def test_the_small_form_stays_small_when_refitted_and_loaded(
    world: World,  # noqa: F811
    gru: Gru,
    tmp_path: Path,
) -> None:
    small = kept_small(gru, world.baskets, world.products, world.examples, seed=1)
    assert isinstance(small, Gru) and small.compression and small.compression.is_used
    assert small.weight_bytes == small.compression.size_share * gru.weight_bytes < 0.6 * gru.weight_bytes
    asked = everything(["c00", "c01"], world.products["product_id"].to_list(), CUT)
    small.refit(world.baskets, world.products, world.examples).save(tmp_path)
    loaded = load_model(tmp_path)
    assert isinstance(loaded, Gru) and loaded.compression == small.compression
    assert loaded.weight_bytes == small.weight_bytes < 0.6 * gru.weight_bytes
    assert np.array_equal(*(one.score(world.baskets, world.products, asked) for one in (small, loaded)))


def test_the_full_form_is_kept_where_the_small_one_is_worse(
    world: World,  # noqa: F811
    gru: Gru,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = gru.in_int8()
    monkeypatch.setattr(broken, "score", lambda *_: -gru.score(*_))
    monkeypatch.setattr(gru, "in_int8", lambda: broken)
    kept = kept_small(gru, world.baskets, world.products, world.examples, seed=1)
    assert kept is gru and gru.compression and not gru.compression.is_used
    assert gru.compression.ndcg_10_loss > 0.1 and "kept" in gru.compression.reason


def test_models_without_a_small_form_or_a_validation_are_left_as_they_are(world: World, gru: Gru) -> None:  # noqa: F811
    counts = Recipe.read(FREQUENT.text).model(seed=0, threads=1)
    assert kept_small(counts, world.baskets, world.products, world.examples, seed=1) is counts
    nothing = world.examples.filter(~pl.col("is_validation"))
    assert kept_small(gru, world.baskets, world.products, nothing, seed=1) is gru
