"""What the processes of the stack are told of the code they run."""

import re
import subprocess
from pathlib import Path

import pytest

from local import environment


def commit_something(folder: Path) -> None:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.test"]
    for words in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)


def test_the_commit_is_that_of_the_code_and_unknown_where_it_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that was unpacked within somebody's repository has not the commit of that."""
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr(environment, "REPOSITORY", unpacked)
    commit_something(tmp_path)
    assert environment.git_commit() == "unknown"
    commit_something(unpacked)
    assert re.fullmatch("[0-9a-f]{40}", environment.git_commit())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.git_commit() == "unknown"
