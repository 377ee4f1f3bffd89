"""Recipes: equal where kind and parameters are, whatever the run; followed by the code that runs."""

import json

import pytest

from ml.errors import DataError
from ml.preference.load import KINDS
from ml.preference.ranker import Ranker, RankerParams
from ml.preference.recipe import Recipe, followed


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_made_anew_from_its_recipe(kind: str) -> None:
    recipe = Recipe.of(KINDS[kind]())
    assert Recipe.read(recipe.text) == recipe
    model = recipe.model(seed=7, threads=1)
    assert (type(model), Recipe.of(model)) == (KINDS[kind], recipe)
    assert recipe.as_followed() == recipe


def test_seed_and_threads_belong_to_the_run() -> None:
    one, other = (Recipe.of(Ranker(RankerParams(seed=seed, threads=seed))) for seed in (1, 2))
    assert one == other
    made = one.model(seed=5, threads=3)
    assert isinstance(made, Ranker) and (made.params.seed, made.params.threads) == (5, 3)
    assert Recipe.of(Ranker(RankerParams(trees=7))) != one


def test_a_parameter_that_was_unknown_then_takes_its_default() -> None:
    known = json.loads(Recipe.of(Ranker()).params)
    del known["leaves"]
    early = Recipe("ranker", json.dumps(known))
    assert early.as_followed() == Recipe.of(Ranker()) and followed(early.text) == Recipe.of(Ranker()).text


def test_a_text_this_code_cannot_follow_stays_as_it_is() -> None:
    for text in (Recipe("crystal_ball").text, '{"kind": "ranker"}'):
        assert followed(text) == text


@pytest.mark.parametrize(
    "recipe", [Recipe("crystal_ball"), Recipe("ranker", '{"moons": 3}'), Recipe("ranker", '{"trees": 0}')]
)
def test_a_recipe_this_code_cannot_follow_is_refused(recipe: Recipe) -> None:
    with pytest.raises(DataError, match=r"recipe|unknown kind"):
        recipe.model(seed=0, threads=1)
