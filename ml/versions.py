"""Registered model versions, and the manifest that shows that what is loaded is what was registered."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ml.errors import DataError

MANIFEST = "manifest.json"
PASSED = "passed"
"""What the tag ``gate`` of a version says when nothing kept it from becoming champion."""
ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Version:
    """A registered model version.

    Attributes
    ----------
    name, number
        Name of the registered model and its version number.
    run_id
        MLflow run that produced it.
    tags
        Tags of the version, among them ``data_cut_off`` (ISO date), ``recipe`` (JSON), ``gate`` ("passed", "failed",
        "frozen" or "held"), ``gate_reason``, ``kind`` (against what it was judged), and ``rolled_back`` after a person
        took it back.
    """

    name: str
    number: int
    run_id: str
    tags: Mapping[str, str]

    @property
    def data_cut_off(self) -> date:
        """Return the last day whose rows the version was trained on."""
        return date.fromisoformat(self.tags["data_cut_off"])

    @property
    def manifest_sha256(self) -> str:
        """Return the sha256 of its manifest, as it was registered.

        Raises
        ------
        DataError
            When none was.
        """
        if "manifest_sha256" not in self.tags:
            raise DataError(f"{self.name} {self.number}: no manifest was registered")
        return self.tags["manifest_sha256"]

    @property
    def is_rolled_back(self) -> bool:
        """Return whether a person has taken it back, and nobody has lifted that since."""
        return self.tags.get(ROLLED_BACK) == "true"


@dataclass(frozen=True)
class Champion:
    """A version with its verified files; the folder lives as long as this object."""

    version: Version
    folder: Path
    keeper: "tempfile.TemporaryDirectory[str]" = field(repr=False)


def lineage_of(*versions: Version) -> dict[str, dict[str, int | str]]:
    """Return what ``ops.note_run`` takes of the models a run uses: which version each is, and of which files."""
    return {
        "model_versions": {version.name: version.number for version in versions},
        "model_manifests": {version.name: version.manifest_sha256 for version in versions},
    }


def write_manifest(folder: Path) -> str:
    """Write ``manifest.json`` with the sha256 of each file of ``folder``; return the manifest's own sha256."""
    (folder / MANIFEST).unlink(missing_ok=True)
    text = json.dumps({"files": _digests(folder)}, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text, "utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def verify_manifest(folder: Path, manifest_sha256: str) -> None:
    """Refuse a folder that is not what was registered.

    Raises
    ------
    DataError
        When the manifest or a file differs, is missing or is unknown; the message names it.
    """
    path = folder / MANIFEST
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != manifest_sha256:
        raise DataError(f"{path}: not the manifest that was registered")
    promised = json.loads(path.read_text("utf-8"))["files"]
    found = {name: digest for name, digest in _digests(folder).items() if name != MANIFEST}
    wrong = sorted(name for name in promised.keys() | found.keys() if promised.get(name) != found.get(name))
    if wrong:
        raise DataError(f"{folder}: files differ from the manifest: {', '.join(wrong)}")


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
