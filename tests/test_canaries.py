"""The search for secrets finds a planted one, and the repository holds none that anybody could use."""

import base64
import re
import subprocess
from pathlib import Path

import pytest

from local.instance import PASSWORDS, Instance
from tests.canaries import files_below, hits

ROOT = Path(__file__).resolve().parent.parent
KNOWN_DEFAULTS = re.compile(r"password1234|airflow:airflow|postgres:postgres|changeme", re.I)
ASSIGNED = re.compile(rf"(?:{'|'.join(PASSWORDS)})\W{{1,4}}([0-9a-f]{{64}}|[\w-]{{43}}=)")
PRIVATE_KEY = re.compile("BEGIN [A-Z ]*PRIVATE" + " KEY")
OF_TESTS = re.compile(r"^tests/")


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("encode", [bytes, base64.b64encode], ids=["plain", "base64"])
def test_a_planted_secret_is_found_however_it_is_wrapped(tmp_path: Path, before: str, encode: type[bytes]) -> None:
    for folder in ("home", "deep"):
        (tmp_path / folder).mkdir()
    secrets = Instance(tmp_path / "home").secrets()
    log = tmp_path / "deep" / "task.log"
    log.write_bytes(b"x = " + encode((before + secrets["MLFLOW_DB_PASSWORD"] + "@host").encode()) + b"\n")
    assert hits(secrets, files_below(tmp_path / "deep")) == [f"{log}: MLFLOW_DB_PASSWORD"]


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_of_the_repository_holds_a_secret() -> None:
    """Neither those of the stack that was started here last, nor anything that looks like one."""
    home = ROOT / ".bundles"
    known = Instance(home).secrets() if (home / "secrets.json").exists() else {}
    assert hits(known, tracked()) == []
    for path in tracked():
        text = path.read_text("utf-8", "replace")
        assert not ASSIGNED.search(text) and not PRIVATE_KEY.search(text), path
        assert OF_TESTS.search(str(path.relative_to(ROOT))) or not KNOWN_DEFAULTS.search(text), path


def test_nor_does_anything_that_was_ever_committed(tmp_path: Path) -> None:
    """As far back as the clone goes; what was taken out again is still there for everybody."""
    history = tmp_path / "history"
    with history.open("wb") as file:
        subprocess.run(["git", "log", "-p", "--all", "--no-color"], cwd=ROOT, stdout=file, check=True)
    home = ROOT / ".bundles"
    known = Instance(home).secrets() if (home / "secrets.json").exists() else {}
    assert hits(known, [history]) == []
    text = history.read_text("utf-8", "replace")
    assert not ASSIGNED.search(text) and not PRIVATE_KEY.search(text)
