"""The audit of packages fails on a hole and on a package it did not see, and says when it did not happen."""

import json
import re
import stat
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path

import pytest

from local.dependencies import DEEP, LOCKS, audit, deep_packages
from local.instance import REPOSITORY

CLEAN = {"name": "polars", "version": "1.0", "vulns": []}
HOLE = {"name": "mlflow", "version": "2.9.2", "vulns": [{"id": "GHSA-x", "fix_versions": ["3.11"]}]}
SKIPPED = {"name": "mlflow", "skip_reason": "Dependency not found on the index"}


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pip-audit that prints what a test tells it, and notes what it was asked."""
    program = tmp_path / "pip_audit"
    program.write_text(
        f"#!/bin/sh\nfor word; do case $word in *.txt) cat $word >> {tmp_path}/asked;; esac; done\n"
        f"case $* in *{DEEP}*) cat {tmp_path}/deep;; *) cat {tmp_path}/said;; esac\n"
        f"cat {tmp_path}/complained >&2; exit 1\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "complained").write_text("")
    (tmp_path / "deep").write_text('{"dependencies": []}')
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
    for name in ("said", "deep"):
        (tool / name).write_text("")
    (tool / "complained").write_text("Traceback\nConnectionError: api.osv.dev\n")
    is_well, lines = audit()
    assert is_well
    assert lines[-2:] == [f"{name}: not audited: ConnectionError: api.osv.dev" for name in ("locks", DEEP)]


@pytest.mark.parametrize(("packages", "judged"), [([CLEAN], True), ([CLEAN, HOLE], False)])
def test_an_audit_of_the_locks_alone_says_so(tool: Path, packages: list[object], judged: bool) -> None:
    (tool / "said").write_text(json.dumps({"dependencies": packages}))
    (tool / "deep").write_text("")
    is_well, lines = audit()
    assert is_well is judged and f"{DEEP}: not audited: pip-audit ended with 1" in lines


@pytest.mark.parametrize("found", [{**HOLE, "name": "torch"}, {**SKIPPED, "name": "torch"}])
def test_a_hole_in_a_deep_models_library_and_a_skipped_one_are_wrong(tool: Path, found: dict[str, object]) -> None:
    (tool / "said").write_text(json.dumps({"dependencies": [CLEAN]}))
    (tool / "deep").write_text(json.dumps({"dependencies": [found]}))
    is_well, lines = audit()
    assert not is_well and any(line.startswith("torch") for line in lines)
    asked = (tool / "asked").read_text()
    assert "torch==2.13.0" in asked and "polars==" in asked


def test_what_the_deep_models_drew_in_is_told_and_what_is_not_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def package(name: str, *needs: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-1.5+cpu.dist-info"
        folder.mkdir()
        lines = [
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5+cpu",
            *(f"Requires-Dist: {need}" for need in needs),
        ]
        (folder / "METADATA").write_text("\n".join(lines) + "\n")

    package("torch", "Sym_Py>=1", "polars", 'not-here; python_version < "3"', 'not-asked; extra == "all"')
    package("sym-py", "torch[all-of-it]", "deeper")
    package("deeper", "sym-py")
    monkeypatch.setattr("local.dependencies.REPOSITORY", tmp_path)
    monkeypatch.setattr(
        "local.dependencies.distribution",
        lambda name: next(iter(distributions(name=name, path=[str(tmp_path)])), None) or missing(),
    )
    (tmp_path / LOCKS[0]).write_text("polars==1.0 \\\n    --hash=sha256:0\n")
    (tmp_path / LOCKS[1]).write_text("")
    (tmp_path / DEEP).write_text("# why\ntorch==1.5\nabsent-one==2.0\n")
    assert deep_packages() == (["absent-one==2.0", "deeper==1.5", "sym-py==1.5", "torch==1.5"], ["absent-one"])


def missing() -> Distribution:
    raise PackageNotFoundError


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
