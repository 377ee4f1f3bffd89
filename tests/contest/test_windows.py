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
from ml.training import scored
from ml.versions import Version
from tests.preference.conftest import CUT, World, world  # noqa: F401 - a fixture

AS_OF = CUT - timedelta(days=1)
SETTINGS = Settings(
    preference=PreferenceSettings(min_customer_baskets=4, trees=5, min_leaf_rows=20), threads=1, min_product_baskets=10
)
ONE_WINDOW = SETTINGS.model_copy(update={"preference": SETTINGS.preference.model_copy(update={"gate_windows": 1})})
FREQUENT, DECAYED = Recipe.of(PersonalFrequency()), Recipe.of(PersonalDecayed())
SMALL = Recipe.of(Ranker(RankerParams(trees=3, min_leaf_rows=20)))


@pytest.fixture
def products(world: World) -> pl.DataFrame:  # noqa: F811
    return world.products.with_columns(
        is_bundleable=True, department=pl.lit("GROCERY"), launched_on=pl.lit(None, pl.Date)
    )


def held(world: World, products: pl.DataFrame, *entrants: Entrant, as_of: date = AS_OF) -> Contest:  # noqa: F811
    return hold_contest(world.baskets, products, as_of, entrants, SETTINGS, seed=1)


def horizon(settings: Settings, wanted: str) -> Settings:
    return settings.model_copy(update={"preference": settings.preference.model_copy(update={"horizon": wanted})})


def version(recipe: str, age_days: int) -> Version:
    cut_off = (AS_OF - timedelta(days=age_days)).isoformat()
    return Version("preference", 3, "run", {"recipe": recipe, "data_cut_off": cut_off})


def test_each_window_begins_where_its_models_end(world: World, products: pl.DataFrame) -> None:  # noqa: F811
    found = held(world, products, Entrant("a", FREQUENT), Entrant("b", DECAYED, newest_only=True))
    newest = AS_OF - timedelta(days=28)
    earlier = [AS_OF - timedelta(days=84), AS_OF - timedelta(days=56)]
    assert [one.origin for one in found.measured["a"]] == [*earlier, newest]
    assert [one.origin for one in found.measured["b"]] == [newest]
    cuts = found.newest.asked.targets.select("cut", "basket_on")
    assert (cuts["cut"] == newest + timedelta(days=1)).all()
    assert cuts["basket_on"].is_between(newest + timedelta(days=1), AS_OF).all()


def test_what_happens_after_the_origin_does_not_reach_a_model(world: World, products: pl.DataFrame) -> None:  # noqa: F811
    """The baskets after the newest origin are emptied of all but one product: models and scores stay as they were."""
    is_later = pl.col("basket_on") > AS_OF - timedelta(days=28)
    lists = pl.col("product_ids", "quantities", "paid_cents")
    changed = world.baskets.with_columns(pl.when(is_later).then(lists.list.head(1)).otherwise(lists))
    texts, held = [], []
    for baskets in (world.baskets, changed):
        found = hold_contest(baskets, products, AS_OF, [Entrant("a", SMALL)], ONE_WINDOW, seed=1)
        model = found.models["a"]
        assert isinstance(model, Ranker)
        texts.append((model.rounds, model.importance(), model.curve[-1]))
        held.append(found)
    assert texts[0] == texts[1]
    as_it_was, emptied = (scored(one.models["a"], one.newest.shop, one.newest.candidates) for one in held)
    assert as_it_was.height and as_it_was.drop("is_bought").equals(emptied.drop("is_bought"))
    assert as_it_was["is_bought"].sum() > emptied["is_bought"].sum()


def test_within_28_days_everybody_is_asked_and_judged_by_all_they_bought(
    world: World,  # noqa: F811
    products: pl.DataFrame,
) -> None:
    """One customer stays away after the newest origin."""
    origin = AS_OF - timedelta(days=28)
    gone = world.baskets["customer_id"].drop_nulls().unique().sort()[0]
    stayed = world.baskets.filter(pl.col("customer_id").ne_missing(gone) | (pl.col("basket_on") <= origin))
    entrants = [Entrant("a", Recipe.of(Ranker(RankerParams(trees=3, min_leaf_rows=20, horizon="next_28_days"))))]
    found = hold_contest(stayed, products, AS_OF, entrants, horizon(ONE_WINDOW, "next_28_days"), seed=1)
    questions = found.newest.asked
    answers = dict(questions.targets.select("customer_id", "product_ids").iter_rows())
    assert answers[gone] == []
    within = stayed.filter(pl.col("basket_on").is_between(origin + timedelta(days=1), AS_OF))
    bought = within.filter(customer_id="c01").explode("product_ids")["product_ids"].unique().sort().to_list()
    assert bought and set(answers["c01"]) == set(bought) & set(found.newest.shop.products["product_id"])
    judged = found.measured["a"][0]
    assert gone not in set(judged.customers["customer_id"]) and judged.known.height > 0
    assert judged.facts["customer_coverage"] == 1.0
    assert found.newest.candidates.filter(customer_id=gone).height > 0


def test_the_age_of_a_champion_is_replayed(world: World, products: pl.DataFrame) -> None:  # noqa: F811
    found = held(world, products, Entrant("fresh", SMALL), Entrant("aged", SMALL, older=1))
    earlier = held(world, products, Entrant("fresh", SMALL), as_of=AS_OF - timedelta(days=28))
    fresh, aged, before = found.models["fresh"], found.models["aged"], earlier.models["fresh"]
    assert isinstance(fresh, Ranker) and isinstance(aged, Ranker) and isinstance(before, Ranker)
    assert aged.importance() == before.importance() != fresh.importance()
    beside = rivalry(found.measured, "fresh", "aged", "itself", 100, 1)
    assert beside is not None and beside.windows == 3


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
    counted = {"global_popularity", "personal_frequency", "personal_decayed", "tifu_knn"}
    assert set(plan.baselines) == counted | {"two_tower_additive", "dense_network"}


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


def test_a_champion_of_another_horizon_answers_another_question() -> None:
    own = plan_contest(None, AS_OF, SETTINGS).candidate
    plan = plan_contest(version(own.text, 28), AS_OF, horizon(SETTINGS, "next_28_days"))
    assert (plan.champion, plan.is_refresh, plan.can_refresh_champion) == (None, False, False)
    assert plan.apart == "champion 3 answers for next_basket, not next_28_days"
    counted = plan_contest(version(FREQUENT.text, 28), AS_OF, horizon(SETTINGS, "next_28_days"))
    assert counted.champion == FREQUENT, "a baseline counts the same either way"


@pytest.mark.parametrize("wrong", [{"kind": "gru"}, {"compared": ("personal_frequency", "transformer")}])
def test_sequence_models_are_refused_where_28_days_are_asked_for(wrong: dict[str, object]) -> None:
    """They learn the next visit, whenever it comes; nobody needs torch to be told so."""
    settings = SETTINGS.model_copy(
        update={"preference": SETTINGS.preference.model_copy(update={**wrong, "horizon": "next_28_days"})}
    )
    with pytest.raises(ConfigError, match="cannot answer for next_28_days"):
        plan_contest(None, AS_OF, settings)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"compared": ("item_cosine",)}, "at least one of"),
        ({"compared": ("oracle",)}, "no kind 'oracle'"),
        ({"kind": "oracle"}, "preference.kind: unknown kind"),
    ],
)
def test_settings_that_name_nobody_are_refused(wrong: dict[str, object], message: str) -> None:
    settings = SETTINGS.model_copy(update={"preference": SETTINGS.preference.model_copy(update=wrong)})
    with pytest.raises(ConfigError, match=message):
        plan_contest(None, AS_OF, settings)
