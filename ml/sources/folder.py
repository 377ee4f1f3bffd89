"""A shop's own data: a directory of CSV or Parquet files in the raw contract.

``<table>.csv``, ``<table>.csv.gz``, ``<table>.parquet`` or a directory ``<table>/`` of such files. CSV is UTF-8, comma
separated, quoted as RFC 4180 says, with a header. ``manifest.csv`` may state how many records each file holds; where it
is required, it is also what says that the export is complete.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import polars as pl

from ml.errors import ConfigError, DataError, NothingToDo, TemporaryError
from ml.sources.contract import TABLES, RawTable
from ml.sources.delivery import Delivery, RefusedFile
from ml.sources.reading import Reading, read_csv, read_parquet
from ml.sources.unpacking import LARGEST, check_size, unpacked

log = logging.getLogger(__name__)

READ = (".csv", ".csv.gz", ".parquet")
NOT_READ = (
    *(".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst", ".7z", ".rar"),
    *(".xlsx", ".xlsm", ".xls", ".ods", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".avro", ".orc", ".feather"),
)
"""Endings of data in other forms: passed over in silence, they would be missed by nobody until a bundle is wrong."""
MANIFEST = "manifest.csv"


class Folder:
    """The files of one directory.

    Parameters
    ----------
    path
        The directory; None when the shop did not name one.
    tables
        Whose files are looked for, parents before children.
    largest
        Bytes of one file, unpacked, above which it is refused.
    requires_manifest
        Whether only the files are read that ``manifest.csv`` names, and none before it is there.

    Raises
    ------
    ConfigError
        When there is no such directory.
    """

    def __init__(
        self,
        path: Path | None,
        tables: Mapping[str, RawTable] = TABLES,
        largest: int = LARGEST,
        requires_manifest: bool = False,
    ) -> None:
        if path is None or not path.is_dir():
            raise ConfigError(f"source folder: BUNDLES_SOURCE__FOLDER must name a directory, got {path}")
        self.path, self.tables, self.largest = path, tables, largest
        self.requires_manifest = requires_manifest

    def deliveries(self, as_of: date, loaded_through: dict[str, date]) -> Iterator[Delivery]:
        """Yield every file, table by table in the contract's order, files by name.

        Raises
        ------
        NothingToDo
            When there is none to read.
        RefusedFile
            When one cannot be read.
        TemporaryError
            When there are files, and not yet the manifest that is required.
        """
        files = {
            str(file.relative_to(self.path)): (table, file) for table in self.tables for file in self._files(table)
        }
        if files and self.requires_manifest and not (self.path / MANIFEST).is_file():
            raise TemporaryError(
                f"{self.path}: {len(files)} files and no {MANIFEST} yet, which is written when an export is complete;"
                " none of them was read"
            )
        stated = self._stated(set(files))
        if self.requires_manifest and (strangers := sorted(set(files) - set(stated))):
            log.warning("%s does not name these files, which are not read: %s", MANIFEST, ", ".join(strangers))
            files = {name: of for name, of in files.items() if name in stated}
        if not files:
            named = f"named in {MANIFEST} and " if self.requires_manifest else "named "
            raise NothingToDo(
                f"{self.path}: no file is {named}after a table of the raw contract ({', '.join(self.tables)})"
            )
        for name, (table, file) in files.items():
            try:
                content = self._content(file)
                reading = self._read(content, file, stated.get(name))
            except DataError as error:
                sha = "" if file.stat().st_size > self.largest else hashlib.sha256(file.read_bytes()).hexdigest()
                raise RefusedFile(str(error), table, name, sha) from error
            sha = hashlib.sha256(content).hexdigest()
            yield Delivery(table, name, sha, reading.records, None, reading.refused, reading.notes)

    def _content(self, file: Path) -> bytes:
        if not file.name.lower().endswith(READ):
            raise DataError(f"file_type: {file.name} is none of {', '.join(READ)}")
        check_size(file.stat().st_size, file, self.largest)
        return file.read_bytes()

    def _read(self, content: bytes, file: Path, stated: int | None) -> Reading:
        if file.name.lower().endswith(".parquet"):
            reading = read_parquet(content, file, self.largest)
        else:
            text = unpacked(content, file, self.largest) if file.name.lower().endswith(".gz") else content
            reading = read_csv(text, file, stated is not None)
        if stated is None and not reading.height:
            raise DataError(f"no_rows: {file.name} has a header only")
        if stated is not None and reading.height != stated:
            raise DataError(f"count_mismatch: {file.name} holds {reading.height} records, {MANIFEST} says {stated}")
        return reading

    def _stated(self, names: set[str]) -> dict[str, int]:
        """Return how many records each file is said to hold.

        Raises
        ------
        RefusedFile
            When the manifest cannot be read, or names a file that is not there.
        """
        file = self.path / MANIFEST
        if not file.is_file():
            return {}
        content = file.read_bytes()
        try:
            lines = read_csv(content, file, True).records
            if not {"file", "records"} <= set(lines.columns):
                raise DataError(f"schema_missing: {MANIFEST} needs the columns file, records")
            counts = lines["records"].str.strip_chars().cast(pl.Int64, strict=False)
            stated = dict(zip(lines["file"].str.strip_chars(), counts, strict=True))
            for name, count in stated.items():
                if name not in names:
                    raise DataError(f"missing_file: {MANIFEST} names {name}, which is not there")
                if count is None or count < 0:
                    raise DataError(f"integer_format: {MANIFEST} gives no number of records for {name}")
        except DataError as error:
            raise RefusedFile(str(error), "manifest", MANIFEST, hashlib.sha256(content).hexdigest()) from error
        return stated

    def _files(self, table: str) -> list[Path]:
        wanted = [
            file
            for file in self.path.iterdir()
            if file.is_file()
            and file.name.lower().partition(".")[0] == table
            and file.name.lower().endswith(READ + NOT_READ)
        ]
        below = [file for file in (self.path / table).glob("*") if file.is_file() and _is_data(file)]
        return sorted(wanted) + sorted(below)


def _is_data(file: Path) -> bool:
    """Return whether a file beside others of a table holds data: a note or a hidden file does not."""
    name = file.name.lower()
    return name.endswith(READ) or (name.endswith(NOT_READ) and not name.endswith(".txt") and not name.startswith("."))
