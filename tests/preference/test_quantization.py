"""Weights of 8 bits."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file

from ml.preference.load import load_model
from ml.preference.quantization import from_int8, to_int8
from ml.preference.sequence import WEIGHTS, Gru
from tests.preference.conftest import CUT, World, everything
from tests.preference.test_sequence import QUICK


def test_a_row_by_hand() -> None:
    weights = {"matrix": torch.tensor([[1.27, -0.634, 0.0], [0.0, 0.0, 0.0]]), "bias": torch.tensor([0.1234])}
    stored = to_int8(weights)
    assert stored["matrix"].tolist() == [[127, -63, 0], [0, 0, 0]] and stored["matrix"].dtype == torch.int8
    assert stored["matrix:scale"][0].item() == pytest.approx(0.01)
    restored = from_int8(stored)
    assert restored["matrix"].flatten().tolist() == pytest.approx([1.27, -0.63, 0, 0, 0, 0])
    assert torch.equal(restored["bias"], weights["bias"]) and set(restored) == set(weights)


def test_no_number_is_off_by_more_than_half_a_step() -> None:
    matrix = torch.from_numpy(np.random.default_rng(1).normal(size=(50, 30)).astype(np.float32))
    restored = from_int8(to_int8({"matrix": matrix}))["matrix"]
    steps = matrix.abs().amax(dim=1, keepdim=True) / 127
    assert ((restored - matrix).abs() <= 0.5 * steps * 1.001).all()


def test_a_model_in_int8_is_saved_small_and_scores_alike(world: World, tmp_path: Path) -> None:
    model = Gru(QUICK).fit(world.baskets, world.products, world.examples)
    small = model.in_int8()
    model.save(tmp_path / "full")
    small.save(tmp_path / "small")
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("full", "small")]
    assert sizes[1] < 0.6 * sizes[0]
    assert {value.dtype for value in load_file(tmp_path / "small" / WEIGHTS).values()} == {torch.int8, torch.float32}
    asked = everything([f"c{k:02d}" for k in range(40)], world.products["product_id"].to_list(), CUT)
    full, eight, loaded = (
        one.score(world.baskets, world.products, asked) for one in (model, small, load_model(tmp_path / "small"))
    )
    assert np.array_equal(eight, loaded)
    assert 0 < np.abs(eight - full).max() < 0.02
    again = small.fit(world.baskets, world.products, world.examples).score(world.baskets, world.products, asked)
    assert np.array_equal(again, full), "a new fit must not keep the 8 bits"
