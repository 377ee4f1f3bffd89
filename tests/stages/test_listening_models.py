"""What customers do besides buying is read from the features where a model listens."""

from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient

pytest.importorskip("torch")

import ml.stages.evaluate_policies
import ml.stages.optimise_bundles
import ml.stages.propose_candidates
import ml.stages.train_preference
from ml.params import Context, Counts, RunParams
from ml.preference.baselines import PersonalFrequency
from ml.preference.contract import Probabilities
from ml.settings import SequenceSettings, Settings
from ml.tables import EVENTS
from ml.warehouse import Warehouse
from tests.stages.features import plant, tiny
from tests.stages.runs import CONTEXT

pytestmark = pytest.mark.slow


class Listening(PersonalFrequency):
    """Counts, and keeps what it was told and what it knew each time it scored."""

    events: pl.DataFrame | None = None

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[pl.DataFrame | None] = []

    def score(self, baskets: pl.DataFrame, products: pl.DataFrame, candidates: pl.DataFrame) -> Probabilities:
        self.heard.append(self.events)
        return super().score(baskets, products, candidates)


@pytest.fixture
def listening() -> Listening:
    model = Listening()
    model.fit(pl.DataFrame(), pl.DataFrame(), pl.DataFrame())
    return model


def test_a_listening_champion_hears_of_each_block_of_customers_what_they_did(
    shop: Settings, trained: dict[str, Counts], listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.stages.propose_candidates.load_model", lambda _: listening)
    monkeypatch.setattr("ml.stages.propose_candidates.CUSTOMERS_AT_ONCE", 7)
    ml.stages.propose_candidates.run(shop, CONTEXT)
    held = Warehouse(shop, "ml").read(EVENTS, {"as_of": CONTEXT.as_of}).drop_nulls("customer_id")
    parts = [part for part in listening.heard if part is not None]
    assert len(parts) == len(listening.heard) > 1
    assert all(part["customer_id"].n_unique() <= 7 for part in parts)
    together = pl.concat(parts)
    assert together.height > 100 and together.sort("event_id").equals(held.sort("event_id"))


def test_the_gap_to_the_catalogue_is_measured_by_a_model_that_was_told_the_events_too(
    shop: Settings, trained: dict[str, Counts], listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    ml.stages.propose_candidates.run(shop, CONTEXT)
    monkeypatch.setattr("ml.stages.optimise_bundles.load_model", lambda _: listening)
    ml.stages.optimise_bundles.run(shop, CONTEXT)
    held = Warehouse(shop, "ml").read(EVENTS, {"as_of": CONTEXT.as_of})
    assert len(listening.heard) == 1 and listening.heard[0] is not None and listening.heard[0].equals(held)


def test_policies_are_compared_by_a_model_that_was_told_the_events_too(
    shop: Settings, trained: dict[str, Counts], listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.stages.evaluate_policies.Recipe.model", lambda *_: listening)
    ml.stages.evaluate_policies.run(shop, Context(CONTEXT.as_of, "heard", RunParams(retrain=True)))
    held = Warehouse(shop, "ml").read(EVENTS, {"as_of": CONTEXT.as_of})
    assert len(listening.heard) == 1 and listening.heard[0] is not None and listening.heard[0].equals(held)


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
