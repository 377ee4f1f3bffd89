"""The door to dbt without dbt: a stand-in writes what dbt would write."""

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml import transform
from ml.errors import DataError, TemporaryError
from ml.settings import DbtSettings, Settings, WarehouseSettings

AS_OF = date(2024, 3, 31)
STAND_IN = """#!{python}
import json, os, pathlib, sys, time
folder, here = pathlib.Path(sys.argv[sys.argv.index("--target-path") + 1]), pathlib.Path({here!r})
run = os.environ["BUNDLES_RUN_ID"]
result = dict(unique_id="test.bundles.of_" + run, status="pass", failures=0, message=None)
if run == "8":
    sys.exit("OSError: [Errno 28] No space left on device\\n" + 50 * "Arguments: ()\\n")
if run != "9":
    written = dict(results=[result], metadata=dict(invocation_id=run))
    (folder / "run_results.json").write_text(json.dumps(written))
    (folder / "partial_parse.msgpack").write_text(run)
(here / ("wrote_" + run)).touch()
# Nobody ends before everybody has written.
deadline = time.monotonic() + 20
while len(list(here.glob("wrote_*"))) < {calls} and time.monotonic() < deadline:
    time.sleep(0.01)
"""


def settings_with_stand_in(folder: Path, calls: int, monkeypatch: pytest.MonkeyPatch) -> Settings:
    program = folder / "dbt"
    program.write_text(STAND_IN.format(python=sys.executable, here=str(folder), calls=calls), "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(transform.sys, "executable", str(program))
    dbt = DbtSettings(project_dir=folder, target_dir=folder / "target")
    return Settings(warehouse=WarehouseSettings(transformer_password=SecretStr("none")), dbt=dbt)


def test_calls_side_by_side_each_read_their_own_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = (1, 2, 3)
    settings = settings_with_stand_in(tmp_path, len(runs), monkeypatch)
    with ThreadPoolExecutor(len(runs)) as pool:
        found = list(pool.map(lambda run: transform.audit(settings, AS_OF, run), runs))
    assert [[check.name for check in checks] for checks in found] == [["of_1"], ["of_2"], ["of_3"]]
    left = [path.name for path in (tmp_path / "target" / "audit").iterdir()]
    assert left == ["partial_parse.msgpack"], "only the parsed project is handed on"


def test_results_of_an_earlier_call_are_not_taken_for_those_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_with_stand_in(tmp_path, 1, monkeypatch)
    transform.audit(settings, AS_OF, 1)
    with pytest.raises(DataError, match=r"wrote no run_results\.json"):
        transform.audit(settings, AS_OF, 9)
    assert [path.name for path in (tmp_path / "target" / "audit").iterdir()] == ["partial_parse.msgpack"]


def test_a_full_disk_is_found_far_above_the_last_lines_of_dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with_stand_in(tmp_path, 1, monkeypatch)
    with pytest.raises(TemporaryError, match="No space left on device"):
        transform.audit(settings, AS_OF, 8)
