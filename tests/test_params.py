"""Run parameters: one declaration, refused outside it."""

import pytest

from ml.errors import ConfigError
from ml.params import DECLARATION, RunParams


def test_defaults_are_those_of_the_declaration() -> None:
    params = RunParams()
    assert {name: getattr(params, name) for name in RunParams.__dataclass_fields__} == {
        name: DECLARATION[name]["default"] for name in RunParams.__dataclass_fields__
    }


def test_every_declared_parameter_but_the_dag_only_ones_is_a_field() -> None:
    assert set(DECLARATION) - set(RunParams.__dataclass_fields__) == {"as_of", "needs_approval"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("solver", "magic"), ("bundle_size", 1), ("bundle_size", 4), ("budget_cents", 0), ("seed", -1), ("seed", None)],
)
def test_a_value_outside_its_declaration_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        RunParams(**{name: value})  # type: ignore[arg-type]


def test_no_budget_is_allowed() -> None:
    assert RunParams(budget_cents=None).budget_cents is None
