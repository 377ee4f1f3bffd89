"""Run parameters: one declaration, refused outside it."""

from typing import Any

import pytest

from ml.errors import ConfigError
from ml.params import DECLARATION, RunParams

LISTS = ("must_include", "pinned", "exclude", "context_basket", "promotion_categories", "experiment_arms")


def test_defaults_are_those_of_the_declaration() -> None:
    params = RunParams()
    declared = {name: DECLARATION[name]["default"] for name in RunParams.__dataclass_fields__}
    assert {name: getattr(params, name) for name in RunParams.__dataclass_fields__} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in declared.items()
    }


def test_every_declared_parameter_but_the_dag_only_ones_is_a_field() -> None:
    assert set(DECLARATION) - set(RunParams.__dataclass_fields__) == {"as_of", "needs_approval", "scenarios"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("solver", "magic"),
        ("policy", "revenue"),
        ("bundle_size", 1),
        ("bundle_size", 9),
        ("min_bundle_size", 1),
        ("max_overlap", -1),
        ("budget_cents", 0),
        ("min_price_cents", -1),
        ("min_margin_cents", -100000001),
        ("min_categories", 0),
        ("needs_anchor", None),
        ("max_change_share", 1.01),
        ("max_change_share", float("nan")),
        ("reserve_units", -1),
        ("promise_quantile", 0.49),
        ("promise_quantile", 1.0),
        ("catalogue_bundles", 101),
        ("seed", -1),
        ("seed", None),
    ],
)
def test_a_value_outside_its_declaration_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: "):
        RunParams(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["budget_cents", "min_margin_cents", "promise_quantile"])
def test_what_may_be_empty_may_be_empty(name: str) -> None:
    assert getattr(RunParams(**{name: None}), name) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("solver", ["exact", "greedy", "annealing", "genetic"])
def test_every_solver_can_be_asked_for(solver: str) -> None:
    assert RunParams(solver=solver).solver == solver


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("milk", "tuple"),
        (["milk"], "tuple"),
        (None, "needed"),
        ((1029743,), "1029743"),
        (("milk", " "), "blank"),
        (("milk", "tea", "milk"), "more than once in the list: milk"),
    ],
)
def test_a_list_holds_different_texts_and_nothing_else(name: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: .*{said}"):
        RunParams(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"bundle_size": 3, "min_bundle_size": 4}, ("min_bundle_size", "bundle_size")),
        ({"max_overlap": 2}, ("max_overlap", "min_bundle_size")),
        ({"min_price_cents": 501, "budget_cents": 500}, ("min_price_cents", "budget_cents")),
        ({"min_categories": 4}, ("min_categories", "bundle_size")),
        ({"experiment_name": "spring"}, ("experiment_name", "experiment_starts_on", "experiment_arms")),
        ({"experiment_holdout_share": 0.1}, ("experiment_holdout_share", "experiment_name")),
        ({"experiment_starts_on": "8.3.2024"}, ("experiment_starts_on", "'8.3.2024'")),
        ({"pinned": ("a", "b", "c", "d")}, ("pinned", "bundle_size")),
        ({"pinned": ("a", "b"), "exclude": ("c", "b")}, ("pinned", "exclude")),
        ({"must_include": ("a", "b"), "exclude": ("c", "b", "a")}, ("must_include", "exclude")),
    ],
)
def test_values_that_contradict_each_other_are_refused_by_both_names(
    values: dict[str, Any], named: tuple[str, str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        RunParams(**values)
    assert all(name in str(refused.value).replace(",", " ").replace(":", " ").split() for name in named)


def test_every_contradiction_is_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"max_overlap.*min_categories"):
        RunParams(max_overlap=3, min_categories=5)


@pytest.mark.parametrize(
    "values",
    [
        {"bundle_size": 4, "min_bundle_size": 4, "max_overlap": 3, "min_categories": 4},
        {"min_price_cents": 500, "budget_cents": 500},
        {"min_price_cents": 500, "budget_cents": None},
        {"pinned": ("a", "b", "c")},
        {"pinned": ("a",), "must_include": ("a", "b"), "exclude": ("b",)},
        {"must_include": (), "exclude": ("a",)},
    ],
)
def test_values_at_the_edge_do_not_contradict_each_other(values: dict[str, Any]) -> None:
    params = RunParams(**values)
    assert {name: getattr(params, name) for name in values} == values
