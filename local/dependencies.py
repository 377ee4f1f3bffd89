"""Known holes in the packages of the lock, by pip-audit; never silent about what it did not see."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from local.instance import REPOSITORY

LOCKS = ("requirements.txt", "requirements-dev.txt")
SECONDS = 600
PROGRAM = (sys.executable, "-m", "pip_audit")


def audit(locks: Sequence[str] = LOCKS) -> tuple[bool, list[str]]:
    """Return whether nothing is wrong, and what was found in words.

    A hole is wrong, and so is a package that was skipped: pip-audit tells "no known vulnerabilities" of a package that
    its source does not know. Where the audit could not be done at all (no way out, or an index that keeps no record of
    holes and so knows of no package), that is said, and is not wrong.
    """
    files = [word for lock in locks for word in ("--requirement", str(REPOSITORY / lock))]
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(
            [*PROGRAM, *options, *files], capture_output=True, text=True, check=False, timeout=SECONDS, cwd="/"
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
    seen = len(found) - len(skipped)
    if not seen:
        return True, [f"not audited: the index could tell of none of {len(found)} packages"]
    return not holes and not skipped, [*holes, *skipped, f"{seen} of {len(found)} packages audited, {len(holes)} holes"]
