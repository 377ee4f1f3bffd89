"""Looks for secrets where none may stand. Each generated secret is as good as a planted canary: it is on earth once."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path


def traces(secret: str) -> tuple[bytes, ...]:
    """Return the forms in which a secret may stand in a file: as it is, and in the three ways base64 may cut it."""
    plain = secret.encode()
    # Three bytes become four letters: what surrounds the secret shifts it, and spoils a letter at each end.
    shifted = [base64.b64encode(b"\0" * shift + plain).rstrip(b"=")[4 if shift else 0 : -2] for shift in range(3)]
    return plain, *shifted


def hits(secrets: Mapping[str, str], files: Iterable[Path]) -> list[str]:
    """Return "file: name of the secret" for each file that holds one."""
    wanted = [(name, trace) for name, secret in secrets.items() for trace in traces(secret)]
    return sorted({f"{path}: {name}" for path in files for name, trace in _found(path, wanted)})


def _found(path: Path, wanted: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    content = path.read_bytes()
    return [(name, trace) for name, trace in wanted if trace in content]


def files_below(folder: Path) -> list[Path]:
    """Return all files of a folder, however deep."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
