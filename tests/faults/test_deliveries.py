"""Files that are half there, change under the reader's hands, lost a column, or come days late."""

import hashlib
import signal
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import psutil
import pytest

from ml.params import Context, RunParams
from ml.settings import Settings, SourceSettings
from tests.faults.children import Fault, Outcome, Try, attempt
from tests.faults.conftest import Report
from tests.faults.world import LIVE, World, wait_until_stopped

pytestmark = [pytest.mark.faults, pytest.mark.slow]
HEADER, DAY = "order_id,customer_id,ordered_at", "2017-12-01T10:00:00Z"
OLD, NEW = [f"o{n},ann,{DAY}" for n in range(300)], [f"n{n},bob,{DAY}" for n in range(200)]
READING = "ml.sources.folder:Folder._content"


class Desk:
    """An empty shop, a folder that its files lie in, and the loader in a process of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        world.execute(
            f"drop database if exists {LIVE} with (force)",
            f"create database {LIVE} template shop owner bundles_owner",
            f"grant temporary, connect on database {LIVE} to bundles_loader",
        )
        self.world, self.file = world, folder / "orders.csv"
        self.settings: Settings = world.settings.model_copy(
            update={"source": SourceSettings(folder=folder, late_limit_days=7)}
        )

    def write(self, lines: Sequence[str], header: str = HEADER) -> bytes:
        """Put a whole file in the place of the last, and return what it holds."""
        content = "".join(f"{line}\n" for line in (header, *lines)).encode()
        self.file.write_bytes(content)
        return content

    def arguments(self, day: int = 3) -> tuple[Settings, str, Context, Path]:
        """Return what a try of the loader takes."""
        context = Context(date(2017, 12, day), "test", RunParams(source="folder"))
        return self.settings, "load_raw", context, self.world.home

    def load(self, day: int = 3) -> Outcome:
        """Load what lies there."""
        return attempt(*self.arguments(day))

    def fetch(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a question."""
        with closing(self.world.owner()) as owner, owner.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def keys(self) -> set[object]:
        """Return the orders that landed."""
        return {key for (key,) in self.fetch("select order_id from raw.orders")}


@pytest.fixture
def desk(world: World, tmp_path: Path) -> Desk:
    return Desk(world, tmp_path)


def keys_of(lines: Sequence[str]) -> set[object]:
    return {line.partition(",")[0] for line in lines}


def test_a_file_that_ends_within_a_record_is_refused_until_it_is_whole(desk: Desk, report: Report) -> None:
    desk.file.write_bytes(desk.write(OLD)[:-9])
    cut, landed = desk.load(), desk.keys()
    desk.write(OLD)
    whole = desk.load()
    broken = desk.world.broken()
    report("a file cut off within a record", f"exits {[cut.code, whole.code]}", broken)
    assert (cut.code, landed, "truncated" in cut.words) == (65, set(), True)
    assert (whole.code, desk.keys(), broken) == (0, keys_of(OLD), [])


def test_a_file_that_ends_behind_a_record_is_completed_by_the_next_load(desk: Desk, report: Report) -> None:
    """Nothing shows that more is to come; what comes then is compared with what landed."""
    desk.write(OLD[:100])
    half = desk.load()
    desk.write(OLD)
    whole = desk.load()
    broken = desk.world.broken()
    report("half a file, then all of it", f"exits {[half.code, whole.code]}", broken)
    assert (half.code, whole.code, desk.keys(), broken) == (0, 0, keys_of(OLD), [])
    assert desk.fetch("select sum(rows_duplicate) from ops.load_manifest") == [(100,)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_is_replaced_while_it_is_read_lands_as_one_of_the_two(
    desk: Desk, report: Report, when: str
) -> None:
    contents = {"after": desk.write(OLD)}
    asleep = Fault("asleep", "load_raw", READING, when, signal=signal.SIGSTOP)  # type: ignore[arg-type]
    reader = Try(*desk.arguments(), asleep)
    wait_until_stopped(reader.pid)
    contents["before"] = desk.write(NEW)
    psutil.Process(reader.pid).resume()
    code, landed = reader.outcome().code, desk.keys()
    broken = desk.world.broken()
    report(f"a file replaced {when} its bytes were read", f"exit {code}, one of the two", broken)
    assert (code, landed, broken) == (0, keys_of(OLD if when == "after" else NEW), [])
    noted = desk.fetch("select file_sha256 from ops.load_manifest where status = 'accepted'")
    assert noted == [(hashlib.sha256(contents[when]).hexdigest(),)], "the fingerprint is of what landed"
    assert desk.load().code == 0
    assert desk.keys() == keys_of([*OLD, *NEW] if when == "after" else NEW)


def test_a_file_without_a_column_is_refused_and_nothing_of_it_lands(desk: Desk, report: Report) -> None:
    desk.write(OLD)
    assert desk.load().code == 0
    desk.write(NEW, HEADER.replace("ordered_at", "at"))
    lost = desk.load()
    broken = desk.world.broken()
    report("a column that is gone", f"exit {lost.code}, {lost.words.split(': ')[-2]}", broken)
    assert lost.code == 65 and "orders.csv" in lost.words and "schema_missing:ordered_at" in lost.words
    assert (desk.keys(), broken) == (keys_of(OLD), [])


def test_a_file_that_comes_late_lands_and_one_that_comes_too_late_is_set_aside(desk: Desk, report: Report) -> None:
    desk.write(OLD)
    assert desk.load().code == 0
    # All of the first of December: on the seventh six days late, on the twentieth nineteen.
    desk.write(NEW[:100])
    late = desk.load(day=7)
    desk.write([*NEW[100:110], *(f"today{n},eve,2017-12-20T09:00:00Z" for n in range(500))])
    too_late = desk.load(day=20)
    broken = desk.world.broken()
    report("files six and nineteen days late", f"exits {[late.code, too_late.code]}", broken)
    assert (late.code, too_late.code, broken) == (0, 0, [])
    assert desk.keys() >= keys_of([*OLD, *NEW[:100]]) and not desk.keys() & keys_of(NEW[100:110])
    assert desk.fetch("select reason, count(*) from ops.quarantine group by 1") == [("too_late", 10)]
