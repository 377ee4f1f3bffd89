import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from ml.__main__ import parser
from ml.errors import ConfigError
from ml.params import RunParams
from shared.forms import form, stage_arguments
from shared.stages import StageOperator
from tests.dags.bad_values import BAD

DAGS = ("load_shop", "build_features", "train_models", "recommend_bundles", "plan_scenarios", "measure_bundles")
DECLARATION = json.loads((Path(__file__).resolve().parents[2] / "ml" / "parameters.json").read_text())


@pytest.mark.parametrize("dag_id", DAGS)
def test_every_parameter_is_typed_titled_described_and_has_a_valid_default(dag_id: str) -> None:
    for name, param in form(dag_id).items():
        assert {"type", "title", "description"} <= {*param.schema, *(["description"] if param.description else [])}, (
            name
        )
        param.resolve()


def test_every_parameter_but_the_scenario_of_a_task_is_asked_for_by_some_dag() -> None:
    assert set(DECLARATION) - {"scenario"} == {name for dag_id in DAGS for name in form(dag_id)}


@pytest.mark.parametrize(("dag_id", "name", "value"), BAD)
def test_a_bad_value_is_refused(dag_id: str, name: str, value: object) -> None:
    with pytest.raises(ParamValidationError):
        form(dag_id)[name].resolve(value)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for _, name, value in BAD if name in RunParams.__dataclass_fields__]
)
def test_a_bad_value_that_got_past_the_form_is_refused_by_the_stage(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: "):
        RunParams.recorded({name: value})


@pytest.mark.parametrize("name", DECLARATION)
def test_every_parameter_has_bounds(name: str) -> None:
    """Numbers a range, texts a list to choose from, a form or a length, lists a length and such entries."""
    rule = DECLARATION[name]

    def is_bounded(rule: dict[str, Any]) -> bool:
        kinds = {rule["type"]} if isinstance(rule["type"], str) else set(rule["type"])
        if kinds & {"integer", "number"}:
            return rule["minimum"] <= rule["maximum"] < float("inf")
        if "array" in kinds:
            return rule["maxItems"] <= 1000 and is_bounded(rule["items"])
        return "boolean" in kinds or bool({"enum", "format", "maxLength"} & set(rule))

    assert is_bounded(rule)


@pytest.mark.parametrize("dag_id", DAGS)
def test_the_forms_values_arrive_at_the_stage_as_typed(dag_id: str) -> None:
    """The same line, with the form's defaults rendered as Airflow renders them, parses to the stages' defaults."""
    values = {name: param.resolve() for name, param in form(dag_id).items()}
    line = [_rendered(argument, values) for argument in stage_arguments(form(dag_id))]
    options = parser().parse_args(["load_raw", "--as-of", "2017-12-03", *line])
    defaults = RunParams()
    for name in set(values) & set(RunParams.__dataclass_fields__):
        assert getattr(options, name) == getattr(defaults, name), name
        assert type(getattr(options, name)) is type(getattr(defaults, name)), name


AWKWARD = (
    "a,b", 'say "no"', "it's", "back\\slash", "ü 日本 🍞", "two\nlines", "{{ 7 * 7 }}", "{% raw %}", "%s", "$(id)",
    "`id`", "-x", "--exclude", "<b>&amp;", "None", "null", "[]", "0",
)  # fmt: skip
"""Identifiers that some step on the way from a form to a stage could take for something else."""


def test_product_identifiers_arrive_as_they_were_typed_whatever_they_hold() -> None:
    assert _received(exclude=list(AWKWARD)).exclude == AWKWARD


def test_a_text_that_begins_with_a_dash_is_no_argument() -> None:
    assert _received(exclude=["-x"]).exclude == ("-x",)
    assert _received("measure_bundles", experiment_control="-old").experiment_control == "-old"


def test_empty_lines_and_an_emptied_box_mean_nothing() -> None:
    params = _received(exclude=["milk", "", "tea", ""], pinned=None, must_include=[""])
    assert (params.exclude, params.pinned, params.must_include) == (("milk", "tea"), (), ())


def _received(dag_id: str = "recommend_bundles", **asked: object) -> RunParams:
    """Return what a stage is run with after the form was filled in, sent as JSON, and rendered."""
    dag_form = form(dag_id)
    sent: dict[str, Any] = json.loads(json.dumps(asked))
    values = {name: param.resolve(sent[name]) if name in sent else param.resolve() for name, param in dag_form.items()}
    line = [_rendered(argument, values) for argument in stage_arguments(dag_form)]
    options = parser().parse_args(["optimise_bundles", "--as-of", "2017-12-03", *line])
    return RunParams(**{name: getattr(options, name) for name in RunParams.__dataclass_fields__})


def _rendered(argument: str, values: dict[str, object]) -> str:
    """Return the argument as the task renders it, with Airflow's own environment."""
    rendered: list[str] = StageOperator(task_id="tested", argv=[]).render_template([argument], {"params": values})
    return rendered[0]
