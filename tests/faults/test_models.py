"""A model file that is not the one registered is never read: the run stops, and yesterday's bundles stay."""

import random
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from ml.errors import DataError
from ml.settings import Settings, TrackingSettings
from ml.tracking import Tracking
from ml.versions import MANIFEST
from tests.faults.children import attempt
from tests.faults.conftest import LONG, SEED, Report
from tests.faults.world import NOW, World

pytestmark = [pytest.mark.faults, pytest.mark.slow]
CASES = 200 if LONG else 40
DAY = date(2017, 12, 3)


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


def remove(path: Path) -> None:
    """Take it away."""
    path.unlink()


@pytest.mark.parametrize("harm", [flip, cut, swap, remove], ids=lambda harm: harm.__name__)
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


class Stored:
    """Two versions of a real model in a store of their own; files of the newer one, the champion, are edited."""

    def __init__(self, model: Path, home: Path) -> None:
        self.tracking = Tracking(Settings(tracking=TrackingSettings(uri=f"sqlite:///{home / 'mlflow.db'}")))
        self.other, self.champion = self._register(model, home / "other", b"\n"), self._register(model, home / "new")
        self._unharmed = home / "unharmed"
        shutil.copytree(self.champion, self._unharmed)

    def _register(self, model: Path, made: Path, more: bytes = b"") -> Path:
        """Register a model, or one each of whose files says a little more, and return where it is stored."""
        shutil.copytree(model, made, ignore=shutil.ignore_patterns(MANIFEST))
        for path in made.iterdir():
            path.write_bytes(path.read_bytes() + more)
        with self.tracking.run("preference", "ranker", {}) as run:
            version = self.tracking.register("preference", made, run, {"data_cut_off": DAY})
        self.tracking.judge(version, "passed", "because")
        (stored,) = (path for path in made.parent.rglob("model") if version.run_id in path.parts)
        return stored

    def mend(self) -> None:
        """Make the champion what it was."""
        shutil.rmtree(self.champion)
        shutil.copytree(self._unharmed, self.champion)

    def edit(self, chance: random.Random) -> tuple[str, str]:
        """Edit the champion at random; return how, and what the refusal has to name."""
        how = chance.choice(["byte", "cut", "exchange", "exchange all", "add", "remove"])
        path = chance.choice(sorted(self.champion.iterdir()))
        whole = path.read_bytes()
        place = chance.randrange(len(whole))
        if how == "byte":
            path.write_bytes(whole[:place] + bytes([whole[place] ^ chance.randrange(1, 256)]) + whole[place + 1 :])
        elif how == "cut":
            path.write_bytes(whole[:place])
        elif how == "exchange":
            shutil.copyfile(self.other / path.name, path)
        elif how == "exchange all":
            shutil.copytree(self.other, self.champion, dirs_exist_ok=True)
            return how, MANIFEST
        elif how == "add":
            added = self.champion / chance.choice(["", "inner"]) / f"more{path.suffix}"
            added.parent.mkdir(exist_ok=True)
            added.write_bytes(whole)
            return how, added.name
        else:
            path.unlink()
        return how, path.name


def test_no_random_edit_of_a_stored_model_is_ever_handed_out(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    """Also where the file is still one of its kind, or one that was registered, if only with another version."""
    monkeypatch.chdir(tmp_path)
    model = next(path.parent for path in (world.home / "mlflow_published").rglob("model/trees.txt"))
    stored = Stored(model, tmp_path)
    accepted, kinds = list[str](), set[str]()
    for number in range(CASES):
        how, named = stored.edit(random.Random(f"{SEED}:{number}"))
        kinds.add(how)
        try:
            stored.tracking.champion("preference", DAY)
            accepted.append(f"{number}: {how} {named}")
        except DataError as error:
            assert "manifest" in str(error) and named in str(error), f"{number}: {how} {named}: {error}"
        stored.mend()
    whole = stored.tracking.champion("preference", DAY)
    report(f"{CASES} random edits of a model", f"{len(accepted)} accepted", accepted)
    assert accepted == []
    assert len(kinds) == 6
    assert {path.name for path in whole.folder.iterdir()} == {path.name for path in stored.champion.iterdir()}
