"""Every bad input ends as the catalogue says, alone and among good records, which all land."""

from pathlib import Path

import psycopg2
import pytest

from ml.settings import Settings
from tests.bad_inputs.__main__ import main
from tests.bad_inputs.case import Case
from tests.bad_inputs.catalogue import CASES, LAST, SHOWN, is_there
from tests.bad_inputs.loading import Bench

GOOD = 300
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(settings: Settings, owner: psycopg2.extensions.connection, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(settings, owner, tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("good", [0, GOOD], ids=["alone", "mixed"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_bad_input_ends_as_the_catalogue_says(bench: Bench, case: Case, good: int) -> None:
    assert bench.outcome(case, good).faults == []


def test_no_number_of_the_catalogue_is_left_out() -> None:
    assert sorted({entry.number for entry in [*CASES, *SHOWN]}) == list(range(1, LAST + 1))


def test_what_other_tests_show_is_shown(repository: Path) -> None:
    assert [name for entry in SHOWN for name in entry.tests if not is_there(repository, name)] == []


def test_the_report_can_be_asked_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bad_inputs", "--help"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0 and "--report" in capsys.readouterr().out
