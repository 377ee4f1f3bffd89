"""The command line: what Airflow runs and what a person types."""

import importlib
import inspect

import pytest

from ml.__main__ import STAGES, main, parser


def test_every_stage_is_listed_in_the_help() -> None:
    text = parser().format_help()
    assert all(stage in text for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_every_listed_stage_can_be_run(stage: str) -> None:
    signature = inspect.signature(importlib.import_module(f"ml.stages.{stage}").run)
    assert list(signature.parameters) == ["settings", "context"]


@pytest.mark.parametrize(
    "words",
    [
        ["optimise_bundles"],
        ["optimise_bundles", "--as-of", "3 Dec"],
        ["load_raw", "--as-of", "2017-12-03", "--retrain", "maybe"],
    ],
)
def test_a_badly_typed_line_is_refused_before_anything_runs(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


def test_a_value_outside_its_bounds_is_a_data_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimise_bundles", "--as-of", "2017-12-03", "--bundle-size", "9"]) == 65
    assert "bundle_size" in capsys.readouterr().err
