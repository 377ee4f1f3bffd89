"""A table as a contract: columns, types, key.

A frame that differs from its table is refused before anything is written. The same columns stand in
``database/migrations`` (raw, ml) and in dbt (features).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ml.errors import ColumnError

TEXT, INT, BIG, REAL, DAY, FLAG = pl.String, pl.Int32, pl.Int64, pl.Float64, pl.Date, pl.Boolean
INSTANT = pl.Datetime("us", "UTC")
TEXTS, BIGS, REALS, DAYS, VECTOR = (pl.List(kind) for kind in (pl.String, pl.Int64, pl.Float64, pl.Date, pl.Float32))
DataType = pl.DataType | type[pl.DataType]


@dataclass(frozen=True)
class Table:
    """One table: where it lies, its columns with types, the columns that identify a row, those that may be null."""

    schema: str
    name: str
    columns: Mapping[str, DataType]
    key: tuple[str, ...]
    optional: frozenset[str] = frozenset()

    @property
    def qualified(self) -> str:
        """Return ``schema.name``."""
        return f"{self.schema}.{self.name}"

    def frame(self, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
        """Return rows of a run, still without it, typed as the table's columns."""
        return pl.DataFrame(rows, schema={name: kind for name, kind in self.columns.items() if name != "run_id"})

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with the table's columns in order and cast to its types.

        Raises
        ------
        ColumnError
            When a column is missing or unknown, a value does not fit its type, a required value is null, a
            number is not finite, or a key stands twice.
        """
        wrong = sorted(set(frame.columns) ^ set(self.columns))
        if wrong:
            raise ColumnError(f"{self.qualified}: columns differ from the contract: {', '.join(wrong)}")
        try:
            frame = frame.select([pl.col(name).cast(kind) for name, kind in self.columns.items()])
        except pl.exceptions.PolarsError as error:
            raise ColumnError(f"{self.qualified}: {error}") from error
        for name, kind in self.columns.items():
            if name not in self.optional and frame[name].null_count():
                raise ColumnError(f"{self.qualified}.{name}: {frame[name].null_count()} null values, none allowed")
            if kind == REAL and not frame[name].drop_nulls().is_finite().all():
                raise ColumnError(f"{self.qualified}.{name}: NaN or infinite values")
        if frame.select(self.key).is_duplicated().any():
            raise ColumnError(f"{self.qualified}: the key ({', '.join(self.key)}) is not unique")
        return frame


def of_features(name: str, key: tuple[str, ...], columns: Mapping[str, DataType], optional: str = "") -> Table:
    """Return the contract of a feature table; ``optional`` names the columns that may be null."""
    return Table("features", name, {"as_of": DAY, **columns}, ("as_of", *key), frozenset(optional.split()))


def of_results(name: str, key: tuple[str, ...], columns: Mapping[str, DataType], optional: str = "") -> Table:
    """Return the contract of a result table; ``optional`` names the columns that may be null."""
    return Table("ml", name, {"run_id": BIG, **columns}, ("run_id", *key), frozenset(optional.split()))
