"""Known holes in the packages of locks and deep models, by pip-audit; never silent about what it did not see."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from local.instance import REPOSITORY

LOCKS = ("requirements.txt", "requirements-dev.txt")
DEEP = "requirements-deep.txt"
SECONDS = 600
PROGRAM = (sys.executable, "-m", "pip_audit")


class UnseenError(Exception):
    """Nobody could look; the message says why."""


def audit() -> tuple[bool, list[str]]:
    """Return whether nothing is wrong, and what was found in words.

    A hole is wrong, and so is a package that was skipped: pip-audit tells "no known vulnerabilities" of a package that
    its source does not know. Where the audit could not be done at all (no way out, or an index that keeps no record of
    holes and so knows of no package), that is said, and is not wrong.
    """
    deep, absent = deep_packages()
    away = [f"{DEEP}: not audited: what {name} needs, which is not installed here" for name in absent]
    unseen: list[str] = []
    found: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        # Apart, since pip-audit refuses packages without hashes beside those that have them.
        listed = Path(folder) / DEEP
        listed.write_text("\n".join(deep), "utf-8")
        for name, files in (("locks", [REPOSITORY / lock for lock in LOCKS]), (DEEP, [listed])):
            try:
                found += _looked_up(files)
            except UnseenError as error:
                unseen.append(f"{name}: not audited: {error}")
    is_well, said = _judged(found) if found or not unseen else (True, [])
    return is_well, [*said, *away, *unseen]


def deep_packages() -> tuple[list[str], list[str]]:
    """Return ``name==version`` of the deep models' libraries and all that they drew in here, and which are not here.

    The file names four packages; what these need differs by build, so it stands in no lock and is read from what is
    installed, without the name of the build (``+cpu``), of which no record is kept.
    """
    locked = {one.name for lock in LOCKS for one in _requirements((REPOSITORY / lock).read_text("utf-8"))}
    waiting = list(_requirements((REPOSITORY / DEEP).read_text("utf-8")))
    versions = {one.name: str(one.specifier).removeprefix("==") for one in waiting}
    absent: set[str] = set()
    done: set[str] = set()
    while waiting:
        one = waiting.pop()
        # A lock is complete but for extras that only the deep models ask for.
        if str(one) in done or (one.name in locked and not one.extras):
            continue
        done.add(str(one))
        try:
            here = distribution(one.name)
        except PackageNotFoundError:
            absent.add(one.name)
            continue
        if one.name not in locked:
            versions.setdefault(one.name, Version(here.version).public)
        extras = one.extras or {""}
        for need in _requirements("\n".join(here.requires or ())):
            if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(need)
    return [f"{name}=={version}" for name, version in sorted(versions.items())], sorted(absent)


def _requirements(text: str) -> Iterator[Requirement]:
    """Yield the packages of a list, by their canonical names, without comments and hashes."""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", "--hash")):
            continue
        one = Requirement(line.rstrip("\\ "))
        one.name = canonicalize_name(one.name)
        yield one


def _looked_up(files: Sequence[Path]) -> list[dict[str, Any]]:
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    line = [*PROGRAM, *options, *(word for file in files for word in ("--requirement", str(file)))]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=SECONDS, cwd="/")
    except subprocess.TimeoutExpired as error:
        raise UnseenError(f"pip-audit had not ended after {SECONDS} s") from error
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        why = done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"]
        raise UnseenError(why[-1]) from error
    return found


def _judged(found: list[dict[str, Any]]) -> tuple[bool, list[str]]:
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in found
        for hole in one.get("vulns", ())
    ]
    skipped = [f"{one['name']}: not audited: {one['skip_reason']}" for one in found if "skip_reason" in one]
    seen = len(found) - len(skipped)
    if not seen:
        return True, [f"not audited: the index could tell of none of {len(found)} packages"]
    return not holes and not skipped, [*holes, *skipped, f"{seen} of {len(found)} packages audited, {len(holes)} holes"]
