"""The disk is full: the try fails, what was there is still readable, and with room again the next try goes through."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.programs import ROOT_STATE, server_user
from tests.faults.children import attempt
from tests.faults.conftest import Report
from tests.faults.world import LIVE, NOW, World

pytestmark = [pytest.mark.faults, pytest.mark.slow]
MARGIN_KB = 400
"""Room beyond what the database takes: less than the rows of a run."""


@contextmanager
def small_disk(world: World) -> Iterator[Path]:
    """Move the database of the case onto a disk in memory that it nearly fills."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = world.server.data.parent / "small"
    place.mkdir()
    mount(place, "size=200m")
    owner = server_user()
    os.chown(place, owner.pw_uid, owner.pw_gid)
    try:
        world.execute(f"create tablespace small location '{place}'", f"alter database {LIVE} set tablespace small")
        mount(place, f"remount,size={used_kb(place) + MARGIN_KB}k")
        yield place
    finally:
        mount(place, "remount,size=200m")
        world.execute(f"drop database {LIVE} with (force)", "drop tablespace small")
        subprocess.run(["umount", place], check=True)
        shutil.rmtree(place)


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
        mount(place, "remount,size=200m")
        second = attempt(world.settings, "propose_candidates", NOW, world.home)
        end = world.content().newest_run
        broken += world.broken()
    said = "No space left on device" in first.words
    report(
        "disk full", f"try {first.code} ({'no space left' if said else first.words[-80:]}), retry {second.code}", broken
    )
    assert said and first.code not in (0, 65, 99), first
    assert still == old
    assert (second.code, end, broken) == (0, world.led_to["propose_candidates"].newest_run, [])
