"""The values a run is started with: declared once in ``parameters.json``, read here and by the trigger forms."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ml.errors import ConfigError

DECLARATION: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("parameters.json").read_text("utf-8"))

Counts = dict[str, int | float | str]


@dataclass(frozen=True)
class RunParams:
    """Typed values of one run; the names, bounds and defaults are those of ``parameters.json``.

    Raises
    ------
    ConfigError
        When a value is outside its declaration; the message names the parameter, the value and what is allowed.
    """

    source: str | None = DECLARATION["source"]["default"]
    retrain: bool = DECLARATION["retrain"]["default"]
    scenario: str = DECLARATION["scenario"]["default"]
    policy: str = DECLARATION["policy"]["default"]
    solver: str = DECLARATION["solver"]["default"]
    bundle_size: int = DECLARATION["bundle_size"]["default"]
    bundles_per_customer: int = DECLARATION["bundles_per_customer"]["default"]
    budget_cents: int | None = DECLARATION["budget_cents"]["default"]
    max_per_category: int = DECLARATION["max_per_category"]["default"]
    cost_per_product: float = DECLARATION["cost_per_product"]["default"]
    min_joint_probability: float = DECLARATION["min_joint_probability"]["default"]
    seed: int = DECLARATION["seed"]["default"]

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            check_value(name, getattr(self, name))


def check_value(name: str, value: object) -> None:
    """Refuse a value that ``parameters.json`` does not allow.

    Raises
    ------
    ConfigError
        When it is not in the enumeration or outside the bounds.
    """
    rule = DECLARATION[name]
    if value is None:
        if "null" in rule["type"]:
            return
        raise ConfigError(f"{name}: a value is needed")
    if "enum" in rule and value not in rule["enum"]:
        raise ConfigError(f"{name}: got {value!r}, allowed are {', '.join(filter(None, rule['enum']))}")
    if isinstance(value, int | float) and "minimum" in rule and not rule["minimum"] <= value <= rule["maximum"]:
        raise ConfigError(f"{name}: got {value}, allowed is {rule['minimum']} to {rule['maximum']}")


@dataclass(frozen=True)
class Context:
    """What a stage knows about the run it belongs to.

    Attributes
    ----------
    as_of
        Data cut-off: rows dated on or before this day may be used.
    started_by
        Who started the run: the Airflow run id, or "cli". Part of the run's key, so a retry finds its own run.
    params
        The values of the run's form.
    """

    as_of: date
    started_by: str
    params: RunParams
