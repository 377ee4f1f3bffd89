"""Read the values of one column, given as text or typed, into the type that the contract states.

A value that cannot be read becomes null; ``validation`` tells it from a value that was not there. What a value means
never depends on its neighbours, so the order of the records makes no difference.
"""

import polars as pl

from ml.sources.contract import Column

NO_VALUE = tuple(
    {
        form
        for word in ("", "null", "none", "nan", "n/a", "na", "-")
        for form in (word, word.upper(), word.title(), "NaN")
    }
)
"""What exports write for "nothing", after trimming."""
BLANKS = " \t\r\n\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\ufeff"
"""All that Unicode calls a space separator, and what ends a line."""
HIDDEN = "[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
"""Characters without a width, and those that turn the direction of writing."""
DATE, CLOCK, OFFSET = (
    r"^(\d{4}-\d{2}-\d{2})",
    r"[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)",
    r"(Z|UTC|[+-]\d{2}(?::?\d{2})?)$",
)
WHOLE = r"^[+-]?\d+(\.0*)?$"
"""A number in powers of ten has lost its last digits in some sheet; it is no whole number."""
WHOLE_CENTS = r"^[+-]?\d+(\.0?)?$"
"""12.0 is what other tools make of 12; 12.00 was written by somebody who means twelve units and no cents."""
UTC = "UTC"
OFFSET_NEEDED = "required"
"""Instead of a zone: an instant must come with its offset."""
LEAP = r"^(\d{2}:\d{2}):60"
"""A leap second, which is taken as the second after it."""
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def given_text(name: str, kind: pl.DataType) -> pl.Expr:
    """Return the column as trimmed text, null where it says nothing."""
    value = pl.col(name)
    if kind.is_float():
        # Keys that passed through a float column with gaps come as 7.0; they are the key 7.
        is_whole = value.is_finite() & (value == value.floor()) & (value.abs() < 2**53)
        value = (
            pl.when(is_whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
        )
    elif kind != pl.String:
        value = value.cast(pl.String)
    value = value.str.strip_chars(BLANKS)
    return pl.when(~value.is_in(NO_VALUE)).then(value)


def parsed(name: str, rule: Column, kind: pl.DataType, zone: str = UTC) -> pl.Expr:
    """Return the column in the type of its rule, null where it says nothing or cannot be read.

    ``zone`` is that of instants without an offset, or ``OFFSET_NEEDED``.
    """
    match rule.kind:
        case "id" | "choice":
            return given_text(name, kind)
        case "text":
            shown = given_text(name, kind).str.replace_all(HIDDEN, "").str.strip_chars(BLANKS).str.normalize("NFC")
            return pl.when(shown != "").then(shown)
        case "vector":
            return _vector(name, kind)
        case "flag":
            return pl.col(name) if kind == pl.Boolean else _flag(given_text(name, kind))
        case "instant":
            return _instant(name, kind, zone)
        case "day":
            return _day(name, kind)
        case "integer":
            return _integer(name, kind)
        case "real":
            return _number(name, kind)


def _vector(name: str, kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, pl.List | pl.Array):
        return pl.col(name).cast(pl.List(pl.Float32), strict=False)
    parts = given_text(name, kind).str.strip_chars("[]{}").str.split(",")
    return parts.list.eval(pl.element().str.strip_chars().cast(pl.Float32, strict=False))


def _flag(text: pl.Expr) -> pl.Expr:
    low = text.str.to_lowercase()
    return pl.when(low.is_in(TRUE)).then(True).when(low.is_in(FALSE)).then(False)


def zone_fault(name: str, kind: pl.DataType, zone: str) -> pl.Expr:
    """Return why an instant without an offset names no single moment in its zone: its reason code, or null."""
    wall, ahead = _wall_clock(name, kind)
    if zone == OFFSET_NEEDED:
        return pl.when(wall.is_not_null() & ahead.is_null()).then(pl.lit("tz_missing"))
    is_there = wall.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").is_not_null()
    is_one = wall.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").is_not_null()
    fault = pl.when(~is_there).then(pl.lit("tz_gap")).when(~is_one).then(pl.lit("tz_ambiguous"))
    return pl.when(wall.is_not_null() & ahead.is_null()).then(fault)


def _instant(name: str, kind: pl.DataType, zone: str) -> pl.Expr:
    """Read ISO 8601; an instant without an offset is in ``zone``, as the contract says."""
    wall, ahead = _wall_clock(name, kind)
    with_offset = (wall - pl.duration(minutes=ahead)).dt.replace_time_zone(UTC)
    if zone == OFFSET_NEEDED:
        return with_offset
    local = wall.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.convert_time_zone(UTC)
    return pl.coalesce(with_offset, pl.when(ahead.is_null()).then(local))


def _wall_clock(name: str, kind: pl.DataType) -> tuple[pl.Expr, pl.Expr]:
    """Return day and time as they are written, and the minutes they are ahead of UTC: null where that is not said."""
    if isinstance(kind, pl.Datetime):
        value = pl.col(name).cast(pl.Datetime("us", kind.time_zone))
        if kind.time_zone is None:
            return value, pl.lit(None, dtype=pl.Int32)
        return value.dt.convert_time_zone(UTC).dt.replace_time_zone(None), pl.lit(0, dtype=pl.Int32)
    text = given_text(name, kind).str.to_uppercase()
    clock = text.str.extract(rf"{DATE}{CLOCK}", 2)
    offset = text.str.extract(rf"{DATE}{CLOCK}\s?{OFFSET}", 3)
    is_iso = text.str.contains(rf"{DATE}(?:{CLOCK}(?:\s?{OFFSET})?)?$")
    # Minutes are enough for a shop: 2017-12-03T10:15 means 10:15:00.
    seconds = pl.when(clock.str.len_chars() == 5).then(clock + ":00").otherwise(clock)
    is_end_of_day = seconds.str.contains(r"^24:00:00(\.0+)?$").fill_null(False)
    is_leap = seconds.str.contains(LEAP).fill_null(False)
    seconds = pl.when(is_end_of_day).then(pl.lit("00:00:00")).otherwise(seconds.str.replace(LEAP, "${1}:59"))
    there = pl.concat_str(text.str.extract(DATE, 1), seconds.fill_null("00:00:00"), separator=" ")
    value = there.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    value = value + pl.duration(days=is_end_of_day.cast(pl.Int32), seconds=is_leap.cast(pl.Int32))
    # Postgres writes whole hours as +01.
    minutes = pl.when(offset.str.len_chars() > 3).then(offset.str.slice(-2).cast(pl.Int32, strict=False)).otherwise(0)
    hours = offset.str.slice(1, 2).cast(pl.Int32, strict=False)
    sign = pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)
    ahead = pl.when(offset.is_in(["Z", UTC])).then(0).otherwise(sign * (hours * 60 + minutes))
    return pl.when(is_iso).then(value), ahead


def _day(name: str, kind: pl.DataType) -> pl.Expr:
    if kind == pl.Date:
        return pl.col(name)
    if isinstance(kind, pl.Datetime):
        return pl.col(name).dt.date()
    return given_text(name, kind).str.to_date("%Y-%m-%d", strict=False)


def _number(name: str, kind: pl.DataType) -> pl.Expr:
    return (pl.col(name) if kind.is_numeric() else given_text(name, kind)).cast(pl.Float64, strict=False)


def _integer(name: str, kind: pl.DataType) -> pl.Expr:
    if kind.is_integer():
        return pl.col(name).cast(pl.Int64, strict=False)
    is_money = name.endswith("_cents")
    if is_money and isinstance(kind, pl.Decimal) and kind.scale > 1:
        return pl.lit(None, dtype=pl.Int64)
    # 3.0 is the integer 3; 3.5 is no integer. What no integer holds is cut to what every bound refuses.
    number = _number(name, kind)
    form = WHOLE_CENTS if is_money else WHOLE
    is_whole = number.is_finite() if kind.is_numeric() else given_text(name, kind).str.contains(form)
    return pl.when(is_whole & (number == number.floor())).then(number.clip(-(2.0**62), 2.0**62)).cast(pl.Int64)
