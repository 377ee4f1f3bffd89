"""Runs, registered models and champions.

Registering, judging and loading are not best effort: what cannot be recorded or verified is not used. Model folders
hold text, JSON and safetensors only; ``manifest.json`` lists the sha256 of each file and is itself pinned by a tag of
the version.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode

from ml.errors import DataError, TemporaryError
from ml.formats import refuse_code
from ml.settings import Settings
from ml.tracking.runs import UNREACHABLE, Outage, Run, is_away
from ml.versions import PASSED, Champion, Version, verify_manifest, write_manifest

CHAMPION = "champion"
FREEZE = "freeze_promotion"
"""Tag of a registered model with which a person stops promotions, in the UI too."""
MODEL_PATH = "model"

log = logging.getLogger(__name__)


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
        self._outage = Outage()

    @contextmanager
    def run(self, experiment: str, name: str, tags: Mapping[str, object]) -> Iterator[Run]:
        """Yield a new run; when the block ends without an error its last tag is ``complete=true``.

        Status alone is no evidence of success (a killed process stays RUNNING, an early exit ends FINISHED);
        the tag is.
        """
        run = Run(self._client, None, self._outage)
        text = {key: str(value) for key, value in tags.items()}
        try:
            run.run_id = self._client.create_run(self._experiment(experiment), tags=text, run_name=name).info.run_id
        except UNREACHABLE as error:
            if is_away(error):
                self._outage.begin()
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
            When what it stored differs from what was sent, or a file is of a format that could hold code.
        """
        if run.run_id is None:
            raise TemporaryError(f"{name}: MLflow at {self._uri} took no run, so nothing can be registered")
        date.fromisoformat(str(tags["data_cut_off"]))
        refuse_code(folder)
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

    def judge(self, version: Version, gate: str, reason: str) -> bool:
        """Write the gate's verdict and reason on the version; return whether it is now the champion.

        A version that passed becomes the champion unless the champion's data are newer (a backfill): then it
        only serves its own days, through :meth:`champion`.

        Parameters
        ----------
        gate
            "passed"; else why it stays a challenger: "failed", "frozen" or "held".

        Raises
        ------
        TemporaryError
            When MLflow does not answer, or the run that made the version is not complete.
        """
        with self._required(version.name):
            if not self.is_complete(version):
                raise TemporaryError(f"{version.name} {version.number}: run {version.run_id} is not complete")
            self._tag(version.name, version.number, {"gate_reason": reason, "gate": gate})
            current = self._alias(version.name)
            if gate != PASSED or (current and current.data_cut_off > version.data_cut_off):
                return False
            self._client.set_registered_model_alias(version.name, CHAMPION, str(version.number))
        log.info("%s: version %d is the champion: %s", version.name, version.number, reason)
        return True

    def pointed_at(self, name: str) -> Version | None:
        """Return the version with the alias, whatever its data; None where there is none.

        Raises
        ------
        TemporaryError
            When MLflow does not answer.
        """
        with self._required(name):
            return self._alias(name)

    def versions(self, name: str) -> list[Version]:
        """Return all versions of ``name``, none where it was never registered.

        Raises
        ------
        TemporaryError
            When MLflow does not answer.
        """
        with self._required(name):
            return [_version(one) for one in self._client.search_model_versions(f"name = '{name}'")]

    def tag_version(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; an empty text takes the tag away.

        Raises
        ------
        TemporaryError
            When MLflow does not answer.
        """
        with self._required(name):
            self._tag(name, number, tags)

    def tag_run(self, run_id: str, tags: Mapping[str, object]) -> None:
        """Set tags of a run that has ended, best effort: what became of its model is known only later."""
        Run(self._client, run_id, self._outage).tags(tags)

    def is_frozen(self, name: str) -> bool:
        """Return whether a person has set the tag ``freeze_promotion`` of the registered model to "true".

        Raises
        ------
        TemporaryError
            When MLflow does not answer.
        """
        with self._required(name):
            found = self._client.search_registered_models(f"name = '{name}'")
        return bool(found) and found[0].tags.get(FREEZE, "").strip().lower() == "true"

    def find_champion(self, name: str, as_of: date) -> Version | None:
        """Return the champion for ``as_of``, or None where there is none yet.

        It is the version with the alias when its data end on or before ``as_of``, else the newest version that
        passed its gate, was not rolled back, and whose data do.

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
        fitting = [
            v for v in versions if v.tags.get("gate") == PASSED and not v.is_rolled_back and v.data_cut_off <= as_of
        ]
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
            When there is no such version, or its files are not those that were registered.
        TemporaryError
            When MLflow does not answer.
        """
        with self._required(name):
            version = _version(self._client.get_model_version(name, str(number)))
        return self.load(version)

    def is_complete(self, version: Version) -> bool:
        """Return whether the run that made a version said, as its last word, that it went through.

        Raises
        ------
        TemporaryError
            When MLflow does not answer.
        """
        with self._required(version.name):
            return self._client.get_run(version.run_id).data.tags.get("complete") == "true"

    def load(self, version: Version) -> Champion:
        """Fetch the files of a version and verify them against its manifest.

        Raises
        ------
        DataError
            When a file is missing, unknown or changed, or of a format that could hold code.
        TemporaryError
            When MLflow does not answer.
        """
        keeper = tempfile.TemporaryDirectory(prefix=f"{version.name}-{version.number}-")
        with self._required(version.name):
            if not self._client.list_artifacts(version.run_id, MODEL_PATH):
                raise DataError(f"{version.name} {version.number}: run {version.run_id} has no files of a model")
            fetched = Path(self._client.download_artifacts(version.run_id, MODEL_PATH, keeper.name))
        verify_manifest(fetched, version.manifest_sha256)
        refuse_code(fetched)
        return Champion(version, fetched, keeper)

    def _tag(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            if value:
                self._client.set_model_version_tag(name, str(number), key, value)
            else:
                self._client.delete_model_version_tag(name, str(number), key)

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
            self._outage.end()
        except UNREACHABLE as error:
            is_gone = getattr(error, "error_code", "") == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST)
            kind = DataError if is_gone else TemporaryError
            raise kind(f"{what}: MLflow at {self._uri}: {error}") from error


def _version(found: ModelVersion) -> Version:
    return Version(found.name, int(found.version), found.run_id or "", dict(found.tags))
