"""Sort the records of a delivery: typed and accepted, a duplicate, or quarantined with a reason code."""

from dataclasses import dataclass

import polars as pl

from ml.errors import DataError
from ml.sources.contract import Column, RawTable

NO_VALUE = ("", "null", "none", "nan", "n/a", "na", "-")
"""What exports write for "nothing"; compared in lower case, after trimming."""
LONGEST = {"id": 128, "text": 4096}
EARLIEST, LATEST = "1971-01-01", "2100-01-01"
RECORD = "_record"
"""Position of the record in its file, 1 for the first; travels beside the columns of the contract."""
TYPES = {"integer": pl.Int64, "real": pl.Float64}


@dataclass(frozen=True)
class Sorted:
    """What became of the records of one delivery: rows in = accepted + duplicates + quarantined.

    Attributes
    ----------
    accepted
        Typed columns of the contract and ``_record``.
    quarantined
        Columns record_number, reason, column_name, raw_record.
    duplicates
        Records that repeat another one of the delivery in every column.
    """

    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    duplicates: int


def sort_records(table: RawTable, records: pl.DataFrame) -> Sorted:
    """Check every record against the contract, column by column, vectorised.

    Parameters
    ----------
    table
        The rules.
    records
        Columns as text or typed, and ``_record``; columns the contract does not know are ignored.

    Raises
    ------
    DataError
        ``schema_missing:<column>`` when a required column is not there.
    """
    for name, rule in table.columns.items():
        if rule.required and name not in records.columns:
            raise DataError(f"schema_missing:{name}: {table.name} needs the columns {_required(table)}")
    records = records.with_columns(
        pl.lit(None, dtype=pl.String).alias(name) for name in table.columns if name not in records.columns
    )
    typed = [_typed(name, rule, records.schema[name]).alias(name) for name, rule in table.columns.items()]
    faults = [fault for name, rule in table.columns.items() for fault in _faults(name, rule, records.schema[name])]
    checked = records.select(
        *typed,
        pl.col(RECORD),
        pl.coalesce([pl.when(wrong).then(pl.lit(reason)) for reason, _, wrong in faults]).alias("reason"),
        pl.coalesce([pl.when(wrong).then(pl.lit(column)) for _, column, wrong in faults]).alias("column_name"),
    )
    if table.name == "promotions":
        checked = _refuse(checked, pl.col("ends_on") < pl.col("starts_on"), "period_reversed", "ends_on")
    if table.name == "order_items":
        checked = _refuse(checked, pl.col("quantity") == 0, "zero_quantity", "quantity")
    good = checked.filter(pl.col("reason").is_null()).drop("reason", "column_name")
    unique = good.unique(list(table.columns), keep="first", maintain_order=True)
    first = unique.unique(list(table.key), keep="first", maintain_order=True)
    conflicting = unique.join(first.select(RECORD), on=RECORD, how="anti").select(
        RECORD, reason=pl.lit("conflicting_duplicate"), column_name=pl.lit(table.key[0])
    )
    bad = pl.concat(
        [checked.filter(pl.col("reason").is_not_null()).select(RECORD, "reason", "column_name"), conflicting]
    )
    return Sorted(first, quarantine_rows(bad, records), good.height - unique.height)


def quarantine_rows(bad: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Return the quarantine rows of the records named in ``bad`` (columns _record, reason, column_name)."""
    columns = [name for name in records.columns if name != RECORD]
    raw = records.join(bad, on=RECORD, how="inner").select(
        pl.col(RECORD).cast(pl.Int64).alias("record_number"),
        "reason",
        "column_name",
        # The record is kept as it came, as JSON; NUL cannot be stored in Postgres text.
        pl.struct(columns).struct.json_encode().str.replace_all("\\u0000", "\\uFFFD", literal=True).alias("raw_record"),
    )
    return raw.sort("record_number")


def _refuse(checked: pl.DataFrame, wrong: pl.Expr, reason: str, column: str) -> pl.DataFrame:
    fresh = pl.col("reason").is_null() & wrong.fill_null(False)
    return checked.with_columns(
        reason=pl.when(fresh).then(pl.lit(reason)).otherwise("reason"),
        column_name=pl.when(fresh).then(pl.lit(column)).otherwise("column_name"),
    )


def _required(table: RawTable) -> str:
    return ", ".join(name for name, rule in table.columns.items() if rule.required)


def _text(name: str, kind: pl.DataType) -> pl.Expr:
    value = pl.col(name) if kind == pl.String else pl.col(name).cast(pl.String)
    value = value.str.strip_chars(" \t\r\n\u00a0\ufeff")
    return pl.when(value.str.to_lowercase().is_in(NO_VALUE)).then(None).otherwise(value)


def _typed(name: str, rule: Column, kind: pl.DataType) -> pl.Expr:
    value = _parsed(name, rule, kind)
    return value if rule.default is None else value.fill_null(rule.default)


def _parsed(name: str, rule: Column, kind: pl.DataType) -> pl.Expr:
    if rule.kind in ("id", "text", "choice"):
        return _text(name, kind)
    if rule.kind == "vector":
        if isinstance(kind, pl.List | pl.Array):
            return pl.col(name).cast(pl.List(pl.Float32), strict=False)
        inner = _text(name, kind).str.strip_chars("[]{}").str.split(",")
        return inner.list.eval(pl.element().str.strip_chars().cast(pl.Float32, strict=False))
    if rule.kind == "flag":
        if kind == pl.Boolean:
            return pl.col(name)
        low = _text(name, kind).str.to_lowercase()
        return (
            pl.when(low.is_in(["true", "t", "yes", "y", "1"]))
            .then(True)
            .when(low.is_in(["false", "f", "no", "n", "0"]))
            .then(False)
        )
    if rule.kind == "instant":
        if isinstance(kind, pl.Datetime):
            return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") if kind.time_zone is None else (
                pl.col(name).dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
            )  # fmt: skip
        return _text(name, kind).str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    if rule.kind == "day":
        return pl.col(name) if kind == pl.Date else _text(name, kind).str.to_date("%Y-%m-%d", strict=False)
    if kind in (pl.String, pl.Float32, pl.Float64) and rule.kind == "integer":
        # 3.0 is the integer 3; 3.5 is no integer and stays behind.
        number = (_text(name, kind) if kind == pl.String else pl.col(name)).cast(pl.Float64, strict=False)
        return pl.when(number == number.floor()).then(number).cast(pl.Int64, strict=False)
    return (_text(name, kind) if kind == pl.String else pl.col(name)).cast(TYPES[rule.kind], strict=False)


def _faults(name: str, rule: Column, kind: pl.DataType) -> list[tuple[str, str, pl.Expr]]:
    value = _parsed(name, rule, kind)
    given = pl.col(name).is_not_null() if isinstance(kind, pl.List | pl.Array) else _text(name, kind).is_not_null()
    faults: list[tuple[str, pl.Expr]] = []
    if kind == pl.String:
        faults.append(("nul_byte", pl.col(name).str.contains("\u0000", literal=True)))
    if rule.required:
        faults.append((f"missing_{'id' if rule.kind == 'id' else name}", ~given))
    if rule.kind in LONGEST:
        faults.append(("too_long", value.str.len_chars() > LONGEST[rule.kind]))
    if rule.kind == "choice":
        faults.append(("unknown_enum", ~value.is_in(rule.choices)))
    if rule.kind in ("integer", "real", "instant", "day", "flag"):
        faults.append((f"{rule.kind}_format", given & value.is_null()))
    if rule.kind == "real":
        faults.append(("not_finite", ~value.is_finite()))
    if rule.low is not None:
        faults.append((f"{name}_range", (value < rule.low) | (value > rule.high)))
    if rule.kind in ("instant", "day"):
        faults.append(("time_range", (value.dt.date() < pl.lit(EARLIEST).str.to_date()) | (value.dt.date() >= pl.lit(LATEST).str.to_date())))  # fmt: skip  # noqa: E501
    return [(reason, name, wrong.fill_null(False)) for reason, wrong in faults]
