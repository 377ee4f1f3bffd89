"""One run in MLflow: what a model logs while it trains, best effort."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow.entities
import polars as pl
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ml.datasets import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNREACHABLE = (MlflowException, requests.RequestException, OSError)

log = logging.getLogger(__name__)


def is_away(error: Exception) -> bool:
    """Return whether an error says that nobody answers, rather than that the answer is no."""
    no = getattr(error, "get_http_status_code", lambda: 500)() < 500
    return isinstance(error, UNREACHABLE) and not (isinstance(error, MlflowException) and no)


SILENCE_SECONDS = 300.0


class Outage:
    """Whether MLflow was away just now: who is away is not asked again at once, as each answer is waited for.

    Without it a training that logs fifty things would wait for each of them.
    """

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def lasts(self) -> bool:
        """Return whether nothing should be asked yet."""
        return time.monotonic() < self._until

    def begin(self) -> None:
        """Ask nothing for five minutes."""
        self._until = time.monotonic() + SILENCE_SECONDS

    def end(self) -> None:
        """Ask again: MLflow has answered somebody who had to ask."""
        self._until = 0.0


class Run:
    """One MLflow run; every method is best effort and counts what was lost in ``lost``."""

    def __init__(self, client: MlflowClient, run_id: str | None, outage: Outage) -> None:
        self._client, self.run_id, self.lost, self._outage = client, run_id, 0, outage

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters, as text."""
        entries = [mlflow.entities.Param(name, str(value)) for name, value in values.items()]
        for start in range(0, len(entries), 100):  # the server takes at most 100 at a time
            self._try("params", partial(self._client.log_batch, params=entries[start : start + 100]))

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log metrics at ``step`` (for curves: k, or the number of trees)."""
        entries = [mlflow.entities.Metric(name, float(value), 0, step) for name, value in values.items()]
        self._try("metrics", lambda run_id: self._client.log_batch(run_id, metrics=entries))

    def tags(self, values: Mapping[str, object]) -> None:
        """Set tags, as text."""
        entries = [mlflow.entities.RunTag(name, str(value)) for name, value in values.items()]
        self._try("tags", lambda run_id: self._client.log_batch(run_id, tags=entries))

    def figure(self, figure: "Figure", file: str) -> None:
        """Store a matplotlib figure as ``file``, for example "plots/recall_by_k.png"."""
        self._try(file, lambda run_id: self._client.log_figure(run_id, figure, file))

    def text(self, text: str, file: str) -> None:
        """Store ``text`` as ``file``."""
        self._try(file, lambda run_id: self._client.log_text(run_id, text, file))

    def table(self, rows: pl.DataFrame, file: str) -> None:
        """Store rows as ``file`` (JSON), which the UI shows as a table."""
        self._try(file, lambda run_id: self._client.log_table(run_id, rows.to_dict(as_series=False), file))

    def dataset(self, data: Dataset) -> None:
        """Say what the run learnt from; the UI shows it under "Datasets used"."""
        columns = [{"name": name, "type": kind} for name, kind in data.columns.items()]
        entity = mlflow.entities.Dataset(
            name=data.name,
            digest=data.digest[:32],  # the server takes at most 36 characters
            source_type="warehouse",
            source=json.dumps({"relation": data.name, "as_of": data.as_of.isoformat()}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps({"num_rows": data.rows, "as_of": data.as_of.isoformat()}),
        )
        tags = [mlflow.entities.InputTag("mlflow.data.context", "training")]
        used = mlflow.entities.DatasetInput(entity, tags)
        self._try(data.name, lambda run_id: self._client.log_inputs(run_id, [used]))

    def folder(self, folder: Path, path: str) -> None:
        """Store the files of ``folder`` under ``path``."""
        self._try(path, lambda run_id: self._client.log_artifacts(run_id, str(folder), path))

    def _try(self, what: str, act: Callable[[str], object]) -> None:
        try:
            if self.run_id is None or self._outage.lasts:
                self.lost += 1
                return
            act(self.run_id)
        except UNREACHABLE as error:
            self.lost += 1
            if is_away(error):
                self._outage.begin()
            log.warning("mlflow run %s: %s was not recorded: %s", self.run_id, what, error)
