"""The values a run is started with: declared once in ``parameters.json``, read here and by the trigger forms."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ml.errors import ConfigError

DECLARATION: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("parameters.json").read_text("utf-8"))

PYTHON_TYPES: dict[str, Any] = {"boolean": bool, "integer": int, "number": int | float, "string": str}

Counts = dict[str, int | float | str]


@dataclass(frozen=True)
class RunParams:
    """Typed values of one run; the names, bounds and defaults are those of ``parameters.json``.

    Raises
    ------
    ConfigError
        When a value is outside its declaration, or two contradict each other; the message names the parameters, the
        values and what is allowed.
    """

    source: str | None = DECLARATION["source"]["default"]
    retrain: bool = DECLARATION["retrain"]["default"]
    freeze_promotion: bool = DECLARATION["freeze_promotion"]["default"]
    scenario: str = DECLARATION["scenario"]["default"]
    policy: str = DECLARATION["policy"]["default"]
    solver: str = DECLARATION["solver"]["default"]
    bundle_size: int = DECLARATION["bundle_size"]["default"]
    min_bundle_size: int = DECLARATION["min_bundle_size"]["default"]
    bundles_per_customer: int = DECLARATION["bundles_per_customer"]["default"]
    max_overlap: int = DECLARATION["max_overlap"]["default"]
    budget_cents: int | None = DECLARATION["budget_cents"]["default"]
    min_price_cents: int = DECLARATION["min_price_cents"]["default"]
    min_margin_cents: int | None = DECLARATION["min_margin_cents"]["default"]
    max_per_category: int = DECLARATION["max_per_category"]["default"]
    min_categories: int = DECLARATION["min_categories"]["default"]
    complements_only: bool = DECLARATION["complements_only"]["default"]
    needs_anchor: bool = DECLARATION["needs_anchor"]["default"]
    must_include: tuple[str, ...] = tuple(DECLARATION["must_include"]["default"])
    pinned: tuple[str, ...] = tuple(DECLARATION["pinned"]["default"])
    exclude: tuple[str, ...] = tuple(DECLARATION["exclude"]["default"])
    cost_per_product: float = DECLARATION["cost_per_product"]["default"]
    min_joint_probability: float = DECLARATION["min_joint_probability"]["default"]
    max_change_share: float = DECLARATION["max_change_share"]["default"]
    couples_stock: bool = DECLARATION["couples_stock"]["default"]
    reserve_units: int = DECLARATION["reserve_units"]["default"]
    promise_quantile: float | None = DECLARATION["promise_quantile"]["default"]
    catalogue_bundles: int = DECLARATION["catalogue_bundles"]["default"]
    discovery_share: float = DECLARATION["discovery_share"]["default"]
    context_basket: tuple[str, ...] = tuple(DECLARATION["context_basket"]["default"])
    assumed_cost_share: float | None = DECLARATION["assumed_cost_share"]["default"]
    promotion_categories: tuple[str, ...] = tuple(DECLARATION["promotion_categories"]["default"])
    promotion_starts_in_days: int = DECLARATION["promotion_starts_in_days"]["default"]
    promotion_days: int = DECLARATION["promotion_days"]["default"]
    promotion_budget_cents: int = DECLARATION["promotion_budget_cents"]["default"]
    promotion_products: int = DECLARATION["promotion_products"]["default"]
    promotion_audience: int = DECLARATION["promotion_audience"]["default"]
    sale_bundles: int = DECLARATION["sale_bundles"]["default"]
    sale_days: int = DECLARATION["sale_days"]["default"]
    max_discount_share: float = DECLARATION["max_discount_share"]["default"]
    min_margin_share: float = DECLARATION["min_margin_share"]["default"]
    service_level: float = DECLARATION["service_level"]["default"]
    review_days: int = DECLARATION["review_days"]["default"]
    default_lead_days: int | None = DECLARATION["default_lead_days"]["default"]
    slow_mover_days: int = DECLARATION["slow_mover_days"]["default"]
    launch_partners: int = DECLARATION["launch_partners"]["default"]
    launch_audience: int = DECLARATION["launch_audience"]["default"]
    launch_impressions: int = DECLARATION["launch_impressions"]["default"]
    alerts_per_day: int = DECLARATION["alerts_per_day"]["default"]
    experiment_control: str = DECLARATION["experiment_control"]["default"]
    experiment_arms: tuple[str, ...] = tuple(DECLARATION["experiment_arms"]["default"])
    experiment_name: str | None = DECLARATION["experiment_name"]["default"]
    experiment_starts_on: str | None = DECLARATION["experiment_starts_on"]["default"]
    experiment_holdout_share: float = DECLARATION["experiment_holdout_share"]["default"]
    experiment_pre_days: int = DECLARATION["experiment_pre_days"]["default"]
    feedback_days: int = DECLARATION["feedback_days"]["default"]
    min_effective_impressions: int = DECLARATION["min_effective_impressions"]["default"]
    drift_days: int = DECLARATION["drift_days"]["default"]
    drift_psi_limit: float = DECLARATION["drift_psi_limit"]["default"]
    seed: int = DECLARATION["seed"]["default"]

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            check_value(name, getattr(self, name))
        if found := "; ".join(_contradictions(self)):
            raise ConfigError(found)

    @classmethod
    def recorded(cls, values: Mapping[str, Any]) -> "RunParams":
        """Return the values that were recorded with a run, where JSON knows lists only."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**known)


def check_value(name: str, value: object) -> None:
    """Refuse a value that ``parameters.json`` does not allow.

    Raises
    ------
    ConfigError
        When it is not in the enumeration, outside the bounds, or a list that holds anything but different texts.
    """
    rule = DECLARATION[name]
    if value is None:
        if "null" in rule["type"]:
            return
        raise ConfigError(f"{name}: a value is needed")
    if rule["type"] == "array":
        _check_list(name, value)
    elif not _is_of_type(value, rule["type"]):
        raise ConfigError(f"{name}: got {value!r}, wanted is {_words(rule['type'])}")
    if "enum" in rule and value not in rule["enum"]:
        raise ConfigError(f"{name}: got {value!r}, allowed are {', '.join(filter(None, rule['enum']))}")
    if isinstance(value, int | float) and "minimum" in rule and not rule["minimum"] <= value <= rule["maximum"]:
        raise ConfigError(f"{name}: got {value}, allowed is {rule['minimum']} to {rule['maximum']}")
    if isinstance(value, str):
        _check_text(name, value, rule)


def _is_of_type(value: object, declared: str | list[str]) -> bool:
    kinds = [declared] if isinstance(declared, str) else declared
    # True counts as a number in Python, and is none here.
    return any(isinstance(value, PYTHON_TYPES[kind]) for kind in kinds if kind != "null") and (
        "boolean" in kinds or not isinstance(value, bool)
    )


def _words(declared: str | list[str]) -> str:
    return " or ".join(kind for kind in ([declared] if isinstance(declared, str) else declared) if kind != "null")


def _check_text(name: str, value: str, rule: Mapping[str, Any]) -> None:
    if not rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", len(value)):
        raise ConfigError(f"{name}: got {len(value)} letters, allowed are {rule['minLength']} to {rule['maxLength']}")
    if not re.search(rule.get("pattern", ""), value):
        raise ConfigError(f"{name}: got {value!r}, which does not fit {rule['pattern']}")


def _check_list(name: str, value: object) -> None:
    # A lone text would be taken for the list of its letters, and a list would make the frozen values changeable.
    if not isinstance(value, tuple):
        raise ConfigError(f"{name}: got {value!r}, wanted is a tuple of texts")
    wrong = [entry for entry in value if not isinstance(entry, str) or not entry.strip()]
    if wrong:
        raise ConfigError(f"{name}: got {wrong[0]!r} in the list, wanted are texts that are not blank")
    rule = DECLARATION[name]
    if len(value) > rule["maxItems"]:
        raise ConfigError(f"{name}: got {len(value)} entries, allowed are {rule['maxItems']}")
    for entry in value:
        _check_text(name, entry, {"minLength": 1, **rule["items"]})
    twice = [entry for entry, times in Counter(value).items() if times > 1]
    if twice:
        raise ConfigError(f"{name}: more than once in the list: {', '.join(twice)}")


def _contradictions(params: RunParams) -> Iterator[str]:
    """Yield, in words, what no bundle could meet at once whatever the products."""
    size, smallest, pinned = params.bundle_size, params.min_bundle_size, params.pinned
    forbidden = {*params.exclude, *params.context_basket}
    if smallest > size:
        yield f"min_bundle_size: got {smallest}, must not be above bundle_size, {size}"
    if params.max_overlap >= smallest:
        yield f"max_overlap: got {params.max_overlap}, must be below min_bundle_size, {smallest}"
    if params.budget_cents is not None and params.min_price_cents > params.budget_cents:
        yield f"min_price_cents: got {params.min_price_cents}, must not be above budget_cents, {params.budget_cents}"
    if params.min_categories > size:
        yield f"min_categories: got {params.min_categories}, must not be above bundle_size, {size}"
    if len(pinned) > size:
        yield f"pinned: got {len(pinned)} products, must not be more than bundle_size, {size}"
    if both := sorted(set(pinned) & set(params.exclude)):
        yield f"pinned and exclude: both name {', '.join(both)}"
    if both := sorted(set(pinned) & set(params.context_basket)):
        yield f"pinned and context_basket: both name {', '.join(both)}"
    if params.must_include and set(params.must_include) <= forbidden:
        where = "context_basket or exclude" if params.context_basket else "exclude"
        yield f"must_include and {where}: every product that must be included is excluded"
    yield from _unassigned(params)


def _unassigned(params: RunParams) -> Iterator[str]:
    """Yield what lacks of an experiment whose customers are assigned, not found."""
    if params.experiment_starts_on is not None:
        try:
            date.fromisoformat(params.experiment_starts_on)
        except ValueError:
            yield f"experiment_starts_on: got {params.experiment_starts_on!r}, wanted is a day such as 2017-12-03"
    if params.experiment_name is not None and (params.experiment_starts_on is None or not params.experiment_arms):
        yield "experiment_name: needs experiment_starts_on and experiment_arms beside it"
    if params.experiment_name is None and (params.experiment_starts_on or params.experiment_holdout_share):
        yield "experiment_starts_on and experiment_holdout_share: need experiment_name beside them"


@dataclass(frozen=True)
class Question:
    """Why does this customer not get these products together?"""

    customer: str
    products: tuple[str, ...]


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
    question
        What `explain_bundle` is asked.
    mended
        File of mended records, for `replay_quarantine`.
    """

    as_of: date
    started_by: str
    params: RunParams
    question: Question | None = None
    mended: Path | None = None
