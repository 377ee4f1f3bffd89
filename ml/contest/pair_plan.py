"""Who takes part in a comparison of pair counts: the candidate, and the champion's recipe followed anew."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date

from ml.association.cooccurrence import CooccurrenceParams
from ml.contest.plan import windows_older
from ml.errors import ConfigError, DataError
from ml.publishing.promotion import Kind
from ml.settings import Settings
from ml.versions import Version

OURS, CHAMPION, AGED = "lift", "champion", "champion_aged"


@dataclass(frozen=True)
class PairPlan:
    """Who takes part.

    Attributes
    ----------
    params
        Of the candidate: what the settings ask for.
    champion
        Of the champion; None where there is none, or its recipe cannot be followed.
    kind
        What the candidate is to the champion.
    older
        Windows by which the champion's data are older than today's.
    apart
        Why the champion takes no part; empty where it does, or where there is none.
    """

    params: CooccurrenceParams
    champion: CooccurrenceParams | None
    kind: Kind
    older: int
    apart: str

    @property
    def entrants(self) -> Mapping[str, tuple[CooccurrenceParams, int]]:
        """Return by name how pairs are counted, and by how many windows the data are older."""
        found = {OURS: (self.params, 0)}
        if self.champion is None:
            return found
        if self.kind == "challenger":
            found[CHAMPION] = self.champion, 0
        if self.older:
            found[CHAMPION if self.kind == "refresh" else AGED] = self.champion, self.older
        return found

    @property
    def can_refresh_champion(self) -> bool:
        """Return whether the champion follows another recipe than the candidate, on data older than today's."""
        return self.kind == "challenger" and self.champion is not None and self.older > 0


def plan_pairs(champion: Version | None, as_of: date, settings: Settings) -> PairPlan:
    """Return who takes part today."""
    params = wanted_params(settings)
    if champion is None:
        return PairPlan(params, None, "first", 0, "")
    older = windows_older(champion, as_of, settings)
    try:
        theirs = read_recipe(champion.tags["recipe"])
    except (KeyError, DataError) as error:
        apart = f"the recipe of champion {champion.number} cannot be followed: {error}"
        return PairPlan(params, None, "challenger", older, apart)
    return PairPlan(params, theirs, "refresh" if theirs == params else "challenger", older, "")


def wanted_params(settings: Settings) -> CooccurrenceParams:
    """Return how the settings want pairs counted."""
    return CooccurrenceParams(settings.association.shrinkage, settings.association.min_pair_baskets)


def recipe_of(params: CooccurrenceParams) -> str:
    """Return what makes two counts the same but for their data, as JSON."""
    return json.dumps({"kind": OURS, "params": asdict(params)}, sort_keys=True)


def read_recipe(text: str) -> CooccurrenceParams:
    """Return the params that :func:`recipe_of` wrote; what was unknown then takes its default.

    Raises
    ------
    DataError
        When this code does not take them.
    """
    try:
        return CooccurrenceParams(**json.loads(text)["params"])
    except (TypeError, KeyError, ValueError, ConfigError) as error:
        raise DataError(f"recipe {text}: this code does not take these parameters: {error}") from error


def followed(text: str) -> str:
    """Return a recipe's text as the code that runs follows it; as it stands where it cannot be followed."""
    try:
        return recipe_of(read_recipe(text))
    except DataError:
        return text
