"""Folders of compiled code, one for each state of the sources: those that nobody has used for long are removed."""

import shutil
from contextlib import suppress
from pathlib import Path

PREFIX, GONE = "compiled-", "gone-"
KEPT_DAYS = 14
"""After its last use; a process that runs on for longer without its cache compiles anew what it still lacks."""


def keep(cache: Path) -> None:
    """Mark a cache as used now, and remove those beside it that were not used for ``KEPT_DAYS`` days.

    Several processes may do so at once, each with a cache of its own. A folder is renamed before it is emptied, so
    that whoever looks for it finds all of it or nothing, and nothing is what numba can deal with. Whatever the file
    system refuses is left as it is: a cache too many is no reason to fail.
    """
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        cache.touch()
        oldest = cache.stat().st_mtime - 86_400 * KEPT_DAYS
        for other in cache.parent.glob(f"{PREFIX}*"):
            with suppress(OSError):  # another process was quicker
                if other.stat().st_mtime < oldest:
                    other.rename(other.with_name(f"{GONE}{other.name}"))
        for other in cache.parent.glob(f"{GONE}{PREFIX}*"):  # also those of a process that was ended meanwhile
            shutil.rmtree(other, ignore_errors=True)
