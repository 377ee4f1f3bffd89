"""The disk is full: the try fails, what was there is still readable, and with room again the next try goes through."""

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from local.programs import ROOT_STATE, server_user
from ml.settings import DbtSettings, TrackingSettings
from ml.transform import FULL
from tests.faults.children import Fault, Try, attempt
from tests.faults.conftest import LONG, Report
from tests.faults.points import STORE
from tests.faults.servers import mlflow_server
from tests.faults.world import LIVE, NOW, World, wait_until_stopped

pytestmark = [pytest.mark.faults, pytest.mark.slow]
SIZE = "size=200m"
ROOMY = f"remount,{SIZE}"
MARGIN_KB = 400
"""Room beyond what the database takes: less than the rows of a run."""
TRAINED = "train_preference"
MOMENTS = {
    "from the start": None,
    "amid the build": Fault("", "build_features", "dbt line", containing="OK created sql", signal=signal.SIGSTOP),
}
TRIED = list(MOMENTS) if LONG else ["from the start"]


@contextmanager
def disk(place: Path) -> Iterator[None]:
    """Put a disk in memory at an empty folder; both are gone afterwards."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place.mkdir()
    try:
        mount(place, SIZE)
        yield
    finally:
        # Lazily, since what a failed test leaves at work there would hide why it failed.
        subprocess.run(["umount", "--lazy", place], check=True)
        shutil.rmtree(place)


def fill(place: Path, left_kb: int) -> None:
    """Leave little room on a disk in memory."""
    mount(place, f"remount,size={used_kb(place) + left_kb}k")


def fill_beneath(stopped: int, place: Path, left_kb: int) -> None:
    """Leave little room beneath a stage that has stopped itself, whose children write on, and let it go on."""
    stage = psutil.Process(stopped)
    started = stage.children(recursive=True)
    with suppress(psutil.NoSuchProcess):
        for one in started:
            one.suspend()
    fill(place, left_kb)
    for one in (*started, stage):
        with suppress(psutil.NoSuchProcess):
            one.resume()


@contextmanager
def small_disk(world: World) -> Iterator[Path]:
    """Move the database of the case onto a disk in memory that it nearly fills."""
    place = world.server.data.parent / "small"
    with disk(place):
        owner = server_user()
        os.chown(place, owner.pw_uid, owner.pw_gid)
        try:
            world.execute(f"create tablespace small location '{place}'", f"alter database {LIVE} set tablespace small")
            fill(place, MARGIN_KB)
            yield place
        finally:
            mount(place, ROOMY)
            world.execute(f"drop database {LIVE} with (force)", "drop tablespace small")


def mount(place: Path, options: str) -> None:
    """Mount or change a disk in memory."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)


def used_kb(place: Path) -> int:
    """Return how much of the disk is taken."""
    return shutil.disk_usage(place).used // 1024


def test_a_full_disk_costs_one_try_and_nothing_else(world: World, report: Report) -> None:
    assert ROOT_STATE
    world.begin("published")
    old = world.content().published
    with small_disk(world) as place:
        first = attempt(world.settings, "propose_candidates", NOW, world.home)
        still = world.content().published
        broken = world.broken()
        mount(place, ROOMY)
        second = attempt(world.settings, "propose_candidates", NOW, world.home)
        end = world.content().newest_run
        broken += world.broken()
    said = FULL in first.words
    report(
        "disk full", f"try {first.code} ({'no space left' if said else first.words[-80:]}), retry {second.code}", broken
    )
    assert said and first.code not in (0, 65, 99), first
    assert still == old
    assert (second.code, end, broken) == (0, world.led_to["propose_candidates"].newest_run, [])


def registered(store: Path) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the version behind each alias, and how many versions each model has."""
    with closing(sqlite3.connect(store)) as connection:
        aliases = connection.execute("select name, version from registered_model_aliases order by name").fetchall()
        return aliases, connection.execute("select name, count(*) from model_versions group by name").fetchall()


def test_a_full_artifact_folder_costs_one_try_and_no_half_model_is_taken(world: World, report: Report) -> None:
    context = world.begin_of(TRAINED)
    store, files = world.home / "mlflow" / "mlflow.db", world.home / "files"
    old, versions = world.content(), registered(store)
    with closing(sqlite3.connect(store)) as connection, connection:
        # The models of before lie where they did; a new one is sent to the server.
        connection.execute("update experiments set artifact_location = 'mlflow-artifacts:/' || experiment_id")
    stops = Fault("", TRAINED, STORE, containing="model", signal=signal.SIGSTOP)
    with disk(files), mlflow_server(world.home, store, files) as port:
        tracking = TrackingSettings(uri=f"http://127.0.0.1:{port}")
        settings = world.settings.model_copy(update={"tracking": tracking})
        first = Try(settings, TRAINED, context, world.home, stops)
        wait_until_stopped(first.pid)
        fill_beneath(first.pid, files, 12)
        died = first.outcome()
        half = [path.name for path in files.rglob("model/*") if path.stat().st_size]
        left, still = world.content(), registered(store)
        broken = world.broken()
        mount(files, ROOMY)
        second = attempt(settings, TRAINED, context, world.home)
        broken += world.broken()
    report(
        f"artifact folder full, {len(half)} files of the model stored",
        f"try {died.code}: {died.words}; retry {second.code}",
        broken,
    )
    assert half, "the fault is to strike amid the files of the model"
    assert died.code == 75 and died.words.startswith("TemporaryError: preference: MLflow at http"), died
    assert FULL in (world.home / "log").read_text("utf-8"), "only the server knows why it does not answer"
    assert (left, still) == (old, versions)
    assert (second.code, broken) == (0, []), second.words
    assert world.content() == world.led_to[TRAINED]
    assert registered(store)[1] != versions[1]


@pytest.mark.parametrize("moment", TRIED)
def test_a_full_folder_of_dbt_costs_one_try_and_nothing_else(world: World, moment: str, report: Report) -> None:
    context = world.begin_of("build_features")
    old, folder = world.content(), world.home / "dbt_small"
    with disk(folder):
        settings = world.settings.model_copy(update={"dbt": DbtSettings(target_dir=folder)})
        shutil.copytree(world.home / "dbt", folder, dirs_exist_ok=True)
        stops = MOMENTS[moment]
        if stops is None:
            fill(folder, 0)
        first = Try(settings, "build_features", context, world.home, stops)
        if stops is not None:
            wait_until_stopped(first.pid)
            fill_beneath(first.pid, folder, 0)
        died = first.outcome()
        left = world.content()
        broken = world.broken()
        mount(folder, ROOMY)
        second = attempt(settings, "build_features", context, world.home)
        broken += world.broken()
    end = "as without the fault" if world.content() == world.led_to["build_features"] else "DIFFERS"
    report(f"dbt's folder full {moment}", f"try {died.code}, retry {second.code}, {end}", broken)
    assert died.code == 75 and FULL in died.words and "Traceback" not in died.words, died
    assert (left.published, left.champions) == (old.published, old.champions)
    assert (second.code, end, broken) == (0, "as without the fault", []), second.words
