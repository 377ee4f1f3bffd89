"""Sort the records of a delivery: typed and accepted, a duplicate, or quarantined with a reason code."""

import re
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from ml.errors import DataError
from ml.landing import CURRENCY_NOTE
from ml.sources.contract import LINE_CENTS, Column, RawTable
from ml.sources.parsing import HIDDEN, UTC, given_text, parsed, zone_fault

LONGEST = {"id": 128, "text": 4096}
EARLIEST, LATEST = date(1971, 1, 1), date(2100, 1, 1)
"""Days outside are defaults of some system (1970-01-01, 9999-12-31), not days of a shop."""
RECORD = "_record"
"""Position of the record in its file, 1 for the first; travels beside the columns of the contract."""
PRICES = {"products": ("price_cents", "category_path"), "order_items": ("unit_price_cents", "product_id")}
"""Columns of prices, and of what their likes have in common."""
OUTLIER_TIMES = 100
"""A price that is more than so many times the median of its likes in the delivery is probably a slip."""
CURRENCIES, CURRENCY_CODE = ("currency", "currency_code"), "^[A-Z]{3}$"
"""Columns that any table may have beside its own: what the amounts of a record are in, by its three letters."""
ZONE_FAULTS = ("tz_missing", "tz_gap", "tz_ambiguous")
TOO_LATE = "too_late"
"""Reason of a fact older than the source's limit on the day it came."""
FAULT, FAULTY = "_fault", "_faulty"
"""Why a record is refused, and the column that is to blame; so named because a table may have a column `reason`."""


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
    notes
        Values that were mended, by column: trimmed, rid of hidden characters, composed, a leap second, or unknown and
        taken as zero; prices that are accepted although somebody should look at them, ``free`` or an ``outlier``; and
        records that name the currency of the delivery.
    """

    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    duplicates: int
    notes: dict[str, int] = field(default_factory=dict)


def sort_records(
    table: RawTable, records: pl.DataFrame, zone: str = UTC, oldest: date | None = None, currency: str | None = None
) -> Sorted:
    """Check every record against the contract, column by column, vectorised.

    Of records that give one key different contents the first is kept.

    Parameters
    ----------
    table
        The rules.
    records
        Columns as text or typed, and ``_record``; columns the contract does not know are ignored.
    zone
        Of instants that come without an offset.
    oldest
        First day of which a fact may still come; None: it may come however late.
    currency
        What other records of the same file say that their amounts are in.

    Raises
    ------
    DataError
        ``schema_missing:<column>`` when a required column is not there, ``schema_type:<column>`` when a column holds
        what no rule can read, such as records within records, ``mixed_currency`` when a column says that the amounts
        are of several currencies.
    """
    for name, rule in table.columns.items():
        if rule.required and name not in records.columns:
            raise DataError(f"schema_missing:{name}: {table.name} needs the columns {_required(table)}")
    for name in (*table.columns, *CURRENCIES):
        kind, is_vector = records.schema.get(name), name in table.columns and table.columns[name].kind == "vector"
        if kind is not None and (kind == pl.Binary or (kind.is_nested() and not is_vector)):
            raise DataError(f"schema_type:{name}: {table.name} cannot take a column of type {kind}")
    named = _named(records) | ({currency} if currency else set())
    if len(named) > 1:
        raise DataError(
            f"mixed_currency: {table.name} has amounts in {' and '.join(sorted(named)[:5])}; convert them to one before"
        )
    records = records.with_columns(
        pl.lit(None, dtype=pl.String).alias(name) for name in table.columns if name not in records.columns
    )
    checked, notes = _judged(table, records, zone)
    if table.name in ("promotions", "merch_rules"):
        checked = _refuse(checked, pl.col("ends_on") < pl.col("starts_on"), "period_reversed", "ends_on")
    if table.name == "order_items":
        checked = _refuse(checked, pl.col("quantity") == 0, "quantity_range", "quantity")
        total = pl.col("quantity").cast(pl.Int64).abs() * pl.col("unit_price_cents").cast(pl.Int64)
        checked = _refuse(checked, total > LINE_CENTS, "line_total_range", "unit_price_cents")
        checked = _refuse(checked, pl.col("discount_cents") > total, "discount_over_line", "discount_cents")
    checked = _refuse_currencies(checked, records, bool(named))
    for name in table.columns if oldest and not table.is_entity else ():
        if table.columns[name].kind == "instant":
            checked = _refuse(checked, pl.col(name).dt.date() < oldest, TOO_LATE, name)
    good = checked.filter(pl.col(FAULT).is_null()).drop(FAULT, FAULTY).sort(RECORD)
    first = good.unique(list(table.key), keep="first", maintain_order=True)
    # Few keys are ever repeated; only their records are compared in every column.
    again = good.join(good.join(first, on=RECORD, how="anti"), on=list(table.key), how="semi")
    unique = again.unique(list(table.columns), keep="first", maintain_order=True)
    conflicting = unique.join(first, on=RECORD, how="anti").select(
        RECORD, pl.lit("conflicting_duplicate").alias(FAULT), pl.lit(table.key[0]).alias(FAULTY)
    )
    bad = pl.concat([checked.filter(pl.col(FAULT).is_not_null()).select(RECORD, FAULT, FAULTY), conflicting])
    duplicates = again.height - unique.height
    notes |= _odd_prices(table.name, first) | _named_by(records.join(first, on=RECORD, how="semi"))
    return Sorted(first, quarantine_rows(bad, records), duplicates, notes)


def quarantine_rows(bad: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Return the quarantine rows of the records named in ``bad`` (columns ``_record``, ``_fault``, ``_faulty``)."""
    columns = [name for name in records.columns if name != RECORD]
    raw = records.join(bad, on=RECORD, how="inner").select(
        pl.col(RECORD).cast(pl.Int64).alias("record_number"),
        pl.col(FAULT).alias("reason"),
        pl.col(FAULTY).alias("column_name"),
        # As it came, as JSON, in which a NUL is an escape that Postgres text can hold (jsonb could not).
        pl.struct(columns).struct.json_encode().alias("raw_record"),
    )
    return raw.sort("record_number")


def _refuse(checked: pl.DataFrame, wrong: pl.Expr, reason: str, column: str) -> pl.DataFrame:
    fresh = pl.col(FAULT).is_null() & wrong.fill_null(False)
    return checked.with_columns(
        pl.when(fresh).then(pl.lit(reason)).otherwise(FAULT).alias(FAULT),
        pl.when(fresh).then(pl.lit(column)).otherwise(FAULTY).alias(FAULTY),
    )


def currency_texts(records: pl.DataFrame) -> pl.DataFrame:
    """Return what each record says of its currency, in upper case, null where it says nothing."""
    return records.select(
        given_text(name, records.schema[name]).str.to_uppercase().alias(name)
        for name in CURRENCIES
        if name in records.columns
    )


def _named(records: pl.DataFrame) -> set[str]:
    texts = currency_texts(records)
    return {
        text for name in texts.columns for text in texts[name].unique().drop_nulls() if re.match(CURRENCY_CODE, text)
    }


def _named_by(accepted: pl.DataFrame) -> dict[str, int]:
    """Count the records that name a currency; all that do name the same."""
    texts = currency_texts(accepted)
    if not texts.width:
        return {}
    said = texts.select(pl.coalesce(pl.all())).to_series().drop_nulls()
    return {f"{CURRENCY_NOTE}{said[0]}": said.len()} if said.len() else {}


def _refuse_currencies(checked: pl.DataFrame, records: pl.DataFrame, is_named: bool) -> pl.DataFrame:
    """Refuse what is no code of a currency, and no currency where other records name one: it may be another."""
    texts = currency_texts(records)
    for name in texts.columns:
        checked = _refuse(checked, pl.lit(~texts[name].str.contains(CURRENCY_CODE)), "unknown_currency", name)
    if not texts.width or not is_named:
        return checked
    is_blank = texts.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return _refuse(checked, pl.lit(is_blank), "missing_currency", texts.columns[0])


def _required(table: RawTable) -> str:
    return ", ".join(name for name, rule in table.columns.items() if rule.required)


def _judged(table: RawTable, records: pl.DataFrame, zone: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the typed columns with ``_record``, ``_fault`` and ``_faulty``, the latter two null for good records.

    The counts beside them are of the values mended in good records.
    """
    steps = [pl.col(RECORD)]
    faults: list[tuple[str, str, pl.Expr]] = []
    for name, rule in table.columns.items():
        kind = records.schema[name]
        steps.append(parsed(name, rule, kind, zone).alias(name))
        is_text = kind == pl.String
        given = given_text(name, kind).is_not_null() if is_text else pl.col(name).is_not_null()
        if kind.is_float() and rule.kind != "real":
            # Other tools write NaN where an integer is missing.
            given &= pl.col(name).is_not_nan()
        steps.append(given.alias(f"{name}?"))
        if is_text:
            steps.append(pl.col(name).str.contains("\u0000", literal=True).fill_null(False).alias(f"{name}!"))
            faults.append(("nul_byte", name, pl.col(f"{name}!")))
        if rule.kind == "instant" and zone != UTC:
            steps.append(zone_fault(name, kind, zone).alias(f"{name}@"))
            faults += [(reason, name, (pl.col(f"{name}@") == reason).fill_null(False)) for reason in ZONE_FAULTS]
        faults += [(reason, name, wrong.fill_null(False)) for reason, wrong in _faults(name, rule, is_text)]
    defaults = [
        pl.col(name).fill_null(rule.default) for name, rule in table.columns.items() if rule.default is not None
    ]
    defaults += [pl.col(name).fill_null(0) for name, rule in table.columns.items() if rule.unknown_is_zero]
    is_bad = pl.any_horizontal([wrong for _, _, wrong in faults])
    read = records.select(steps).with_columns(is_bad.alias("!"))
    bad = read.filter("!").select(
        RECORD,
        pl.coalesce([pl.when(wrong).then(pl.lit(reason)) for reason, _, wrong in faults]).alias(FAULT),
        pl.coalesce([pl.when(wrong).then(pl.lit(column)) for _, column, wrong in faults]).alias(FAULTY),
    )
    judged = read.select(*table.columns, RECORD).with_columns(defaults)
    return judged.join(bad, on=RECORD, how="left", maintain_order="left"), _mended(table, records, read)


def _mended(table: RawTable, records: pl.DataFrame, read: pl.DataFrame) -> dict[str, int]:
    """Count the values of good records that land otherwise than they came, by column."""
    is_good, counts = ~read["!"], {}
    for name, rule in table.columns.items():
        came = records[name]
        if rule.unknown_is_zero:
            counts[f"unknown_as_zero:{name}"] = int((is_good & ~read[f"{name}?"]).sum())
        if came.dtype != pl.String:
            continue
        if rule.kind in ("id", "text", "choice"):
            counts[f"mended:{name}"] = int((is_good & (came != read[name])).sum())
        if rule.kind == "instant":
            counts[f"leap_second:{name}"] = int((is_good & came.str.contains(r":\d{2}:60")).sum())
    return {name: count for name, count in counts.items() if count}


def _odd_prices(table: str, accepted: pl.DataFrame) -> dict[str, int]:
    """Count the prices that are nothing, and those far above their likes in the delivery."""
    if table not in PRICES:
        return {}
    price, likes = PRICES[table]
    usual = pl.col(price).median().over(likes)
    free, outliers = accepted.select(
        (pl.col(price) == 0).sum().alias("free"), (pl.col(price) > OUTLIER_TIMES * usual).sum().alias("outlier")
    ).row(0)
    return {name: count for name, count in ((f"free:{price}", free), (f"outlier:{price}", outliers)) if count}


def _faults(name: str, rule: Column, is_text: bool) -> list[tuple[str, pl.Expr]]:
    """Return reason and condition of each way in which a value can break its rule, the worst first."""
    value, given = pl.col(name), pl.col(f"{name}?")
    faults: list[tuple[str, pl.Expr]] = []
    if rule.required and not rule.unknown_is_zero:
        is_missing = value.is_null() if rule.kind in ("id", "text", "choice") else ~given
        faults.append((f"missing_{'id' if rule.kind == 'id' else name}", is_missing))
    if rule.kind == "id" and is_text:
        # Two keys that look the same to people would be two products.
        faults.append(("hidden_character", value.str.contains(HIDDEN)))
    if rule.kind in LONGEST:
        faults.append(("too_long", value.str.len_bytes() > LONGEST[rule.kind]))
    if rule.kind == "choice":
        faults.append(("unknown_enum", ~value.is_in(rule.choices)))
    if rule.kind in ("integer", "real", "instant", "day", "flag"):
        faults.append((f"{rule.kind}_format", given & value.is_null()))
    if rule.kind == "real":
        faults.append(("not_finite", ~value.is_finite()))
    if rule.kind == "vector":
        faults.append(("vector_format", value.list.eval(~pl.element().is_finite().fill_null(False)).list.any()))
    if rule.low is not None:
        faults.append((f"{name}_range", (value < rule.low) | (value > rule.high)))
    if rule.kind in ("instant", "day"):
        faults.append(("time_range", (value.dt.date() < EARLIEST) | (value.dt.date() >= LATEST)))
    return faults
