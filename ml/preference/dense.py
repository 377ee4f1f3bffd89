"""The network of the commissioning sample, a named baseline: one dense layer of 128 ReLU units and a sigmoid."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from sklearn.neural_network import MLPClassifier

from ml.errors import ConfigError, DataError
from ml.preference.contract import Probabilities, check_fitted, read_facts, write_facts
from ml.preference.features import FEATURES, features_of
from ml.preference.history import History

ARRAYS = "network.safetensors"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class DenseParams:
    """Size of the layer and how it is trained.

    Parameters
    ----------
    most_rows
        Rows to learn from: all that were bought, and a draw of the others that stands for the rest by its weight.
    l2
        Penalty on the weights.

    Raises
    ------
    ConfigError
        When a number is not positive.
    """

    units: int = 128
    epochs: int = 12
    batch: int = 512
    learning_rate: float = 0.001
    l2: float = 0.001
    most_rows: int = 200_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("units", "epochs", "batch", "learning_rate", "l2", "most_rows"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"dense_network.{name}: got {getattr(self, name)}, needs more than 0")


class DenseNetwork:
    """Dense 128, ReLU, sigmoid, binary cross-entropy, Adam, on the ranker's features.

    The sample's dropout of 0.2 is replaced by a penalty on the weights, as scikit-learn's network knows no dropout: so
    the baseline runs, and is tested, without a deep-learning library. Features enter as the logarithm of one plus their
    size, standardised; what is unknown is the mean.

    Shapes and units
    ----------------
    centre, scale (f,); w1 (f, units), b1 (units,), w2 (units,), b2 (1,); score (n,) float64 in [0, 1].

    Raises
    ------
    NotFittedError
        When ``score`` or ``save`` is called before ``fit``.
    DataError
        When the training examples are all bought or all not bought.

    Source
    ------
    The sample network this project was commissioned with; Kingma and Ba (2015), Adam, ICLR, for its training.
    """

    kind: ClassVar[str] = "dense_network"

    def __init__(self, params: DenseParams | None = None) -> None:
        self.params = params or DenseParams()
        self._arrays: dict[str, Array] = {}

    def fit(self, baskets: pl.DataFrame, products: pl.DataFrame, examples: pl.DataFrame) -> Self:
        """Learn from all examples; see :class:`ml.preference.contract.PreferenceModel`."""
        asked = self.params
        bought = examples["is_bought"].to_numpy()
        if bought.all() or not bought.any():
            raise DataError(
                f"degenerate_target: {self.kind}: the {bought.size} training examples do not hold both answers"
            )
        rng = np.random.default_rng(asked.seed)
        others = np.flatnonzero(~bought)
        room = max(1, asked.most_rows - int(bought.sum()))
        drawn = others if others.size <= room else np.sort(rng.choice(others, room, replace=False))
        chosen = np.sort(np.concatenate([np.flatnonzero(bought), drawn]))
        weight = np.where(bought[chosen], 1.0, others.size / drawn.size)
        inputs = _squeezed(features_of(History.of(baskets, products), examples[chosen]))
        known = ~np.isnan(inputs).all(axis=0)
        centre, scale = np.zeros(inputs.shape[1]), np.ones(inputs.shape[1])
        centre[known] = np.nanmean(inputs[:, known], axis=0)
        scale[known] = np.maximum(np.nanstd(inputs[:, known], axis=0), 1e-6)
        network = MLPClassifier(
            (asked.units,), activation="relu", solver="adam", alpha=asked.l2, batch_size=min(asked.batch, chosen.size),
            learning_rate_init=asked.learning_rate, max_iter=asked.epochs, n_iter_no_change=asked.epochs,
            random_state=asked.seed,
        )  # fmt: skip
        # Epoch by epoch, since fit would warn that it has not converged after as many as were wished for.
        ready, answers = np.nan_to_num((inputs - centre) / scale), bought[chosen]
        for _ in range(asked.epochs):
            order = rng.permutation(chosen.size)
            network.partial_fit(ready[order], answers[order], weight[order], [False, True])
        (w1, w2), (b1, b2) = network.coefs_, network.intercepts_
        self._arrays = {"centre": centre, "scale": scale, "w1": w1, "b1": b1, "w2": w2[:, 0].copy(), "b2": b2}
        return self

    def score(self, baskets: pl.DataFrame, products: pl.DataFrame, candidates: pl.DataFrame) -> Probabilities:
        """Return P of each candidate; see :class:`ml.preference.contract.PreferenceModel`."""
        check_fitted(bool(self._arrays), self.kind)
        inputs = features_of(History.of(baskets, products), candidates)
        of = self._arrays
        scores = np.empty(len(inputs))
        for start in range(0, len(inputs), 100_000):  # the hidden layer of a block stays near 100 MB
            block = np.nan_to_num((_squeezed(inputs[start : start + 100_000]) - of["centre"]) / of["scale"])
            log_odds = np.maximum(block @ of["w1"] + of["b1"], 0) @ of["w2"] + of["b2"][0]
            scores[start : start + 100_000] = 1 / (1 + np.exp(-np.clip(log_odds, -500, 500)))
        return scores

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors, all else as JSON."""
        check_fitted(bool(self._arrays), self.kind)
        write_facts(folder, self.kind, {"params": asdict(self.params), "features": list(FEATURES)})
        save_file(self._arrays, folder / ARRAYS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.

        Raises
        ------
        DataError
            When it was trained on other features than this code computes.
        """
        facts = read_facts(folder)
        if facts["features"] != list(FEATURES):
            raise DataError(f"{folder}: trained on other features than this code computes; retrain")
        model = cls(DenseParams(**facts["params"]))
        model._arrays = load_file(folder / ARRAYS)
        return model


def _squeezed(features: NDArray[np.float32]) -> Array:
    """Return the features on a logarithmic scale; a ratio to nothing, such as a free product's price, is unknown."""
    known = np.where(np.isfinite(features), features, np.nan)
    return np.asarray(np.sign(known) * np.log1p(np.abs(known)), np.float64)
