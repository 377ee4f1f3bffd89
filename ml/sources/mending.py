"""The file in which somebody mended records of the quarantine."""

from pathlib import Path

from ml.errors import DataError
from ml.sources.reading import read_csv
from ml.sources.validation import RECORD

KEY = "quarantine_id"


def mended_records(file: Path) -> dict[int, dict[str, str]]:
    """Return what the file says of each record, by quarantine_id: the columns to change, empty where they are emptied.

    Parameters
    ----------
    file
        CSV as in a delivery, with a column ``quarantine_id`` and those columns of the record's table that change.

    Raises
    ------
    DataError
        When it cannot be read, lacks the key, or a key is no number or stands twice.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    reading = read_csv(file.read_bytes(), file)
    if reading.refused is not None and reading.refused.height:
        raise DataError(f"{file.name}: record {reading.refused['record_number'][0]}: {reading.refused['reason'][0]}")
    if KEY not in reading.records.columns:
        raise DataError(f"schema_missing:{KEY}: {file.name} must say which record each line mends")
    records: dict[int, dict[str, str]] = {}
    for record in reading.records.drop(RECORD).to_dicts():
        key = record.pop(KEY)
        if not key.strip().isdecimal() or int(key) in records:
            raise DataError(f"{file.name}: {KEY} must be a number that stands once, got {key[:20]!r}")
        records[int(key)] = record
    return records
