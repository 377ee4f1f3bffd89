"""Put a case through the real loader, from a folder to Postgres, and say what is not as it must be."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg2.extensions

from ml.errors import DataError
from ml.params import Context, RunParams
from ml.settings import Settings, SourceSettings
from ml.sources.contract import TABLES
from ml.stages.load_raw import run
from tests.bad_inputs.case import PERSON, Case, Folder, csv_of, good_rows

AS_OF = date(2017, 12, 3)
BASE: Folder = {
    "products.csv": csv_of("products", [{"product_id": f"p{n}", "price_cents": 500} for n in range(1, 6)]),
    "orders.csv": csv_of(
        "orders", [{"order_id": f"o{n}", "customer_id": "ann", "ordered_at": "2017-11-01T10:00:00Z"} for n in (1, 2)]
    ),
}
PERSONAL = ("customer_id", "segment", "age_band", "gender", "region", "session_id", "body")
"""Columns whose values no message may hold."""
SHORT = 5
Connection = psycopg2.extensions.connection


@dataclass(frozen=True)
class Outcome:
    """What became of a case: the verdict in short, and everything that is not as it must be."""

    got: str
    faults: list[str]


class Bench:
    """A database with a few parents in it, to which every case is put and from which it is wiped again.

    Attributes
    ----------
    base, before
        The last load of the parents, and the last one before the load that is judged.
    """

    def __init__(self, settings: Settings, owner: Connection, folder: Path) -> None:
        self.settings, self.owner, self.folder = settings, owner, folder
        folder.mkdir(exist_ok=True)
        self._load(BASE, {})
        self.base = self.before = self._last_load()

    def outcome(self, case: Case, good: int) -> Outcome:
        """Load a case among ``good`` good records and judge what became of it."""
        rows = good_rows(case.table, good)
        said = _Listener()
        logging.getLogger("ml").addHandler(said)
        try:
            error = self._loads(case, case.built(rows), good)
            found = list(self._faults(case, good, error, said.text))
            return Outcome(self._got(error), found)
        finally:
            logging.getLogger("ml").removeHandler(said)
            self._wipe()

    def fetch(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a question."""
        with self.owner.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def _last_load(self) -> int:
        return int(self.fetch("select max(load_id) from ops.load_manifest")[0][0])

    def _loads(self, case: Case, folders: list[Folder], good: int) -> DataError | None:
        # Alone, a bad record is all of its file.
        share = {} if good else {"quarantine_limit_share": 1.0}
        for folder in folders[:-1]:
            self._load(folder, share | case.settings)
        self.before = self._last_load()
        try:
            self._load(folders[-1], share | case.settings)
        except DataError as error:
            return error
        return None

    def _load(self, folder: Folder, wanted: dict[str, Any]) -> None:
        for old in sorted(self.folder.rglob("*"), reverse=True):
            old.rmdir() if old.is_dir() else old.unlink()
        for name, content in folder.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(content)
        source = SourceSettings(folder=self.folder, **wanted)
        run(self.settings.model_copy(update={"source": source}), Context(AS_OF, "test", RunParams(source="folder")))

    def _got(self, error: DataError | None) -> str:
        if error is not None:
            return f"F {error}"[:60]
        ((accepted, duplicate),) = self.fetch(
            "select rows_accepted, rows_duplicate from ops.load_manifest where load_id > %s"
            " order by load_id desc limit 1",
            (self.base,),
        )
        reasons = self.fetch("select distinct reason from ops.quarantine where load_id > %s order by 1", (self.base,))
        return "Q " + ", ".join(reason for (reason,) in reasons) if reasons else f"{accepted} in, {duplicate} again"

    def _faults(self, case: Case, good: int, error: DataError | None, said: str) -> Iterator[str]:
        last = self.fetch(
            "select status, rows_in, rows_accepted, rows_duplicate, rows_quarantined, reason, file_name, notes"
            " from ops.load_manifest where load_id > %s order by load_id desc limit 1",
            (self.base,),
        )
        status, rows_in, accepted, duplicate, quarantined, reason, file_name, notes = last[0]
        told = f"{said} {error} {reason}"
        if any(one in told for one in (PERSON, *_personal(case))):
            yield "a message names a person"
        if case.verdict == "F":
            yield from self._refusal_faults(case, error, str(reason), str(file_name))
            return
        if error is not None:
            yield f"refused: {error}"
            return
        if status == "unchanged" and case.verdict == "D":
            return
        if rows_in != good + case.bad or rows_in != accepted + duplicate + quarantined:
            yield f"{good + case.bad} records came, counted are {rows_in} = {accepted} + {duplicate} + {quarantined}"
        if self._landed(case, good) != good:
            yield f"{self._landed(case, good)} of {good} good records landed"
        held = self.fetch(
            "select record_number, reason, column_name from ops.quarantine where load_id > %s order by 1", (self.base,)
        )
        if case.verdict == "Q":
            yield from _quarantine_faults(case, good, held)
        elif held:
            yield f"set aside: {held[:3]}"
        again = case.bad if case.verdict == "D" else case.again(good)
        if duplicate != again:
            yield f"{duplicate} duplicates, wanted are {again}"
        yield from self._mending_faults(case, notes)

    def _refusal_faults(self, case: Case, error: DataError | None, reason: str, file_name: str) -> Iterator[str]:
        if error is None:
            yield "the file was not refused"
            return
        for what in (case.reason, file_name):
            if what not in str(error) or what not in reason:
                yield f"the message does not say {what}: {error}"
        for what in (f"raw.{case.table}", "ops.quarantine"):
            ((there,),) = self.fetch(f"select count(*) from {what} where load_id > %s", (self.before,))
            if there:
                yield f"{there} records of a refused file are in {what}"

    def _mending_faults(self, case: Case, notes: dict[str, int]) -> Iterator[str]:
        if case.notes is not None and notes != case.notes:
            yield f"counted are {notes}, wanted are {case.notes}"
        if case.lands is None:
            return
        condition = " and ".join(f"{name} is not distinct from %s" for name in case.lands)
        statement = f"select count(*) from raw.{case.table} where {condition}"
        ((there,),) = self.fetch(statement, tuple(case.lands.values()))
        if not there:
            yield f"not in raw.{case.table}: {case.lands}"

    def _landed(self, case: Case, good: int) -> int:
        table = TABLES[case.table]
        key = next(name for name in ("warehouse_id", "line_number", *table.key) if name in table.key)
        keys = [str(row[key]) for row in good_rows(case.table, good)]
        statement = f"select count(*) from raw.{case.table} where load_id > %s and {key}::text = any(%s)"
        return int(self.fetch(statement, (self.base, keys))[0][0])

    def _wipe(self) -> None:
        with self.owner.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"delete from raw.{table} where load_id > %s", (self.base,))
            for table in ("replays", "quarantine", "cancellations", "load_manifest"):
                cursor.execute(f"delete from ops.{table} where load_id > %s", (self.base,))


def _personal(case: Case) -> set[str]:
    """Return what the bad records say of people, where it is long enough to be told from other words."""
    values = (str(row.get(name) or "") for row in case.rows for name in PERSONAL)
    return {text for text in values if len(text) > SHORT}


def _quarantine_faults(case: Case, good: int, held: list[tuple[Any, ...]]) -> Iterator[str]:
    wanted = len(case.rows) or case.set_aside
    odd = [(reason, column) for _, reason, column in held if (reason, column) != (case.reason, case.column)]
    if odd:
        yield f"set aside as {odd[0]}, wanted is {(case.reason, case.column)}"
    if len(held) != wanted:
        yield f"{len(held)} records set aside of {wanted} bad ones"
    if case.rows and any(number <= good for number, _, _ in held):
        yield "the number of the record is not its place in the file"


class _Listener(logging.Handler):
    """Keeps everything that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage() + "\n"
