"""Known holes in the packages of the lock, by pip-audit where it can be had; never silent about what it did not see."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from local.instance import REPOSITORY

LOCKS = ("requirements.txt", "requirements-dev.txt")
SECONDS = 600
WAYS = (("pip-audit",), ("uvx", "pip-audit"), ("pipx", "run", "pip-audit"))


def audit(locks: Sequence[str] = LOCKS) -> tuple[bool, list[str]]:
    """Return whether nothing is wrong, and what was found in words.

    A hole is wrong, and so is a package that was skipped: pip-audit tells "no known vulnerabilities" of a package that
    its source does not know. Where the audit could not be done at all, that is said, and is not wrong.
    """
    way = next((list(way) for way in WAYS if shutil.which(way[0])), None)
    if way is None:
        return True, ["not audited: neither pip-audit nor uvx nor pipx is installed"]
    files = [word for lock in locks for word in ("--requirement", str(REPOSITORY / lock))]
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(
            [*way, *options, *files], capture_output=True, text=True, check=False, timeout=SECONDS, cwd="/"
        )
    except subprocess.TimeoutExpired:
        return True, [f"not audited: pip-audit had not ended after {SECONDS} s"]
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        why = (done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"])[-1]
        return True, [f"not audited: {why}"]
    return _judged(found)


def _judged(found: list[dict[str, Any]]) -> tuple[bool, list[str]]:
    holes = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one in found
        for hole in one.get("vulns", ())
    ]
    skipped = [f"{one['name']}: not audited: {one['skip_reason']}" for one in found if "skip_reason" in one]
    if not found:
        return True, ["not audited: pip-audit looked at no package"]
    seen = len(found) - len(skipped)
    return not holes and not skipped, [*holes, *skipped, f"{seen} of {len(found)} packages audited, {len(holes)} holes"]
