"""Tracking against a real local MLflow store: runs, registration, the gate's verdict, champions by date, tampering."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ml.errors import DataError, TemporaryError
from ml.settings import Settings, TrackingSettings
from ml.tracking import Tracking
from ml.versions import Version, verify_manifest, write_manifest


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of an empty local store; its artifacts lie in the working directory."""
    monkeypatch.chdir(tmp_path)
    yield f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def tracking(uri: str) -> Tracking:
    return Tracking(Settings(tracking=TrackingSettings(uri=uri)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "inner").mkdir(parents=True)
    (made / "trees.txt").write_text("tree")
    (made / "inner" / "facts.json").write_text("{}")
    return made


def registered(tracking: Tracking, folder: Path, cut_off: date, passed: bool = True) -> Version:
    with tracking.run("preference", "ranker", {"as_of": cut_off}) as run:
        version = tracking.register("preference", folder, run, {"data_cut_off": cut_off})
    tracking.judge(version, "passed" if passed else "failed", "because")
    return version


def test_a_run_keeps_params_metrics_tags_and_files_and_ends_complete(tracking: Tracking, uri: str) -> None:
    from matplotlib.figure import Figure

    with tracking.run("preference", "ranker", {"as_of": date(2017, 12, 3), "seed": 7}) as run:
        run.params({f"p{number}": number for number in range(150)})
        run.metrics({"recall": 0.1}, step=10)
        run.metrics({"recall": 0.2}, step=20)
        run.text("hello", "notes/a.txt")
        run.figure(Figure(), "plots/empty.png")
    client = MlflowClient(uri)
    assert run.run_id is not None and run.lost == 0
    stored = client.get_run(run.run_id)
    assert len(stored.data.params) == 150
    assert stored.data.tags.items() >= {"as_of": "2017-12-03", "seed": "7", "complete": "true"}.items()
    assert [(m.step, m.value) for m in client.get_metric_history(run.run_id, "recall")] == [(10, 0.1), (20, 0.2)]
    assert {file.path for file in client.list_artifacts(run.run_id)} == {"notes", "plots"}
    assert stored.info.status == "FINISHED"


def test_a_run_that_raises_is_failed_and_not_complete(tracking: Tracking, uri: str) -> None:
    with pytest.raises(ZeroDivisionError), tracking.run("preference", "ranker", {}) as run:
        1 / 0  # noqa: B018
    assert run.run_id is not None
    stored = MlflowClient(uri).get_run(run.run_id)
    assert stored.info.status == "FAILED"
    assert "complete" not in stored.data.tags


def test_training_goes_on_without_a_server_but_registering_does_not(folder: Path) -> None:
    tracking = Tracking(Settings(tracking=TrackingSettings(uri="http://127.0.0.1:9")))
    with tracking.run("preference", "ranker", {}) as run:
        run.metrics({"recall": 0.1})
        with pytest.raises(TemporaryError, match="preference"):
            tracking.register("preference", folder, run, {"data_cut_off": "2017-12-03"})
    assert run.lost >= 1


def test_the_first_version_that_passes_is_the_champion_and_its_files_are_those_registered(
    tracking: Tracking, folder: Path
) -> None:
    version = registered(tracking, folder, date(2017, 12, 3))
    champion = tracking.champion("preference", date(2017, 12, 3))
    assert champion.version.number == version.number
    assert champion.version.tags["gate_reason"] == "because"
    assert (champion.folder / "trees.txt").read_text() == "tree"
    assert (champion.folder / "inner" / "facts.json").read_text() == "{}"


def test_there_is_no_champion_before_one_passed(tracking: Tracking, folder: Path) -> None:
    assert tracking.find_champion("preference", date(2017, 12, 3)) is None
    registered(tracking, folder, date(2017, 12, 3), passed=False)
    with pytest.raises(DataError, match="2017-12-03"):
        tracking.champion("preference", date(2017, 12, 3))


def test_a_version_that_fails_its_gate_leaves_the_champion_alone(tracking: Tracking, folder: Path) -> None:
    first = registered(tracking, folder, date(2017, 11, 1))
    registered(tracking, folder, date(2017, 12, 1), passed=False)
    assert tracking.champion("preference", date(2017, 12, 3)).version.number == first.number


def test_a_champion_never_knows_more_than_its_day(tracking: Tracking, folder: Path) -> None:
    early = registered(tracking, folder, date(2017, 10, 1))
    late = registered(tracking, folder, date(2017, 12, 1))
    assert tracking.champion("preference", date(2017, 11, 30)).version.number == early.number
    assert tracking.champion("preference", date(2017, 12, 1)).version.number == late.number
    with pytest.raises(DataError):
        tracking.champion("preference", date(2017, 9, 30))


def test_a_backfilled_version_does_not_take_the_alias_from_newer_data(tracking: Tracking, folder: Path) -> None:
    late = registered(tracking, folder, date(2017, 12, 1))
    early = registered(tracking, folder, date(2017, 10, 1))
    assert tracking.champion("preference", date(2018, 1, 1)).version.number == late.number
    assert tracking.champion("preference", date(2017, 10, 5)).version.number == early.number


def test_moving_the_alias_back_rolls_back(tracking: Tracking, folder: Path, uri: str) -> None:
    early = registered(tracking, folder, date(2017, 10, 1))
    registered(tracking, folder, date(2017, 12, 1))
    MlflowClient(uri).set_registered_model_alias("preference", "champion", str(early.number))
    assert tracking.champion("preference", date(2018, 1, 1)).version.number == early.number


def test_a_version_of_an_incomplete_run_is_not_judged(tracking: Tracking, folder: Path) -> None:
    with tracking.run("preference", "ranker", {}) as run:
        version = tracking.register("preference", folder, run, {"data_cut_off": "2017-12-03"})
        with pytest.raises(TemporaryError, match="not complete"):
            tracking.judge(version, "passed", "early")


def test_a_changed_stored_file_is_refused(tracking: Tracking, folder: Path, tmp_path: Path) -> None:
    registered(tracking, folder, date(2017, 12, 3))
    (stored,) = (path for path in tmp_path.rglob("trees.txt") if path.parent != folder)
    stored.write_text("another tree")
    with pytest.raises(DataError, match=r"trees\.txt"):
        tracking.champion("preference", date(2017, 12, 3))


@pytest.mark.parametrize("change", ["edit", "remove", "add", "forge"])
def test_the_manifest_notices(folder: Path, change: str) -> None:
    digest = write_manifest(folder)
    verify_manifest(folder, digest)
    if change == "edit":
        (folder / "trees.txt").write_text("other")
    elif change == "remove":
        (folder / "trees.txt").unlink()
    elif change == "add":
        (folder / "extra.txt").write_text("extra")
    else:
        (folder / "trees.txt").write_text("other")
        write_manifest(folder)
    with pytest.raises(DataError):
        verify_manifest(folder, digest)
