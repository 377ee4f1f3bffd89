"""Read one file of a shop into records: decoded and split, with its number beside each record.

A file that cannot be read as a whole is refused with its reason; a record that cannot be split into its columns is
set aside alone. No message repeats what stands in the file: in one without a header that would be a customer's data.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from ml.errors import DataError
from ml.sources.unpacking import LARGEST, check_parquet
from ml.sources.validation import RECORD

LONGEST_FIELD = 1_000_000
BATCH = 50_000
"""Records that are held as Python texts at a time: each takes several times the bytes that it takes in a frame."""
REFUSED = {"record_number": pl.Int64, "reason": pl.String, "column_name": pl.String, "raw_record": pl.String}
OTHER_FORMATS = {b"PK\x03\x04": "a zip archive or workbook", b"\x1f\x8b": "gzip", b"PAR1": "Parquet"}
NO_CHARACTER = re.compile(
    rb"\xed[\xa0-\xbf][\x80-\xbf]|[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}"
)
"""Half a pair of UTF-16, or a character in more bytes than it needs: UTF-8 of a broken text, not another encoding."""
ESCAPED = re.compile("[\udc80-\udcff]")
"""How Python keeps a byte that is no text."""
Bad = tuple[int, str, str | None, str]


class Reading(NamedTuple):
    """What was read of a file: records, the quarantine rows of those that could not be split, and counted mendings."""

    records: pl.DataFrame
    refused: pl.DataFrame | None
    notes: dict[str, int]

    @property
    def height(self) -> int:
        """Return how many records the file holds, readable or not."""
        return self.records.height + (0 if self.refused is None else self.refused.height)


def read_parquet(content: bytes, file: Path, largest: int = LARGEST) -> Reading:
    """Return the records of a Parquet file.

    Raises
    ------
    DataError
        When it is no Parquet file, unpacks to more than ``largest`` bytes, or names a column twice.
    """
    check_parquet(content, file, largest)
    try:
        records = pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        raise DataError(f"parquet: {file.name}: {error}") from error
    names = dict(zip(records.columns, _header(records.columns, file), strict=True))
    return Reading(records.rename(names).with_row_index(RECORD, offset=1), None, {})


def read_csv(content: bytes, file: Path, is_whole: bool = False) -> Reading:
    """Return the records of a CSV file, every field as text, and those that could not be split.

    Parameters
    ----------
    content, file
        The bytes, and the name for messages.
    is_whole
        Whether something else vouches for the end of the file, so that its last line may lack a line break.

    Raises
    ------
    DataError
        ``empty_file``, ``file_type``, ``encoding``, ``csv_unterminated_quote``, ``csv_format``, ``delimiter``,
        ``schema_duplicate_column`` or ``truncated``, with file and place.
    """
    if not content:
        raise DataError(f"empty_file: {file.name} has no bytes")
    for magic, what in OTHER_FORMATS.items():
        if content.startswith(magic):
            raise DataError(f"file_type: {file.name} is {what}, not CSV")
    errors = _errors(content, file)
    lines = _Lines(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", errors, newline=""))
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(lines, strict=True)
    try:
        columns = next(reader)
    except csv.Error as error:
        raise DataError(f"csv_format: {file.name}, header: {error}") from error
    if ESCAPED.search("".join(columns)):
        raise DataError(f"encoding: {file.name} has a header that is not UTF-8")
    if len(columns) == 1 and re.search("[;\t|]", columns[0]):
        raise DataError(f"delimiter: {file.name} is not separated by commas")
    names = _header(columns, file)
    parts: list[pl.DataFrame] = []
    numbers: list[int] = []
    good: list[list[str]] = []
    bad: list[Bad] = []
    blank = 0
    for number, fields in enumerate(_split(reader, lines, file), start=1):
        # Sheets write the empty rows below a table as rows of commas.
        if not isinstance(fields, _Fault) and (not fields or (len(fields) > 1 and not any(fields))):
            blank += 1
        elif isinstance(record := _record(fields, len(columns), errors != "strict"), _Fault):
            column = None if record.place is None else names[record.place]
            bad.append((number - blank, record.reason, column, record.raw))
        else:
            numbers.append(number - blank)
            good.append(record)
        if len(good) == BATCH:
            parts.append(_text_frame(good, names))
            good = []
    if not is_whole and not content.endswith((b"\n", b"\r")):
        raise DataError(
            f"truncated: {file.name} ends without a line break and may have been cut off in its last record; end it"
            " with one, or state its records in manifest.csv"
        )
    parts.append(_text_frame(good, names))
    records = pl.concat(parts).with_columns(pl.Series(RECORD, numbers, dtype=pl.UInt32))
    return Reading(records, pl.DataFrame(bad, schema=REFUSED, orient="row"), {"blank_lines": blank} if blank else {})


class _Lines:
    """The lines of a file, of which the last one is remembered for the quarantine."""

    def __init__(self, lines: io.TextIOWrapper) -> None:
        self._lines, self.last = lines, ""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.last = next(self._lines)
        return self.last


class _Fault(NamedTuple):
    """Why a record could not be read, how it came, and the place of the field that is to blame, where that is known."""

    reason: str
    raw: str
    place: int | None = None


def _split(reader: Iterator[list[str]], lines: _Lines, file: Path) -> Iterator["list[str] | _Fault"]:
    """Yield the fields of each record, or what is wrong with a record of one line.

    Where it goes wrong in a record of several lines, a quote was left open and nobody knows where the record ends.
    """
    while True:
        begins = reader.line_num + 1  # type: ignore[attr-defined] # a csv reader
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or reader.line_num > begins:  # type: ignore[attr-defined]
                raise DataError(
                    f"csv_unterminated_quote: {file.name}, record that begins on line {begins}: {error}"
                ) from error
            reason = "too_long" if "field limit" in str(error) else "csv_format"
            yield _Fault(reason, json.dumps([lines.last[:LONGEST_FIELD]]))
        else:
            yield fields


def _record(fields: "list[str] | _Fault", columns: int, is_broken: bool) -> "list[str] | _Fault":
    """Return the fields as they are where they make a record, what is wrong where they do not."""
    if isinstance(fields, _Fault):
        return fields
    if fields == ["\\."]:
        return _Fault("bad_record", json.dumps(fields))
    if len(fields) != columns:
        return _Fault("field_count", json.dumps(fields))
    if is_broken and (broken := [place for place, field in enumerate(fields) if ESCAPED.search(field)]):
        return _Fault("encoding", json.dumps(fields), broken[0])
    return fields


def _errors(content: bytes, file: Path) -> str:
    """Return how undecodable bytes are handled: single broken characters are marked, another encoding is refused."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[: content.find(b"\n")]:
        raise DataError(f"encoding: {file.name} is UTF-16, wanted is UTF-8")
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    else:
        return "strict"
    blanked = NO_CHARACTER.sub(lambda found: b"?" * len(found[0]), content)
    try:
        blanked.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A byte order mark is not part of the text that is decoded after it.
        start = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = content[:start].count(b"\n") + 1
        raise DataError(f"encoding: {file.name} is not UTF-8 at byte {start}, line {line}") from error
    return "surrogateescape"


def _text_frame(rows: list[list[str]], names: list[str]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(dict(zip(names, columns, strict=True)), schema=dict.fromkeys(names, pl.String))


def _header(columns: list[str], file: Path) -> list[str]:
    names = [column.strip().lower() for column in columns]
    for place, name in enumerate(names, start=1):
        if names.index(name) + 1 < place:
            raise DataError(
                f"schema_duplicate_column: {file.name} names a column twice, as column {names.index(name) + 1} and"
                f" {place}"
            )
    return names
