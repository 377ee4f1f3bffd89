"""The contest: windows roll back, recipes are followed on what was known, and a champion's age is replayed."""

from datetime import date, timedelta

import polars as pl
import pytest

from ml.contest.plan import AGED, CANDIDATE, CHAMPION, plan_contest, rivalry
from ml.contest.windows import Contest, Entrant, hold_contest
from ml.errors import ConfigError, DataError
from ml.preference.baselines import PersonalDecayed, PersonalFrequency
from ml.preference.ranker import Ranker, RankerParams
from ml.preference.recipe import Recipe
from ml.settings import PreferenceSettings, Settings
from ml.versions import Version
from tests.preference.conftest import CUT, World, world  # noqa: F401 - a fixture

AS_OF = CUT - timedelta(days=1)
SETTINGS = Settings(
    preference=PreferenceSettings(min_customer_baskets=4, trees=5, min_leaf_rows=20), threads=1, min_product_baskets=10
)
FREQUENT, DECAYED = Recipe.of(PersonalFrequency()), Recipe.of(PersonalDecayed())
SMALL = Recipe.of(Ranker(RankerParams(trees=3, min_leaf_rows=20)))


@pytest.fixture
def products(world: World) -> pl.DataFrame:  # noqa: F811
    return world.products.with_columns(
        is_bundleable=True, department=pl.lit("GROCERY"), launched_on=pl.lit(None, pl.Date)
    )


def held(world: World, products: pl.DataFrame, *entrants: Entrant, as_of: date = AS_OF) -> Contest:  # noqa: F811
    return hold_contest(world.baskets, products, as_of, entrants, SETTINGS, seed=1)


def version(recipe: str, age_days: int) -> Version:
    cut_off = (AS_OF - timedelta(days=age_days)).isoformat()
    return Version("preference", 3, "run", {"recipe": recipe, "data_cut_off": cut_off})


def test_each_window_begins_where_its_models_end(world: World, products: pl.DataFrame) -> None:  # noqa: F811
    found = held(world, products, Entrant("a", FREQUENT), Entrant("b", DECAYED, newest_only=True))
    newest, older = AS_OF - timedelta(days=28), AS_OF - timedelta(days=56)
    assert [one.origin for one in found.measured["a"]] == [older, newest]
    assert [one.origin for one in found.measured["b"]] == [newest]
    cuts = found.newest.asked.targets.select("cut", "basket_on")
    assert (cuts["cut"] == newest + timedelta(days=1)).all()
    assert cuts["basket_on"].is_between(newest + timedelta(days=1), AS_OF).all()


def test_what_happens_after_the_origin_does_not_reach_a_model(world: World, products: pl.DataFrame) -> None:  # noqa: F811
    """The baskets after the newest origin are emptied of all but one product: the models stay as they were."""
    origin = AS_OF - timedelta(days=28)
    changed = world.baskets.with_columns(
        product_ids=pl.when(pl.col("basket_on") > origin)
        .then(pl.col("product_ids").list.eval(pl.lit("p00")))
        .otherwise(pl.col("product_ids"))
    )
    texts = []
    for baskets in (world.baskets, changed):
        found = hold_contest(baskets, products, AS_OF, [Entrant("a", SMALL)], SETTINGS, seed=1)
        model = found.models["a"]
        assert isinstance(model, Ranker)
        texts.append((model.rounds, model.importance(), model.curve[-1][1]))
    assert texts[0] == texts[1]


def test_the_age_of_a_champion_is_replayed(world: World, products: pl.DataFrame) -> None:  # noqa: F811
    found = held(world, products, Entrant("fresh", SMALL), Entrant("aged", SMALL, older=1))
    earlier = held(world, products, Entrant("fresh", SMALL), as_of=AS_OF - timedelta(days=28))
    fresh, aged, before = found.models["fresh"], found.models["aged"], earlier.models["fresh"]
    assert isinstance(fresh, Ranker) and isinstance(aged, Ranker) and isinstance(before, Ranker)
    assert aged.importance() == before.importance() != fresh.importance()
    beside = rivalry(found.measured, "fresh", "aged", "itself", 100, 1)
    assert beside is not None and beside.windows == 2


def test_a_window_without_enough_data_is_left_out_with_its_reason(
    world: World,  # noqa: F811
    products: pl.DataFrame,
) -> None:
    short = world.baskets.filter(pl.col("basket_on") > AS_OF - timedelta(days=85))
    found = hold_contest(short, products, AS_OF, [Entrant("a", FREQUENT), Entrant("b", FREQUENT, 2)], SETTINGS, seed=1)
    assert len(found.measured["a"]) < 3 and found.notes and "not_enough_data" in found.notes[0]
    assert found.measured["b"] == [] and rivalry(found.measured, "a", "b", "", 100, 1) is None
    with pytest.raises(DataError, match="not_enough_data"):
        hold_contest(short.head(3), products, AS_OF, [Entrant("a", FREQUENT)], SETTINGS, seed=1)


def test_without_a_champion_the_candidate_meets_those_compared() -> None:
    plan = plan_contest(None, AS_OF, SETTINGS)
    assert (plan.champion, plan.is_refresh, plan.can_refresh_champion) == (None, False, False)
    names = [one.name for one in plan.entrants]
    assert names[0] == CANDIDATE and CHAMPION not in names
    assert set(plan.baselines) == {"global_popularity", "personal_frequency", "personal_decayed", "two_tower_additive"}
    assert "tifu_knn" in names


@pytest.mark.parametrize(("age_days", "older"), [(0, 0), (13, 0), (28, 1), (40, 1), (60, 2), (400, 2)])
def test_a_refresh_meets_its_recipe_on_data_as_old_as_the_champions(age_days: int, older: int) -> None:
    own = plan_contest(None, AS_OF, SETTINGS).candidate
    plan = plan_contest(version(own.text, age_days), AS_OF, SETTINGS)
    assert plan.is_refresh
    assert [one.older for one in plan.entrants if one.name == CHAMPION] == ([older] if older else [])


def test_a_challenger_meets_the_champions_recipe_on_the_same_data_and_the_recipe_can_be_refreshed() -> None:
    plan = plan_contest(version(SMALL.text, 28), AS_OF, SETTINGS)
    assert not plan.is_refresh and plan.can_refresh_champion
    assert [(one.name, one.older) for one in plan.entrants[1:3]] == [(CHAMPION, 0), (AGED, 1)]


def test_a_champion_that_cannot_be_followed_is_said_so() -> None:
    plan = plan_contest(version('{"kind": "crystal_ball", "params": {}}', 28), AS_OF, SETTINGS)
    assert plan.champion is None and plan.notes == (plan.apart,)
    assert "champion 3 cannot be followed" in plan.apart


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"compared": ("tifu_knn",)}, "at least one of"),
        ({"compared": ("oracle",)}, "no kind 'oracle'"),
        ({"kind": "oracle"}, "preference.kind: unknown kind"),
    ],
)
def test_settings_that_name_nobody_are_refused(wrong: dict[str, object], message: str) -> None:
    settings = SETTINGS.model_copy(update={"preference": SETTINGS.preference.model_copy(update=wrong)})
    with pytest.raises(ConfigError, match=message):
        plan_contest(None, AS_OF, settings)
