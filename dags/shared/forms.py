"""Trigger forms, generated from the one declaration of parameters that the stages' command line reads too."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import Param

REPOSITORY = Path(__file__).resolve().parents[2]
DECLARATION = json.loads((REPOSITORY / "ml" / "parameters.json").read_text("utf-8"))

NOT_FOR_STAGES = {"as_of", "needs_approval", "scenarios"}
"""The first has an argument of its own, the others are questions to Airflow."""


def form(dag_id: str) -> dict[str, Param]:
    """Return the typed form of a DAG; Airflow refuses a value outside its schema before the run starts."""
    return {
        name: Param(rule["default"], **_schema(rule)) for name, rule in DECLARATION.items() if dag_id in rule["dags"]
    }


def stage_arguments(names: Iterable[str]) -> list[str]:
    """Return the command line that hands the named parameters of a run to a stage, as templates.

    Name and value are one word, since a value of its own that begins with a dash would be taken for a name.
    """
    return [f"--{name.replace('_', '-')}={_template(name)}" for name in names if name not in NOT_FOR_STAGES]


def _schema(rule: Mapping[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in rule.items() if key not in ("default", "dags")}
    # A list is typed in a text box, one entry a line, and a box that was emptied sends null; one with examples is
    # chosen from.
    return {**schema, "type": ["null", "array"]} if rule["type"] == "array" and "examples" not in rule else schema


def _template(name: str) -> str:
    """Return the template of one argument; a list becomes JSON, since its entries may hold commas and quotes."""
    if DECLARATION[name]["type"] == "array":
        # Empty lines of the text box are entries that mean nothing, and an emptied box is null: select drops both.
        return f"{{{{ params.{name} | select | list | tojson }}}}"
    return f"{{{{ params.{name} }}}}"
