import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from ml.__main__ import parser
from ml.params import RunParams
from shared.forms import form, stage_arguments
from shared.stages import StageOperator

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


@pytest.mark.parametrize(
    ("dag_id", "name", "value"),
    [
        ("load_shop", "source", "otto"),
        ("load_shop", "source", "complete_journey; rm -rf /"),
        ("load_shop", "as_of", "3rd of December"),
        ("load_shop", "as_of", "2017-13-45"),
        ("load_shop", "as_of", 20171203),
        ("load_shop", "seed", -1),
        ("load_shop", "seed", "many"),
        ("train_models", "retrain", "yes"),
        ("recommend_bundles", "bundle_size", 1),
        ("recommend_bundles", "bundle_size", 3.5),
        ("recommend_bundles", "bundle_size", "3"),
        ("recommend_bundles", "bundle_size", 9),
        ("recommend_bundles", "exclude", "milk"),
        ("recommend_bundles", "exclude", [1029743]),
        ("recommend_bundles", "pinned", {"milk": "tea"}),
        ("recommend_bundles", "must_include", [["milk"]]),
        ("recommend_bundles", "promise_quantile", 1),
        ("recommend_bundles", "max_change_share", 1.5),
        ("recommend_bundles", "couples_stock", "true"),
        ("recommend_bundles", "solver", "oracle"),
        ("recommend_bundles", "policy", None),
        ("recommend_bundles", "budget_cents", 0),
        ("recommend_bundles", "cost_per_product", 2),
        ("recommend_bundles", "min_joint_probability", "nan"),
        ("plan_scenarios", "scenarios", ["personal", "fortune_telling"]),
        ("plan_scenarios", "scenarios", "launch"),
        ("plan_scenarios", "promotion_budget_cents", -1),
        ("plan_scenarios", "service_level", 1),
        ("plan_scenarios", "assumed_cost_share", 1.5),
        ("measure_bundles", "experiment_control", ""),
        ("measure_bundles", "experiment_arms", "control=0.5"),
        ("measure_bundles", "drift_days", 6),
        ("measure_bundles", "drift_psi_limit", 0),
        ("measure_bundles", "min_effective_impressions", 19),
    ],
)
def test_a_bad_value_is_refused(dag_id: str, name: str, value: object) -> None:
    with pytest.raises(ParamValidationError):
        form(dag_id)[name].resolve(value)


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


def test_empty_lines_and_an_emptied_box_mean_nothing() -> None:
    params = _received(exclude=["milk", "", "tea", ""], pinned=None, must_include=[""])
    assert (params.exclude, params.pinned, params.must_include) == (("milk", "tea"), (), ())


def _received(**asked: object) -> RunParams:
    """Return what a stage is run with after the form was filled in, sent as JSON, and rendered."""
    dag_form = form("recommend_bundles")
    sent: dict[str, Any] = json.loads(json.dumps(asked))
    values = {name: param.resolve(sent[name]) if name in sent else param.resolve() for name, param in dag_form.items()}
    line = [_rendered(argument, values) for argument in stage_arguments(dag_form)]
    options = parser().parse_args(["optimise_bundles", "--as-of", "2017-12-03", *line])
    return RunParams(**{name: getattr(options, name) for name in RunParams.__dataclass_fields__})


def _rendered(argument: str, values: dict[str, object]) -> str:
    """Return the argument as the task renders it, with Airflow's own environment."""
    rendered: list[str] = StageOperator(task_id="tested", argv=[]).render_template([argument], {"params": values})
    return rendered[0]
