"""The audit of packages fails on a hole and on a package it did not see, and says when it did not happen."""

import json
import re
import stat
from importlib.metadata import version
from pathlib import Path

import pytest

from local.dependencies import LOCKS, audit
from local.instance import REPOSITORY

CLEAN = {"name": "polars", "version": "1.0", "vulns": []}
HOLE = {"name": "mlflow", "version": "2.9.2", "vulns": [{"id": "GHSA-x", "fix_versions": ["3.11"]}]}
SKIPPED = {"name": "mlflow", "skip_reason": "Dependency not found on the index"}


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pip-audit that prints what a test tells it."""
    program = tmp_path / "pip_audit"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/said; cat {tmp_path}/complained >&2; exit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "complained").write_text("")
    monkeypatch.setattr("local.dependencies.PROGRAM", (str(program),))
    return tmp_path


@pytest.mark.parametrize(
    ("packages", "is_well", "said"),
    [
        ([CLEAN], True, "1 of 1 packages audited, 0 holes"),
        ([CLEAN, HOLE], False, "mlflow 2.9.2: GHSA-x, mended in 3.11"),
        ([CLEAN, SKIPPED], False, "mlflow: not audited: Dependency not found on the index"),
        ([SKIPPED, SKIPPED], True, "not audited: the index could tell of none of 2 packages"),
        ([], True, "not audited: the index could tell of none of 0 packages"),
    ],
)
def test_a_hole_and_a_skipped_package_are_told(tool: Path, packages: list[object], is_well: bool, said: str) -> None:
    (tool / "said").write_text(json.dumps({"dependencies": packages}))
    judged, lines = audit()
    assert judged is is_well and said in lines


def test_an_audit_that_did_not_happen_says_so(tool: Path) -> None:
    (tool / "said").write_text("")
    (tool / "complained").write_text("Traceback\nConnectionError: api.osv.dev\n")
    assert audit() == (True, ["not audited: ConnectionError: api.osv.dev"])


def test_every_package_of_the_locks_has_one_exact_version_and_its_hashes() -> None:
    for lock in LOCKS:
        packages = (REPOSITORY / lock).read_text("utf-8").replace("\\\n", "").splitlines()
        assert len(packages) > 20
        for package in packages:
            assert re.fullmatch(r"[\w.\[\]-]+==[\w.+!-]+( ;[^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+", package), package


@pytest.mark.parametrize(("package", "floor"), [("apache-airflow", (3, 2, 0)), ("mlflow", (3, 11))])
def test_no_version_is_older_than_its_known_holes_were_mended(package: str, floor: tuple[int, ...]) -> None:
    """Of Airflow CVE-2026-25917, mended in 3.2.0; of MLflow CVE-2026-4137, mended in 3.11.0."""
    assert tuple(int(part) for part in version(package).split(".")[: len(floor)]) >= floor
