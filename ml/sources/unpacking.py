"""How large a file is once it is unpacked, found out before it is: a few kilobytes can hold more than a memory does."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from ml.errors import DataError

LARGEST = 2**31
"""Bytes of one file, unpacked; more is a bomb or belongs into several files."""
VALUE_BYTES = 8
"""What a value takes in memory at least: a column of one value repeated is packed into next to nothing."""


def check_size(size: int, file: Path, largest: int) -> None:
    """Refuse a file of more than ``largest`` bytes.

    Raises
    ------
    DataError
        ``too_large``.
    """
    if size > largest:
        raise DataError(f"too_large: {file.name} has more than {largest} bytes")


def unpacked(content: bytes, file: Path, largest: int = LARGEST) -> bytes:
    """Return what is in a gzip file, checked to its end.

    Raises
    ------
    DataError
        ``truncated_archive`` when it is cut off or damaged, ``too_large`` as soon as more than ``largest`` bytes come
        out.
    """
    parts: list[bytes] = []
    room = largest
    while content:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(content, room + 1))
        except zlib.error as error:
            raise DataError(f"truncated_archive: {file.name} is no whole gzip file: {error}") from error
        room -= len(parts[-1])
        if room < 0:
            raise _too_large(file, largest)
        if not member.eof:
            raise DataError(f"truncated_archive: {file.name} ends in the middle")
        content = member.unused_data
    return b"".join(parts)


def check_parquet(content: bytes, file: Path, largest: int) -> None:
    """Refuse a Parquet file that would unpack to more than ``largest`` bytes.

    Its footer says what its pages unpack to and how many values they hold. A page may name a text of a dictionary any
    number of times, so these are counted as often as they are named, before they are written out.

    Raises
    ------
    DataError
        ``too_large``, or ``parquet`` when it is no Parquet file.
    """
    try:
        pages, texts = _pages(content)
        if pages > largest:
            raise _too_large(file, largest)
        room = largest
        for size in _texts(content, texts):
            room -= size
            if room < 0:
                raise _too_large(file, largest)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"parquet: {file.name}: {error}") from error


def check_workbook(content: bytes, file: Path, largest: int) -> None:
    """Refuse a workbook whose parts unpack to more than ``largest`` bytes.

    Raises
    ------
    DataError
        ``too_large``, or ``xlsx`` when it is no archive, or not what its directory says.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > largest:
                raise _too_large(file, largest)
            # Should the directory understate a part, no more than it says is unpacked here, and the check sum differs.
            damaged = archive.testzip()
    # The last two are how zipfile says that a part is packed in a way it does not know, or encrypted.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"xlsx: {file.name}: {error}") from error
    if damaged:
        raise DataError(f"xlsx: {file.name} is damaged")


def _pages(content: bytes) -> tuple[int, list[str]]:
    """Return the bytes that a file's pages unpack to, or its values take, and its columns of texts in dictionaries."""
    footer = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)).metadata
    size, texts = 0, dict[str, None]()
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for number, chunk in enumerate(map(group.column, range(footer.num_columns))):
            width = max(VALUE_BYTES, footer.schema.column(number).length or 0)
            size += max(chunk.total_uncompressed_size, width * chunk.num_values)
            if chunk.physical_type == "BYTE_ARRAY" and any("DICTIONARY" in name for name in chunk.encodings):
                texts[chunk.path_in_schema] = None
    return size, list(texts)


def _texts(content: bytes, columns: list[str]) -> Iterator[int]:
    """Yield the bytes of the texts in these columns, some rows at a time; texts within lists are passed over."""
    if not columns:
        return
    book = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content), read_dictionary=columns)
    for batch in book.iter_batches(columns=columns):
        for column in batch.columns:
            if pyarrow.types.is_dictionary(column.type):
                lengths = pyarrow.compute.binary_length(column.dictionary).cast("int64")
                yield pyarrow.compute.sum(lengths.take(column.indices)).as_py() or 0


def _too_large(file: Path, largest: int) -> DataError:
    return DataError(f"too_large: {file.name} unpacks to more than {largest} bytes")
