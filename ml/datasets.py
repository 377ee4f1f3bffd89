"""What a model learnt from, so that two runs can be told to have seen the same rows."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl


@dataclass(frozen=True)
class Dataset:
    """Fingerprint of a table of one day.

    Attributes
    ----------
    name
        Qualified name of the table.
    as_of
        Day whose rows were read.
    rows
        How many.
    columns
        Type of each column, by name.
    digest
        sha256 (hex) of the rows in their order, as lines of JSON.
    """

    name: str
    as_of: date
    rows: int
    columns: Mapping[str, str]
    digest: str

    @classmethod
    def of(cls, name: str, frame: pl.DataFrame, as_of: date) -> "Dataset":
        """Return the fingerprint of ``frame``, whose rows stand in the order of their key."""
        lines = io.BytesIO()
        frame.write_ndjson(lines)
        columns = {column: str(kind) for column, kind in frame.schema.items()}
        return cls(name, as_of, frame.height, columns, hashlib.sha256(lines.getvalue()).hexdigest())
