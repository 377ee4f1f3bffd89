"""What makes two preference models the same but for their data: kind and parameters, without seed and threads."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ml.errors import ConfigError, DataError
from ml.preference.contract import PreferenceModel
from ml.preference.load import kind_of

RUNTIME = frozenset({"seed", "threads"})
"""Parameters that belong to a run, not to a recipe."""


@dataclass(frozen=True)
class Recipe:
    """Kind of a model and its parameters as JSON, so that a model can be made anew on other data.

    The code is not part of it: a recipe is always followed by the code that runs, whose commit each run records.
    """

    kind: str
    params: str = "{}"

    @classmethod
    def of(cls, model: PreferenceModel) -> "Recipe":
        """Return the recipe of a model, fitted or not."""
        given = getattr(model, "params", None)
        known = {} if given is None else {name: value for name, value in asdict(given).items() if name not in RUNTIME}
        return cls(model.kind, json.dumps(known, sort_keys=True))

    @classmethod
    def read(cls, text: str) -> "Recipe":
        """Return what :attr:`text` wrote."""
        facts = json.loads(text)
        return cls(facts["kind"], json.dumps(facts["params"], sort_keys=True))

    @property
    def text(self) -> str:
        """Return the recipe as JSON, equal for equal recipes."""
        return json.dumps({"kind": self.kind, "params": json.loads(self.params)}, sort_keys=True)

    def model(self, seed: int, threads: int) -> PreferenceModel:
        """Return a new model that is not fitted yet.

        Raises
        ------
        DataError
            When the code that runs knows no such kind, or no longer these parameters.
        """
        made: Any = kind_of(self.kind)
        bare = made()
        given = vars(bare).get("params")
        if given is None:  # only counts: its parameters, if any, are constants of the code
            return bare
        runtime = {"seed": seed, "threads": threads}
        own = {name: runtime[name] for name in RUNTIME & {field.name for field in fields(given)}}
        try:
            model: PreferenceModel = made(replace(given, **_frozen(json.loads(self.params)), **own))
        except (TypeError, ConfigError) as error:
            raise DataError(f"recipe {self.text}: this code does not take these parameters: {error}") from error
        return model

    def as_followed(self) -> "Recipe":
        """Return what the code that runs makes of it: parameters that were unknown then take their defaults.

        Raises
        ------
        DataError
            As for :meth:`model`.
        """
        return Recipe.of(self.model(seed=0, threads=1))


def followed(text: str) -> str:
    """Return a recipe's text as the code that runs follows it; as it stands where it cannot be followed."""
    try:
        return Recipe.read(text).as_followed().text
    except (KeyError, DataError):
        return text


def _frozen(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with tuples where JSON knows lists only."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in params.items()}
