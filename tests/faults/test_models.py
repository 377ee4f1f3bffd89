"""A model file that is not the one registered is never read: the run stops, and yesterday's bundles stay."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.children import attempt
from tests.faults.conftest import Report
from tests.faults.world import NOW, World

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def cut(path: Path) -> None:
    """Keep the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def swap(path: Path) -> None:
    """Put another model file of the same folder in its place."""
    other = next(one for one in sorted(path.parent.iterdir()) if one != path and one.name != "manifest.json")
    path.write_bytes(other.read_bytes())


@pytest.mark.parametrize("harm", [flip, cut, swap], ids=lambda harm: harm.__name__)
def test_a_harmed_model_file_stops_the_run(world: World, harm: Callable[[Path], None], report: Report) -> None:
    world.begin("published")
    old = world.content().published
    files = [p for p in (world.home / "mlflow").rglob("model/*") if p.is_file() and p.name != "manifest.json"]
    harmed = max(files, key=lambda path: path.stat().st_size)
    harm(harmed)
    done = attempt(world.settings, "propose_candidates", NOW, world.home)
    broken = world.broken()
    report(f"model file harmed ({harm.__name__}): {harmed.name}", f"exit {done.code}: {done.words[:60]}", broken)
    assert done.code == 65
    assert harmed.name in done.words and "manifest" in done.words
    assert (world.content().published, broken) == (old, [])
