"""The one door to MLflow: runs, registered models, champions.

While a model trains, tracking is best effort: a lost metric is counted and warned about, never fatal. Registering,
judging and loading are not: what cannot be recorded or verified is not used. Model folders hold text, JSON and
safetensors only; ``manifest.json`` lists the sha256 of each file and is itself pinned by a tag of the version.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# Two retries: a dead server costs seconds, not the minutes of the default (seven, with growing waits). MLflow reads
# these while it is imported, so they stand above the imports.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow.entities
import requests
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode

from ml.errors import DataError, TemporaryError
from ml.settings import Settings
from ml.versions import Champion, Version, verify_manifest, write_manifest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHAMPION = "champion"
MODEL_PATH = "model"
UNREACHABLE = (MlflowException, requests.RequestException, OSError)

log = logging.getLogger(__name__)


class Run:
    """One MLflow run; every method is best effort and counts what was lost in ``lost``."""

    def __init__(self, client: MlflowClient, run_id: str | None) -> None:
        self._client, self.run_id, self.lost = client, run_id, 0

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

    def folder(self, folder: Path, path: str) -> None:
        """Store the files of ``folder`` under ``path``."""
        self._try(path, lambda run_id: self._client.log_artifacts(run_id, str(folder), path))

    def _try(self, what: str, act: Callable[[str], object]) -> None:
        try:
            if self.run_id is None:
                self.lost += 1
                return
            act(self.run_id)
        except UNREACHABLE as error:
            self.lost += 1
            log.warning("mlflow run %s: %s was not recorded: %s", self.run_id, what, error)


class Tracking:
    """Opens runs, registers versions, judges them and finds the champion.

    Parameters
    ----------
    settings
        Where MLflow is (``settings.tracking.uri``; a server, or a local store in tests).
    """

    def __init__(self, settings: Settings) -> None:
        self._uri = settings.tracking.uri
        self._client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    @contextmanager
    def run(self, experiment: str, name: str, tags: Mapping[str, object]) -> Iterator[Run]:
        """Yield a new run; when the block ends without an error its last tag is ``complete=true``.

        Status alone is no evidence of success (a killed process stays RUNNING, an early exit ends FINISHED);
        the tag is.
        """
        run = Run(self._client, None)
        text = {key: str(value) for key, value in tags.items()}
        try:
            run.run_id = self._client.create_run(self._experiment(experiment), tags=text, run_name=name).info.run_id
        except UNREACHABLE as error:
            log.warning("mlflow at %s: run %s is not recorded: %s", self._uri, name, error)
        status = "FAILED"
        try:
            yield run
            run.tags({"lost_records": run.lost})
            run.tags({"complete": "true"})
            status = "FINISHED"
        finally:
            run._try("status", lambda run_id: self._client.set_terminated(run_id, status))

    def register(self, name: str, folder: Path, run: Run, tags: Mapping[str, object]) -> Version:
        """Store ``folder`` with its manifest in the run and register it as the next version of ``name``.

        Parameters
        ----------
        tags
            Must hold ``data_cut_off``, an ISO date.

        Raises
        ------
        TemporaryError
            When MLflow does not take it.
        DataError
            When what it stored differs from what was sent.
        """
        if run.run_id is None:
            raise TemporaryError(f"{name}: MLflow at {self._uri} took no run, so nothing can be registered")
        date.fromisoformat(str(tags["data_cut_off"]))
        pinned = {**{key: str(value) for key, value in tags.items()}, "manifest_sha256": write_manifest(folder)}
        with self._required(name):
            self._client.log_artifacts(run.run_id, str(folder), MODEL_PATH)
            try:
                self._client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                    raise
            source = f"runs:/{run.run_id}/{MODEL_PATH}"
            version = _version(self._client.create_model_version(name, source, run.run_id, tags=pinned))
        self.load(version)
        return version

    def judge(self, version: Version, passed: bool, reason: str) -> bool:
        """Write the gate's verdict and reason on the version; return whether it is now the champion.

        A version that passed becomes the champion unless the champion's data are newer (a backfill): then it
        only serves its own days, through :meth:`champion`.

        Raises
        ------
        TemporaryError
            When MLflow does not answer, or the run that made the version is not complete.
        """
        with self._required(version.name):
            if self._client.get_run(version.run_id).data.tags.get("complete") != "true":
                raise TemporaryError(f"{version.name} {version.number}: run {version.run_id} is not complete")
            verdict = {"gate_reason": reason, "gate": "passed" if passed else "failed"}
            for key, value in verdict.items():
                self._client.set_model_version_tag(version.name, str(version.number), key, value)
            current = self._alias(version.name)
            if not passed or (current and current.data_cut_off > version.data_cut_off):
                return False
            self._client.set_registered_model_alias(version.name, CHAMPION, str(version.number))
        log.info("%s: version %d is the champion: %s", version.name, version.number, reason)
        return True

    def find_champion(self, name: str, as_of: date) -> Version | None:
        """Return the champion for ``as_of``, or None where there is none yet.

        It is the version with the alias when its data end on or before ``as_of``, else the newest version that
        passed its gate and whose data do.

        Raises
        ------
        TemporaryError
            When MLflow does not answer.
        """
        with self._required(name):
            current = self._alias(name)
            if current and current.data_cut_off <= as_of:
                return current
            if current is None and not self._client.search_registered_models(f"name = '{name}'"):
                return None
            versions = [_version(one) for one in self._client.search_model_versions(f"name = '{name}'")]
        fitting = [v for v in versions if v.tags.get("gate") == "passed" and v.data_cut_off <= as_of]
        return max(fitting, key=lambda version: (version.data_cut_off, version.number), default=None)

    def champion(self, name: str, as_of: date) -> Champion:
        """Return the champion for ``as_of`` with its files; resolve it once a run and note its number.

        Raises
        ------
        DataError
            When there is none, or its files are not those that were registered.
        TemporaryError
            When MLflow does not answer.
        """
        version = self.find_champion(name, as_of)
        if version is None:
            raise DataError(f"{name}: no version passed its gate with data up to {as_of}; run train_models first")
        return self.load(version)

    def numbered(self, name: str, number: int) -> Champion:
        """Return a version by its number, with its files: the one a run has noted, wherever the alias points by now.

        Raises
        ------
        DataError
            When its files are not those that were registered.
        TemporaryError
            When MLflow does not answer.
        """
        with self._required(name):
            version = _version(self._client.get_model_version(name, str(number)))
        return self.load(version)

    def load(self, version: Version) -> Champion:
        """Fetch the files of a version and verify them against its manifest.

        Raises
        ------
        DataError
            When a file is missing, unknown or changed.
        TemporaryError
            When MLflow does not answer.
        """
        keeper = tempfile.TemporaryDirectory(prefix=f"{version.name}-{version.number}-")
        with self._required(version.name):
            fetched = Path(self._client.download_artifacts(version.run_id, MODEL_PATH, keeper.name))
        verify_manifest(fetched, version.tags["manifest_sha256"])
        return Champion(version, fetched, keeper)

    def _alias(self, name: str) -> Version | None:
        try:
            return _version(self._client.get_model_version_by_alias(name, CHAMPION))
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST) or "not found" in str(error):
                return None
            raise

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return self._client.create_experiment(name)
            except MlflowException:  # another process may have been faster
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    @contextmanager
    def _required(self, what: str) -> Iterator[None]:
        try:
            yield
        except UNREACHABLE as error:
            raise TemporaryError(f"{what}: MLflow at {self._uri}: {error}") from error


def _version(found: ModelVersion) -> Version:
    return Version(found.name, int(found.version), found.run_id or "", dict(found.tags))
