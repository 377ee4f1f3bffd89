"""Run one trial and write what it found: ``metrics.json`` and the predictions as Parquet."""

import importlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ml.errors import ConfigError, DataError
from ml.settings import Settings
from ml.trials.arguments import TASKS
from ml.trials.outcome import PLACES, Wishes
from ml.trials.shop import read_files


@dataclass(frozen=True)
class Trial:
    """What is asked on the command line; see :mod:`ml.trials.arguments`.

    Raises
    ------
    DataError
        When the model is not one of the task's, or an option does not belong to it.
    """

    path: Path
    task: str
    cut: date | None
    model: str
    seed: int
    out: Path
    predictions: Path
    preference: str | None = None
    association: str | None = None
    places: int = PLACES

    def __post_init__(self) -> None:
        if self.model not in TASKS[self.task]:
            raise DataError(f"model {self.model!r}: {self.task} knows {', '.join(TASKS[self.task])}")
        if (self.preference or self.association) and not self.task.startswith("bundle_"):
            raise DataError(f"--preference and --association belong to bundles; {self.task} takes --model")
        if self.places < 1:
            raise DataError(f"--places: got {self.places}, must be at least 1")
        for file in (self.out, self.predictions):
            if not file.parent.is_dir():
                raise ConfigError(f"{file}: there is no directory {file.parent} to write it in")


def run(trial: Trial, settings: Settings) -> dict[str, Any]:
    """Return what is logged: the model, how many were judged, and the mean of each metric.

    Raises
    ------
    DataError
        When the folder does not hold what the task needs.
    """
    files = read_files(trial.path, settings.source.quarantine_limit_share, settings.source.time_zone)
    task = importlib.import_module(f"ml.trials.{trial.task}")
    wishes = Wishes(trial.places, trial.preference, trial.association)
    outcome = task.run(files, trial.cut, trial.model, trial.seed, settings, wishes)
    outcome.predictions.write_parquet(trial.predictions)
    found = {
        "task": trial.task,
        "model": outcome.model,
        "cut": None if trial.cut is None else str(trial.cut),
        "seed": trial.seed,
        "counts": dict(outcome.counts),
        "metrics": outcome.metrics,
        "validation": dict(outcome.validation),
        "facts": dict(outcome.facts),
        "refused": files.refused,
    }
    trial.out.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", "utf-8")
    means = {name: round(metric["value"], 4) for name, metric in outcome.metrics.items()}
    return {"model": outcome.model, **outcome.counts, **means}
