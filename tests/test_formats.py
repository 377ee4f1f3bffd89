"""Nothing that could run is ever taken for a model: not by its name, not by its content, not by a forged manifest."""

import gzip
import os
import pickle
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from ml.errors import DataError
from ml.formats import refuse_code
from ml.settings import Settings, TrackingSettings
from ml.tracking import Tracking
from ml.versions import MANIFEST, _digests

DAY = date(2017, 12, 3)


class Planted:
    """Unpickled, it leaves a file behind."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.canary),)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    made.mkdir()
    (made / "trees.txt").write_text("tree\nversion=v4\n")
    (made / "model.json").write_text('{"kind": "ranker"}')
    (made / "network.safetensors").write_bytes(save({"weights": np.arange(4.0)}))
    return made


def plants(canary: Path) -> dict[str, bytes]:
    """Return files that run code where something loads them, under honest and under lying names."""
    pickled = pickle.dumps(Planted(canary))
    loader = f"flavors:\n  python_function:\n    loader_module: os\n    data: {canary}\n".encode()
    return {
        "model.pkl": pickled,
        "python_model.pkl": pickled,
        "trees.txt": pickled,
        "model.json": pickled,
        "network.safetensors": pickled,
        "other.safetensors": gzip.compress(pickled),
        "model.json.gz": gzip.compress(pickled),
        "notes.txt": gzip.compress(pickled),
        "MLmodel": loader,
        "model.json/MLmodel.yaml": loader,
        "weights.pt": pickled,
        "run.py": b"import os",
        "old.json": pickle.dumps(Planted(canary), protocol=0),
    }


def test_text_json_and_safetensors_are_taken(folder: Path) -> None:
    refuse_code(folder)


@pytest.mark.parametrize("name", plants(Path("canary")))
def test_a_planted_file_is_refused_by_name(folder: Path, canary: Path, name: str) -> None:
    path = folder / name.replace("model.json/", "inner/")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(plants(canary)[name])
    with pytest.raises(DataError, match=path.name):
        refuse_code(folder)


def test_a_link_is_refused(folder: Path) -> None:
    (folder / "linked.txt").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="link"):
        refuse_code(folder)


@pytest.mark.parametrize("name", ["python_model.pkl", "trees.txt", "notes.txt", "MLmodel"])
def test_a_version_with_a_forged_manifest_is_refused_before_it_is_loaded(
    folder: Path, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whoever can write to MLflow can write a manifest that fits, and its hash; the format still speaks."""
    import hashlib
    import json

    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracking = Tracking(Settings(tracking=TrackingSettings(uri=uri)))
    with tracking.run("preference", "ranker", {}) as run:
        version = tracking.register("preference", folder, run, {"data_cut_off": DAY})
    tracking.judge(version, "passed", "because")
    (stored,) = (path.parent for path in tmp_path.rglob(MANIFEST) if path.parent != folder)
    (stored / name).write_bytes(plants(canary)[name])
    (stored / MANIFEST).unlink()
    text = json.dumps({"files": _digests(stored)}, indent=1, sort_keys=True)
    (stored / MANIFEST).write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    MlflowClient(uri).set_model_version_tag("preference", str(version.number), "manifest_sha256", digest)
    with pytest.raises(DataError, match=name):
        tracking.champion("preference", DAY)
    assert not canary.exists()


def test_a_pickle_cannot_be_registered(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "model.pkl").write_bytes(pickle.dumps({}))
    tracking = Tracking(Settings(tracking=TrackingSettings(uri=f"sqlite:///{tmp_path / 'mlflow.db'}")))
    with tracking.run("preference", "ranker", {}) as run, pytest.raises(DataError, match=r"model\.pkl"):
        tracking.register("preference", folder, run, {"data_cut_off": DAY})
