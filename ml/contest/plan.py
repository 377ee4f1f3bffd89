"""Who takes part in a comparison of preference models, and how the candidate fared beside the champion."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ml.contest.windows import Contest, Entrant
from ml.errors import ConfigError, DataError
from ml.evaluation.gate import SEGMENT_CUSTOMERS, Rivalry
from ml.evaluation.measured import Measured
from ml.evaluation.paired import paired, paired_by_segment
from ml.preference.load import DEEP, KINDS, kind_of
from ml.preference.ranker import Ranker
from ml.preference.recipe import Recipe
from ml.settings import Settings
from ml.training import ranker_params, sequence_params
from ml.versions import Version

CANDIDATE, CHAMPION, AGED = "candidate", "champion", "champion_aged"
BASELINES = (
    "global_popularity",
    "personal_frequency",
    "personal_decayed",
    "tifu_knn",
    "two_tower_additive",
    "dense_network",
)
"""Kinds that a first model has to beat, of those that are compared."""

MOST_OLDER = 2
"""Windows by which the age of a champion is replayed at most; an older one is taken to be as good as that."""

NEXT_BASKET = "next_basket"


@dataclass(frozen=True)
class Plan:
    """Who takes part.

    Attributes
    ----------
    candidate
        Recipe that the settings ask for.
    champion
        The champion's recipe as this code follows it; None where there is no champion, or it cannot be followed.
    older
        Windows by which the champion's data are older than today's.
    entrants
        All that are fitted and measured.
    apart
        Why the champion takes no part; empty where it does, or where there is none.
    notes
        Who is not there, and why.
    """

    candidate: Recipe
    champion: Recipe | None
    older: int
    entrants: tuple[Entrant, ...]
    apart: str
    notes: tuple[str, ...]

    @property
    def is_refresh(self) -> bool:
        """Return whether the candidate is the champion's recipe on newer data."""
        return self.candidate == self.champion

    @property
    def can_refresh_champion(self) -> bool:
        """Return whether the champion follows another recipe than the candidate, on data older than today's."""
        return self.champion is not None and not self.is_refresh and self.older > 0

    @property
    def listens(self) -> bool:
        """Return whether somebody who takes part reads what customers do besides buying."""
        return any(one.recipe.kind in DEEP for one in self.entrants)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Return the names of the baselines that take part."""
        return tuple(one.name for one in self.entrants if one.name in BASELINES)


def wanted_recipe(settings: Settings) -> Recipe:
    """Return the recipe of the model that the settings want as champion.

    Raises
    ------
    ConfigError
        When there is no such kind, it needs what is not installed, or cannot answer for the horizon.
    """
    _check_horizon("preference.kind", settings.preference.kind, settings)
    try:
        return recipe_of(settings.preference.kind, settings)
    except DataError as error:
        raise ConfigError(f"preference.kind: {error}") from error


def recipe_of(kind: str, settings: Settings) -> Recipe:
    """Return the recipe of a kind of model as the settings want it.

    Raises
    ------
    DataError
        When there is no such kind, or it needs what is not installed.
    """
    made: Any = kind_of(kind)
    if issubclass(made, Ranker):
        return Recipe.of(made(ranker_params(settings, seed=0)))
    return Recipe.of(made(sequence_params(settings, seed=0)) if kind in DEEP else made())


def plan_contest(champion: Version | None, as_of: date, settings: Settings) -> Plan:
    """Return who takes part today.

    Raises
    ------
    ConfigError
        When a kind is unknown or cannot answer for the horizon, or no baseline is compared.
    """
    candidate = wanted_recipe(settings)
    entrants = [Entrant(CANDIDATE, candidate)]
    recipe, older, apart = None, 0, ""
    if champion:
        try:
            recipe = Recipe.read(champion.tags["recipe"]).as_followed()
        except (KeyError, DataError) as error:
            apart = f"the recipe of champion {champion.number} cannot be followed: {error}"
        if recipe and horizon_of(recipe) not in (None, settings.preference.horizon):
            apart = f"champion {champion.number} answers for {horizon_of(recipe)}, not {settings.preference.horizon}"
            recipe = None
        older = windows_older(champion, as_of, settings)
    notes = [apart] if apart else []
    if recipe and recipe != candidate:
        entrants.append(Entrant(CHAMPION, recipe))
    if recipe and older:
        entrants.append(Entrant(CHAMPION if recipe == candidate else AGED, recipe, older))
    for kind in settings.preference.compared:
        if kind not in KINDS and kind not in DEEP:
            raise ConfigError(f"preference.compared: no kind {kind!r}; there are {', '.join(sorted({*KINDS, *DEEP}))}")
        _check_horizon("preference.compared", kind, settings)
        try:
            entrants.append(Entrant(kind, recipe_of(kind, settings), newest_only=True))
        except DataError as error:
            notes.append(f"{kind} is not compared: {error}")
    plan = Plan(candidate, recipe, older, tuple(entrants), apart, tuple(notes))
    if not plan.baselines:
        raise ConfigError(f"preference.compared: needs at least one of {', '.join(BASELINES)}")
    return plan


def horizon_of(recipe: Recipe) -> str | None:
    """Return what the answers of a recipe are about; None where the kind takes the examples as they come."""
    if recipe.kind in DEEP:
        return NEXT_BASKET
    found: str | None = json.loads(recipe.params).get("horizon")
    return found


def _check_horizon(setting: str, kind: str, settings: Settings) -> None:
    horizon = settings.preference.horizon
    if kind in DEEP and horizon != NEXT_BASKET:
        raise ConfigError(f"{setting}: a {kind} learns the next visit and cannot answer for {horizon}; leave it out")


def windows_older(champion: Version, as_of: date, settings: Settings) -> int:
    """Return by how many windows the champion's data are older than today's, in whole windows and at most two."""
    age_days = (as_of - champion.data_cut_off).days
    return min(MOST_OLDER, round(age_days / settings.preference.holdout_days))


def rivalry(
    results: Mapping[str, Sequence[Measured]], own: str, other: str, rival: str, draws: int, seed: int
) -> Rivalry | None:
    """Return entrant ``own`` beside entrant ``other`` over the windows both were measured in; None where none is."""
    others = {one.origin: one for one in results.get(other, ())}
    pairs = [(one, others[one.origin]) for one in results.get(own, ()) if one.origin in others]
    if not pairs:
        return None
    ours, theirs = [one for one, _ in pairs], [two for _, two in pairs]
    shares = ("customer_coverage", "product_coverage_20")
    return Rivalry(
        windows=len(pairs),
        recall_20=paired(ours, theirs, "recall_20", draws, seed),
        ece=(_mean(ours, "ece"), _mean(theirs, "ece")),
        coverage={name: (_mean(ours, name), _mean(theirs, name)) for name in shares},
        segments=paired_by_segment(ours, theirs, SEGMENT_CUSTOMERS, draws, seed),
        rival=rival,
    )


def newest_facts(contest: Contest, names: Sequence[str]) -> dict[str, Mapping[str, float]]:
    """Return the facts of the newest window of each named entrant."""
    return {name: contest.measured[name][-1].facts for name in names}


def _mean(results: Sequence[Measured], name: str) -> float:
    return sum(one.facts[name] for one in results) / len(results)
