"""The manifest of a model folder: the sha256 of each file, so that what is loaded is what was registered."""

import hashlib
import json
from pathlib import Path

from ml.errors import DataError

MANIFEST = "manifest.json"


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
