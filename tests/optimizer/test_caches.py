"""Caches of compiled code: those of old states of the sources go, those in use stay, whatever others do meanwhile."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import pytest

from ml.optimizer import caches

DAY = 86_400


def cache(folder: Path, name: str, unused_days: float) -> Path:
    """Return a cache with a file in it, used last so many days ago."""
    made = folder / f"compiled-{name}"
    made.mkdir()
    (made / "kernel.nbi").write_text("index", "utf-8")
    then = time.time() - DAY * unused_days
    os.utime(made, (then, then))
    return made


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_optimizer_caches_in_a_folder_of_the_state_of_its_sources() -> None:
    assert Path(numba.config.CACHE_DIR).name.startswith(caches.PREFIX)
    assert Path(numba.config.CACHE_DIR).is_dir()


def test_caches_that_nobody_used_for_long_are_removed_and_nothing_else(tmp_path: Path) -> None:
    cache(tmp_path, "old", 15)
    cache(tmp_path, "young", 13)
    (tmp_path / "gone-compiled-half").mkdir()
    (tmp_path / "solve.cpython-311.pyc").write_text("", "utf-8")
    os.utime(tmp_path / "solve.cpython-311.pyc", (0, 0))
    caches.keep(tmp_path / "compiled-own")
    assert names(tmp_path) == {"compiled-young", "compiled-own", "solve.cpython-311.pyc"}


def test_using_an_old_cache_makes_it_young_and_leaves_what_is_in_it(tmp_path: Path) -> None:
    old = cache(tmp_path, "old", 30)
    caches.keep(old)
    caches.keep(cache(tmp_path, "another", 0))
    assert (old / "kernel.nbi").is_file()


def test_several_processes_may_clean_up_at_once(tmp_path: Path) -> None:
    for number in range(50):
        cache(tmp_path, f"old{number}", 20)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: caches.keep(tmp_path / f"compiled-own{number}"), range(8)))
    assert names(tmp_path) == {f"compiled-own{number}" for number in range(8)}


def test_a_folder_that_may_not_be_written_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "mkdir", refuse)
    caches.keep(tmp_path / "compiled-own")
    monkeypatch.undo()
    old = cache(tmp_path, "old", 20)
    monkeypatch.setattr(Path, "rename", refuse)
    caches.keep(tmp_path / "compiled-own")
    assert old.is_dir()


PROGRAM = """
import sys, shutil
import numba
numba.config.CACHE_DIR = sys.argv[1]
sys.path.insert(0, sys.argv[2])
import kernels
assert kernels.twice(2) == 4
shutil.rmtree(sys.argv[1])  # what another process's clean-up comes to
assert kernels.twice(2.5) == 5.0
assert kernels.thrice(2) == 6
"""


@pytest.mark.slow
def test_a_process_goes_on_when_its_cache_is_gone(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(
        "from numba import njit\n\n"
        "@njit(cache=True)\ndef twice(x):\n    return 2 * x\n\n"
        "@njit(cache=True)\ndef thrice(x):\n    return 3 * x\n",
        "utf-8",
    )
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "compiled-x"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=120, cwd=tmp_path)
