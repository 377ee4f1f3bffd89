"""What customers do besides buying reaches the models that listen, and nothing of it from after the origin."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")

from ml.contest.plan import CANDIDATE, plan_contest
from ml.contest.windows import Entrant, hold_contest
from ml.preference.contract import Listener, tell
from ml.preference.recipe import Recipe
from ml.preference.sequence import Gru
from ml.settings import PreferenceSettings, Settings
from ml.tables import EVENTS
from tests.contest.test_windows import AS_OF, FREQUENT, SETTINGS, products  # noqa: F401 - a fixture
from tests.preference.conftest import World, everything, world  # noqa: F401 - a fixture
from tests.preference.test_sequence import QUICK, events_of

RECIPE = Recipe.of(Gru(replace(QUICK, epochs=1)))
ORIGIN = AS_OF - timedelta(days=28)


def as_features(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events as ``features.ftr_events`` holds them."""
    rows = events.with_row_index("event_id").with_columns(
        pl.col("event_id").cast(pl.String), as_of=pl.lit(AS_OF), occurred_at=pl.col("occurred_on").cast(pl.Datetime)
    )
    return EVENTS.conform(rows.select(list(EVENTS.columns)))


def scores(world: World, products: pl.DataFrame, events: pl.DataFrame | None) -> np.ndarray:  # noqa: F811
    """Return what the newest window's model says at its origin."""
    entrants = [Entrant(CANDIDATE, RECIPE, newest_only=True)]
    settings = SETTINGS.model_copy(update={"preference": SETTINGS.preference.model_copy(update={"gate_windows": 1})})
    contest = hold_contest(world.baskets, products, AS_OF, entrants, settings, seed=1, events=events)
    model = contest.models[CANDIDATE]
    asked = everything(["c00", "c01"], products["product_id"].to_list(), ORIGIN + timedelta(days=1))
    return model.score(world.baskets, products, asked)


def test_a_model_in_a_contest_learns_from_events_up_to_the_origin(world: World, products: pl.DataFrame) -> None:  # noqa: F811
    events = as_features(events_of(world))
    with_events, without = scores(world, products, events), scores(world, products, None)
    assert np.abs(with_events - without).max() > 1e-3
    known = scores(world, products, events.filter(pl.col("occurred_on") <= ORIGIN))
    assert np.array_equal(known, with_events)


def test_who_does_not_listen_is_told_nothing(world: World) -> None:  # noqa: F811
    events = as_features(events_of(world))
    counts, network = (tell(one.model(seed=0, threads=1), events) for one in (FREQUENT, RECIPE))
    assert not isinstance(counts, Listener) and not hasattr(counts, "events")
    assert isinstance(network, Gru) and network.events is events


def test_events_are_read_where_somebody_listens() -> None:
    silent = Settings(preference=PreferenceSettings(compared=("global_popularity",)))
    listening = Settings(preference=PreferenceSettings(compared=("global_popularity", "gru")))
    assert not plan_contest(None, AS_OF, silent).listens
    assert plan_contest(None, AS_OF, listening).listens
