"""The command line: what Airflow runs and what a person types."""

import errno
import importlib
import inspect
import os

import pytest

from ml.__main__ import STAGES, main, parser
from ml.params import Context, Counts, RunParams
from ml.settings import Settings
from ml.stages import optimise_bundles


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
        ["optimise_bundles", "--as-of", "2017-12-03", "--exclude", "milk"],
        ["optimise_bundles", "--as-of", "2017-12-03", "--exclude", '"milk"'],
        ["optimise_bundles", "--as-of", "2017-12-03", "--exclude", "[1029743]"],
        ["optimise_bundles", "--as-of", "2017-12-03", "--exclude", '{"milk": "tea"}'],
        ["optimise_bundles", "--as-of", "2017-12-03", "--exclude", ""],
    ],
)
def test_a_badly_typed_line_is_refused_before_anything_runs(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


def test_a_value_outside_its_bounds_is_a_data_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimise_bundles", "--as-of", "2017-12-03", "--bundle-size", "9"]) == 65
    assert "bundle_size" in capsys.readouterr().err


def test_a_stage_without_memory_says_so_and_may_be_tried_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(settings: Settings, context: Context) -> Counts:
        raise MemoryError("Unable to allocate 9.1 TiB")

    monkeypatch.setattr(optimise_bundles, "run", hungry)
    assert main(["optimise_bundles", "--as-of", "2017-12-03"]) == 75
    assert "optimise_bundles: out_of_memory: Unable to allocate 9.1 TiB, at a peak of" in capsys.readouterr().err


def test_a_stage_without_room_on_a_disk_says_so_and_may_be_tried_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def writing(settings: Settings, context: Context) -> Counts:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/model/trees.txt")

    monkeypatch.setattr(optimise_bundles, "run", writing)
    assert main(["optimise_bundles", "--as-of", "2017-12-03"]) == 75
    said = capsys.readouterr().err
    assert "optimise_bundles: disk_full: [Errno 28] No space left on device: '/tmp/model/trees.txt'" in said


def test_a_contradiction_is_a_data_error_that_names_both(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["optimise_bundles", "--as-of", "2017-12-03", "--pinned", '["a"]', "--exclude", '["b", "a"]']
    assert main(line) == 65
    assert "pinned and exclude: both name a" in capsys.readouterr().err


def test_lists_empties_and_negative_numbers_are_read_as_typed() -> None:
    words = ["--exclude", '["a, b", "\\u00fc"]', "--min-margin-cents", "-250", "--promise-quantile", "None"]
    options = parser().parse_args(["optimise_bundles", "--as-of", "2017-12-03", *words])
    assert (options.exclude, options.min_margin_cents, options.promise_quantile) == (("a, b", "ü"), -250, None)


def test_what_is_not_typed_is_the_default_of_the_run() -> None:
    options = parser().parse_args(["optimise_bundles", "--as-of", "2017-12-03"])
    assert RunParams(**{name: getattr(options, name) for name in RunParams.__dataclass_fields__}) == RunParams()
