"""A shop's own data: a directory of CSV or Parquet files in the raw contract.

``<table>.csv``, ``<table>.parquet`` or a directory ``<table>/`` of such files. CSV is UTF-8, comma separated, quoted
as RFC 4180 says, with a header. A file that cannot be read as a whole is refused with its reason; a record that
cannot be split into its columns is quarantined alone.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import polars as pl

from ml.errors import ConfigError, DataError, NothingToDo
from ml.sources.contract import TABLES, RawTable
from ml.sources.delivery import Delivery, RefusedFile
from ml.sources.validation import RECORD

LONGEST_FIELD = 1_000_000
BATCH = 50_000
"""Records that are held as Python texts at a time: each takes several times the bytes that it takes in a frame."""
REFUSED = {"record_number": pl.Int64, "reason": pl.String, "column_name": pl.String, "raw_record": pl.String}


class Folder:
    """The files of one directory.

    Parameters
    ----------
    path
        The directory; None when the shop did not name one.
    tables
        Whose files are looked for, parents before children.

    Raises
    ------
    ConfigError
        When there is no such directory.
    """

    def __init__(self, path: Path | None, tables: Mapping[str, RawTable] = TABLES) -> None:
        if path is None or not path.is_dir():
            raise ConfigError(f"source folder: BUNDLES_SOURCE__FOLDER must name a directory, got {path}")
        self.path, self.tables = path, tables

    def deliveries(self, as_of: date, loaded_through: dict[str, date]) -> Iterator[Delivery]:
        """Yield every file, table by table in the contract's order, files by name."""
        files = [(table, file) for table in self.tables for file in self._files(table)]
        if not files:
            raise NothingToDo(
                f"{self.path}: no file is named after a table of the raw contract ({', '.join(self.tables)})"
            )
        for table, file in files:
            content = file.read_bytes()
            name, sha = str(file.relative_to(self.path)), hashlib.sha256(content).hexdigest()
            try:
                records, refused = read_parquet(content, file) if file.suffix == ".parquet" else read_csv(content, file)
            except DataError as error:
                raise RefusedFile(str(error), table, name, sha) from error
            yield Delivery(table, name, sha, records, None, refused)

    def _files(self, table: str) -> list[Path]:
        found = [self.path / f"{table}{ending}" for ending in (".csv", ".parquet")]
        return [f for f in found if f.is_file()] + sorted(
            f for f in (self.path / table).glob("*") if f.suffix in (".csv", ".parquet")
        )


def read_parquet(content: bytes, file: Path) -> tuple[pl.DataFrame, None]:
    """Return the records of a Parquet file.

    Raises
    ------
    DataError
        When it is no Parquet file or holds no rows.
    """
    try:
        records = pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        raise DataError(f"parquet: {file.name}: {error}") from error
    if records.is_empty():
        raise DataError(f"no_rows: {file.name} has a header only")
    return _with_numbers(records.rename(_header(records.columns, file))), None


def read_csv(content: bytes, file: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the records of a CSV file, every field as text, and the records that could not be split.

    Raises
    ------
    DataError
        ``empty_file``, ``encoding``, ``csv_unterminated_quote``, ``delimiter``, ``schema_duplicate_column`` or
        ``no_rows``, with file and place.
    """
    if not content:
        raise DataError(f"empty_file: {file.name} has no bytes")
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"encoding: {file.name} is not UTF-8 at byte {error.start}, line {line}") from error
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""), strict=True)
    parts: list[pl.DataFrame] = []
    numbers: list[int] = []
    good: list[list[str]] = []
    bad: list[tuple[int, str, str, str]] = []
    line = 1
    try:
        columns = next(reader)
        if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
            raise DataError(f"delimiter: {file.name} is not separated by commas: {columns[0][:80]!r}")
        names = list(_header(columns, file).values())
        line = reader.line_num + 1
        for number, fields in enumerate((row for row in reader if row), start=1):
            line = reader.line_num + 1
            if len(fields) == len(columns):
                numbers.append(number)
                good.append(fields)
            else:
                bad.append((number, "field_count", columns[0], json.dumps(fields)))
            if len(good) == BATCH:
                parts.append(_text_frame(good, names))
                good = []
    except csv.Error as error:
        reason = "csv_unterminated_quote" if "unexpected end" in str(error) else "csv_format"
        raise DataError(f"{reason}: {file.name}, record that begins on line {line}: {error}") from error
    if not numbers and not bad:
        raise DataError(f"no_rows: {file.name} has a header only")
    parts.append(_text_frame(good, names))
    records = pl.concat(parts).with_columns(pl.Series(RECORD, numbers, dtype=pl.UInt32))
    return records, pl.DataFrame(bad, schema=REFUSED, orient="row")


def _text_frame(rows: list[list[str]], names: list[str]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pl.DataFrame(dict(zip(names, columns, strict=True)), schema=dict.fromkeys(names, pl.String))


def _header(columns: list[str], file: Path) -> dict[str, str]:
    names = {column: column.strip().lower() for column in columns}
    if len(columns) != len(names) or len(set(names.values())) != len(names):
        raise DataError(f"schema_duplicate_column: {file.name} names a column twice: {', '.join(columns)}")
    return names


def _with_numbers(records: pl.DataFrame) -> pl.DataFrame:
    return records.with_row_index(RECORD, offset=1)
