"""What may lie in the folder of a model: text, JSON and safetensors, none of which can hold code.

A name says nothing of a content, so both are looked at: the extension must be one of three, and the bytes must be what
it promises. Pickles, archives, and the ``MLmodel`` file with which MLflow would load Python code are none of these.
"""

import json
import struct
from collections.abc import Callable
from pathlib import Path

from ml.errors import DataError

LARGEST_HEADER = 100_000_000
"""Bytes; the limit of the safetensors format itself."""
LENGTH = struct.Struct("<Q")
CONTROL = {chr(code) for code in range(32)} - {"\t", "\n", "\r"}


def refuse_code(folder: Path) -> None:
    """Refuse a folder with any file that is not text, JSON or safetensors.

    Raises
    ------
    DataError
        When there is such a file, or a link; the message names it and says what it would have to be.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise DataError(f"{name}: a link has no place in a model")
        if path.is_dir():
            continue
        reads = READERS.get(path.suffix)
        if reads is None:
            raise DataError(f"{name}: a model holds {', '.join(READERS)} files only")
        try:
            reads(path)
        except (ValueError, struct.error) as error:
            raise DataError(f"{name}: its content is not {path.suffix}: {error}") from error


def _text(path: Path) -> str:
    text = path.read_bytes().decode("utf-8")
    if CONTROL & set(text):
        raise ValueError("control characters")
    return text


def _json(path: Path) -> None:
    json.loads(_text(path))


def _safetensors(path: Path) -> None:
    """Look at the header: its length in eight bytes, then as many bytes of JSON about the arrays that follow."""
    with path.open("rb") as file:
        (length,) = LENGTH.unpack(file.read(LENGTH.size))
        if length > min(LARGEST_HEADER, path.stat().st_size - LENGTH.size):
            raise ValueError("no header")
        header = json.loads(file.read(length).decode("utf-8"))
    if not isinstance(header, dict):
        raise ValueError("no header")


READERS: dict[str, Callable[[Path], object]] = {".json": _json, ".safetensors": _safetensors, ".txt": _text}
