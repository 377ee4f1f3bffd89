"""What the settings ask for is what takes part."""

from datetime import date

import pytest

pytest.importorskip("torch")

from ml.contest.plan import plan_contest, wanted_recipe
from ml.preference.sequence import Gru
from ml.preference.sequence_params import OPTIMIZERS, SequenceParams
from ml.preference.sequence_training import OPTIMIZERS as TORCH_OPTIMIZERS
from ml.settings import SequenceSettings, Settings
from ml.training import sequence_params


def test_a_sequence_model_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLES_PREFERENCE__KIND", "gru")
    monkeypatch.setenv("BUNDLES_PREFERENCE__COMPARED", '["global_popularity", "transformer"]')
    wanted = {"dimensions": 32, "layers": 1, "epochs": 7, "optimizer": "rmsprop", "learning_rate": 0.001}
    for name, value in wanted.items():
        monkeypatch.setenv(f"BUNDLES_SEQUENCE__{name.upper()}", str(value))
    settings = Settings()
    model = wanted_recipe(settings).model(seed=3, threads=1)
    assert isinstance(model, Gru) and model.params == SequenceParams(**wanted, seed=3, threads=1)  # type: ignore[arg-type]
    compared = {
        one.name: one.recipe.model(seed=3, threads=1) for one in plan_contest(None, date(2024, 3, 1), settings).entrants
    }
    assert vars(compared["transformer"])["params"] == model.params


def test_settings_and_parameters_agree_on_what_is_usual() -> None:
    assert sequence_params(Settings(sequence=SequenceSettings(), threads=1), seed=0) == SequenceParams()
    assert set(OPTIMIZERS) == set(TORCH_OPTIMIZERS)
