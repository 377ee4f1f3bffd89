"""What customers do besides buying is read from the features where a model listens."""

from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient

pytest.importorskip("torch")

import ml.stages.propose_candidates
import ml.stages.train_preference
from ml.params import Counts
from ml.preference.baselines import PersonalFrequency
from ml.settings import SequenceSettings, Settings
from ml.tables import EVENTS
from ml.warehouse import Warehouse
from tests.stages.features import plant, tiny
from tests.stages.runs import CONTEXT

pytestmark = pytest.mark.slow


class Listening(PersonalFrequency):
    """Counts, and keeps what it was told."""

    events: pl.DataFrame | None = None


def test_a_listening_champion_is_told_the_events_of_the_day(
    shop: Settings, trained: dict[str, Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Listening()
    model.fit(pl.DataFrame(), pl.DataFrame(), pl.DataFrame())
    monkeypatch.setattr("ml.stages.propose_candidates.load_model", lambda _: model)
    ml.stages.propose_candidates.run(shop, CONTEXT)
    held = Warehouse(shop, "ml").read(EVENTS, {"as_of": CONTEXT.as_of})
    assert model.events is not None and model.events.height > 100 and model.events.equals(held)


def test_a_sequence_candidate_learns_from_events_and_its_run_says_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bare = tiny(settings, f"sqlite:///{tmp_path / 'mlflow.db'}")
    plant(bare)
    wanted = bare.preference.model_copy(update={"kind": "gru", "compared": ("global_popularity",), "gate_windows": 1})
    small = SequenceSettings(dimensions=8, layers=1, epochs=1)
    asked = bare.model_copy(update={"preference": wanted, "sequence": small})
    counts = ml.stages.train_preference.run(asked, CONTEXT)
    client = MlflowClient(asked.tracking.uri)
    experiment = client.get_experiment_by_name("preference")
    assert experiment is not None and counts["customers"]
    runs = {run.data.tags["model"]: run for run in client.search_runs([experiment.experiment_id])}
    used = {one.dataset.name for one in runs["gru"].inputs.dataset_inputs}
    assert used == {"features.ftr_baskets", "features.ftr_products", "features.ftr_events"}
    assert runs["gru"].data.params["dimensions"] == "8" and runs["gru"].data.tags["weights"] in ("int8", "float32")
