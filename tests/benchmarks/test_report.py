"""The shared form of all benchmarks."""

import json
from pathlib import Path

import pytest

from benchmarks.report import Row, markdown, write_report

ROWS = [Row("a/b/recall_20", 0.25, "share", 0.2, 0.3, "peer", 1.25), Row("a/c/seconds", 3.0, "s")]


def test_json_holds_the_stated_keys(tmp_path: Path) -> None:
    write_report("a", "some data", ROWS, tmp_path / "deep" / "a.json")
    report = json.loads((tmp_path / "deep" / "a.json").read_text())
    assert set(report) == {"benchmark", "cores", "data", "rows"}
    assert report["rows"][0] == {
        "name": "a/b/recall_20", "value": 0.25, "unit": "share", "low": 0.2, "high": 0.3, "peer": "peer", "ratio": 1.25,
    }  # fmt: skip
    assert report["rows"][1]["low"] is None and report["rows"][1]["ratio"] is None


def test_the_table_has_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    write_report("a", "some data", ROWS, None)
    assert "| a/b/recall_20 | 0.25 | 0.2 .. 0.3 | share | peer | 1.25 |" in capsys.readouterr().out
    assert len(markdown(ROWS).splitlines()) == 4


def test_a_number_that_is_not_finite_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="a/x"):
        write_report("a", "some data", [Row("a/x", float("nan"), "share")], None)
