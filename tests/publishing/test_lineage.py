"""The models of published runs are followed to their training and their files, and every break on the way is found."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg2.extensions
import pytest
from mlflow import MlflowClient

from ml.errors import DataError, TemporaryError
from ml.params import Context, RunParams
from ml.publishing.lineage import broken_lineage
from ml.settings import Settings, TrackingSettings
from ml.stages import check_invariants
from ml.tracking import Tracking
from ml.transform import AuditCheck
from ml.versions import Champion
from tests.publishing.published import AS_OF, publish_everywhere, restored

pytestmark = pytest.mark.slow
Connection = psycopg2.extensions.connection


@pytest.fixture(scope="module")
def tracked(settings: Settings, owner: Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with a store in which both models have a version, which each scope's published run has used."""
    home = tmp_path_factory.mktemp("tracked")
    store = settings.model_copy(update={"tracking": TrackingSettings(uri=f"sqlite:///{home / 'mlflow.db'}")})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        publish_everywhere(store, owner, home)
        yield store


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("retagged", r"its manifest is \w{64}, used was"),
        ("incomplete", "is not complete"),
        ("edited", "files differ from the manifest: model.txt"),
        ("swapped", "not the manifest that was registered"),
        ("gone", "has no files of a model"),
        ("unborn", r"association: MLflow .*version=7\) not found"),
        ("anonymous", "no commit of the code"),
        ("unmanifested", "association 1: no manifest was registered"),
    ],
)
def test_a_published_model_is_followed_to_its_files(
    tracked: Settings, owner: Connection, fault: str, said: str
) -> None:
    client = MlflowClient(tracked.tracking.uri)
    version = client.get_model_version("association", "1")
    assert version.run_id is not None
    folder = Path(client.get_run(version.run_id).info.artifact_uri.removeprefix("file://")) / "model"
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    tags = dict(version.tags)
    with restored(owner) as cursor:
        match fault:
            case "retagged":
                cursor.execute('update ops.runs set model_manifests = model_manifests || \'{"association": "other"}\'')
            case "incomplete":
                client.delete_tag(version.run_id, "complete")
            case "edited":
                (folder / "model.txt").write_text("another")
            case "swapped":
                (folder / "manifest.json").write_text('{"files": {}}')
            case "gone":
                for path in kept:
                    path.unlink()
                folder.rmdir()
            case "unborn":
                cursor.execute("update ops.runs set model_versions = '{\"association\": 7}' where scope = 'launch'")
            case "anonymous":
                client.delete_model_version_tag("association", "1", "git_commit")
            case "unmanifested":
                client.delete_model_version_tag("association", "1", "manifest_sha256")
        try:
            found, unknown = broken_lineage(tracked)
        finally:
            folder.mkdir(exist_ok=True)
            for path, text in kept.items():
                path.write_bytes(text)
            client.set_tag(version.run_id, "complete", "true")
            for tag in ("git_commit", "manifest_sha256"):
                client.set_model_version_tag("association", "1", tag, tags[tag])
    assert found and all(re.search(said, text) for text in found), found
    assert unknown is None and broken_lineage(tracked) == ([], None)


def test_what_was_published_before_manifests_were_noted_is_still_checked_for_its_files(
    tracked: Settings, owner: Connection
) -> None:
    with restored(owner) as cursor:
        cursor.execute("update ops.runs set model_manifests = null where scope = 'replenishment'")
        assert broken_lineage(tracked) == ([], None)


def test_the_files_of_a_version_are_looked_at_once_however_many_runs_used_it(
    tracked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    numbered = Tracking.numbered

    def counting(tracking: Tracking, name: str, number: int) -> Champion:
        asked.append((name, number))
        return numbered(tracking, name, number)

    monkeypatch.setattr(Tracking, "numbered", counting)
    assert broken_lineage(tracked) == ([], None)
    assert sorted(asked) == [("association", 1), ("preference", 1)]


def check(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_invariants, "invariants", lambda *_: [AuditCheck("of_postgres", 0)])
    check_invariants.run(settings, Context(AS_OF, "test", RunParams()))


def test_without_mlflow_nothing_is_broken_and_it_is_worth_another_try(
    tracked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tracked.model_copy(update={"tracking": TrackingSettings(uri="http://127.0.0.1:9")})
    with pytest.raises(TemporaryError, match=r"1 invariants hold, of the published models nothing is known: .*MLflow"):
        check(away, monkeypatch)


def test_what_was_found_before_mlflow_went_away_is_told(
    tracked: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(tracking: Tracking, name: str, number: int) -> Champion:
        raise DataError("preference 1: edited") if name == "preference" else TemporaryError("MLflow went away")

    monkeypatch.setattr(Tracking, "numbered", half)
    with pytest.raises(DataError, match=rf"1 of 2 .*: {check_invariants.LINEAGE};.* not all is .*: MLflow went away"):
        check(tracked, monkeypatch)
    with owner.cursor() as cursor:
        cursor.execute("select subject, detail from ops.incidents order by incident_id desc limit 1")
        ((subject, detail),) = cursor.fetchall()
    assert subject == check_invariants.LINEAGE and detail.endswith("(personal): preference 1: edited")
