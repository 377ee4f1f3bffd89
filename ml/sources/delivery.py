"""What every source gives: deliveries of records, each with the fingerprint that makes loading it twice a no-op."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import polars as pl

from ml.errors import DataError


class RefusedFile(DataError):  # noqa: N818 - what became of the file
    """A file that cannot be read as a whole; nothing of it lands.

    Parameters
    ----------
    reason
        Code and explanation.
    table, file_name, file_sha256
        As in ``Delivery``.
    """

    def __init__(self, reason: str, table: str, file_name: str, file_sha256: str) -> None:
        super().__init__(reason)
        self.table, self.file_name, self.file_sha256 = table, file_name, file_sha256


@dataclass(frozen=True)
class Delivery:
    """Records for one table.

    Attributes
    ----------
    table
        Name in the raw contract.
    file_name
        Where the records came from, for people.
    file_sha256
        Fingerprint; the same one is loaded once.
    records
        Columns as text or typed, and ``_record``.
    loaded_through
        Last day covered, where the source is cut by day.
    refused
        Quarantine rows (record_number, reason, column_name, raw_record) of records that could not even be split
        into columns; None when there are none.
    notes
        What was mended while reading, counted, such as blank lines.
    """

    table: str
    file_name: str
    file_sha256: str
    records: pl.DataFrame
    loaded_through: date | None = None
    refused: pl.DataFrame | None = None
    notes: Mapping[str, int] = field(default_factory=dict)


class Source(Protocol):
    """Anything that can deliver a shop's tables."""

    def deliveries(self, as_of: date, loaded_through: dict[str, date]) -> Iterator[Delivery]:
        """Yield the deliveries up to ``as_of``, parents before children.

        Parameters
        ----------
        as_of
            Last day wanted.
        loaded_through
            Last day loaded already, by table; tables that were never loaded are missing.

        Raises
        ------
        NothingToDo
            When the source has nothing new for the day.
        RefusedFile
            When a file as a whole cannot be read.
        """
        ...


def fingerprint(*parts: object) -> str:
    """Return the sha256 of the parts, for deliveries that are slices of a larger file."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
