"""The production model: boosted trees on hand features, calibrated."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.errors import ConfigError, DataError
from ml.preference.calibration import Calibration, calibrate_where_needed
from ml.preference.contract import Probabilities, check_fitted, read_facts, write_facts
from ml.preference.features import FEATURES, GROUPS, OPTIONAL_SCORES, constant_columns, features_of, starting_log_odds
from ml.preference.history import History, positions
from ml.preference.reactions import REACTION_FEATURES, with_reactions
from ml.preference.tree_scoring import TreeScorer

TREES = "trees.txt"
HORIZONS = ("next_basket", "next_28_days")


@dataclass(frozen=True)
class RankerParams:
    """How the trees grow; the defaults are the recipe that won on Complete Journey (2017).

    Parameters
    ----------
    row_share, feature_share
        Drawn anew for each tree: many small steps on parts of the data vary less than few large ones on all.
    horizon
        What the examples' answers are about, ``next_basket`` or ``next_28_days``; kept with the model.
    left_out
        Groups of features (keys of ``ml.preference.features.GROUPS``) the trees may not see: for ablations. The log
        odds they start from stay.

    Raises
    ------
    ConfigError
        When a number is out of range or a group unknown.
    """

    trees: int = 250
    learning_rate: float = 0.05
    leaves: int = 31
    min_leaf_rows: int = 200
    l2: float = 5.0
    row_share: float = 0.7
    feature_share: float = 0.5
    horizon: str = "next_basket"
    left_out: tuple[str, ...] = ()
    patience: int = 15
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("trees", "leaves", "min_leaf_rows", "patience", "threads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"ranker.{name}: got {getattr(self, name)}, needs at least 1")
        if self.learning_rate <= 0 or self.l2 < 0:
            raise ConfigError("ranker: learning_rate must be above 0 and l2 not below 0")
        if not (0 < self.row_share <= 1 and 0 < self.feature_share <= 1):
            raise ConfigError("ranker: row_share and feature_share must be above 0 and at most 1")
        if self.horizon not in HORIZONS:
            raise ConfigError(f"ranker.horizon: got {self.horizon!r}, known are {', '.join(HORIZONS)}")
        if unknown := set(self.left_out) - set(GROUPS):
            raise ConfigError(f"ranker.left_out: unknown {', '.join(sorted(unknown))}; known are {', '.join(GROUPS)}")


class Ranker:
    """LightGBM with a binary objective on :data:`ml.preference.features.FEATURES`.

    The trees start from the decayed personal frequency and learn its correction: a tree cuts a feature into few
    bins at its rare high end, which is where a customer's favourites stand, so the baseline's own order is kept
    until the data speak against it. ``fit`` stops early on the validation examples and calibrates on them
    where that helps; ``refit`` grows the
    same number of trees on all examples and keeps the calibration. ``curve`` is what ``fit`` watched, by tree: (of the
    training examples, of the validation examples). ``constant`` names the features that were the same in all training
    examples, or nowhere known: no tree can cut them, so they do no harm and say nothing.

    Shapes and units
    ----------------
    examples (n rows), score (n,) float64 in [0, 1]: P that the customer's next basket holds the product, or that it is
    bought within 28 days, as the examples say and ``params.horizon`` records.

    Raises
    ------
    NotFittedError
        When ``score``, ``refit`` or ``save`` is called before ``fit``.
    DataError
        When the examples to learn from are all bought or all not bought.

    Source
    ------
    Ke et al. (2017), LightGBM: a highly efficient gradient boosting decision tree, NIPS 30.
    """

    kind: ClassVar[str] = "ranker"
    objective: ClassVar[dict[str, Any]] = {"objective": "binary", "metric": "binary_logloss"}
    watched: ClassVar[str] = "binary_logloss"
    """What stops the growth early, as LightGBM names it."""

    def __init__(self, params: RankerParams | None = None) -> None:
        self.params = params or RankerParams()
        self.rounds = 0
        self.calibration = Calibration()
        self.curve: list[tuple[float, float]] = []
        self.constant: tuple[str, ...] = ()
        self.scores: tuple[str, ...] = ()
        self.reactions: pl.DataFrame | None = None
        self._booster: lightgbm.Booster | None = None
        self._trees: TreeScorer | None = None

    def fit(self, baskets: pl.DataFrame, products: pl.DataFrame, examples: pl.DataFrame) -> Self:
        """Learn from examples; see :class:`ml.preference.contract.PreferenceModel`.

        Columns of ``ml.preference.features.OPTIONAL_SCORES`` that the examples hold become features, which candidates
        must bring from then on; so do reactions to bundles, where it has been told any, which it looks up itself.
        """
        is_told = self.reactions is not None and not self.reactions.is_empty()
        known = (*examples.columns, *(REACTION_FEATURES if is_told else ()))
        self.scores = tuple(name for name in OPTIONAL_SCORES if name in known)
        features = self._features(baskets, products, examples)
        bought = examples["is_bought"].to_numpy().astype(np.float64)
        held_out = examples["is_validation"].to_numpy()
        if not _has_both(bought[~held_out]):
            rows = int((~held_out).sum())
            raise DataError(f"degenerate_target: {self.kind}: the {rows} training examples do not hold both answers")
        self.constant = constant_columns(self._seen(features[~held_out]), self.names)
        if _has_both(bought[held_out]):
            booster = self._grow(features, examples, self.params.trees, held_out)
            self.rounds = booster.best_iteration
            self._keep(booster.model_to_string(num_iteration=self.rounds))
            customers = examples["customer_id"].filter(pl.Series(held_out))
            group = positions(customers, customers.unique().sort())
            self.calibration = calibrate_where_needed(self._raw(features[held_out]), bought[held_out], group)
        else:
            self.rounds, self.calibration = self.params.trees, Calibration()
            self._keep(self._grow(features, examples, self.rounds).model_to_string())
        return self

    def refit(self, baskets: pl.DataFrame, products: pl.DataFrame, examples: pl.DataFrame) -> Self:
        """Grow as many trees as ``fit`` found best on all examples, validation included."""
        check_fitted(self._booster is not None, self.kind)
        features = self._features(baskets, products, examples)
        self._keep(self._grow(features, examples, self.rounds).model_to_string())
        return self

    def score(self, baskets: pl.DataFrame, products: pl.DataFrame, candidates: pl.DataFrame) -> Probabilities:
        """Return P of each candidate; see :class:`ml.preference.contract.PreferenceModel`."""
        check_fitted(self._booster is not None, self.kind)
        features = self._features(baskets, products, candidates)
        if not len(features):
            return np.empty(0)
        return self.calibration(self._raw(features))

    def importance(self) -> dict[str, float]:
        """Return each feature's share of the total gain, largest first."""
        check_fitted(self._booster is not None, self.kind)
        assert self._booster is not None  # noqa: S101 - for the type checker; checked above
        gains = self._booster.feature_importance("gain")
        shares = gains / max(gains.sum(), 1e-12)
        return dict(sorted(zip(self.names, shares.tolist(), strict=True), key=lambda item: -item[1]))

    def contributions(
        self, baskets: pl.DataFrame, products: pl.DataFrame, candidates: pl.DataFrame
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the features of each candidate and what each adds to the log odds, both (rows, features).

        Source
        ------
        Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees, Nature
        Machine Intelligence 2 (exact TreeSHAP).
        """
        check_fitted(self._booster is not None, self.kind)
        assert self._booster is not None  # noqa: S101 - for the type checker; checked above
        features = self._features(baskets, products, candidates)
        given = self._booster.predict(self._seen(features), pred_contrib=True, num_threads=self.params.threads)
        return features, np.asarray(given)[:, :-1]  # the last column is what no feature explains

    def save(self, folder: Path) -> None:
        """Write the trees as LightGBM text, all else as JSON."""
        check_fitted(self._booster is not None, self.kind)
        assert self._booster is not None  # noqa: S101 - for the type checker; checked above
        facts = {"params": asdict(self.params), "rounds": self.rounds, "features": list(self.names),
                 "calibration": asdict(self.calibration)}  # fmt: skip
        write_facts(folder, self.kind, facts)
        (folder / TREES).write_text(self._booster.model_to_string(), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.

        Raises
        ------
        DataError
            When it was trained on other features than this code computes.
        """
        facts = read_facts(folder)
        scores = tuple(name for name in OPTIONAL_SCORES if name in facts["features"])
        if facts["features"] != [*FEATURES, *scores]:
            raise DataError(f"{folder}: trained on other features than this code computes; retrain")
        model = cls(RankerParams(**facts["params"] | {"left_out": tuple(facts["params"]["left_out"])}))
        model.scores = scores
        model.rounds = facts["rounds"]
        model.calibration = Calibration(*(tuple(facts["calibration"][name]) for name in ("raw", "calibrated")))
        model._keep((folder / TREES).read_text("utf-8"))
        return model

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the features that it reads, in their order."""
        return (*FEATURES, *self.scores)

    def _features(self, baskets: pl.DataFrame, products: pl.DataFrame, rows: pl.DataFrame) -> NDArray[np.float32]:
        if self.reactions is not None and set(REACTION_FEATURES) <= set(self.scores):
            rows = with_reactions(rows, self.reactions)
        return features_of(History.of(baskets, products), rows, self.scores)

    def _seen(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the features without the groups left out."""
        hidden = [self.names.index(name) for group in self.params.left_out for name in GROUPS[group]]
        if not hidden:
            return features
        seen = features.copy()
        seen[:, hidden] = np.nan
        return seen

    def _keep(self, text: str) -> None:
        self._booster = lightgbm.Booster(model_str=text)
        self._trees = TreeScorer.of(self._booster)

    def _raw(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return P before calibration."""
        assert self._booster is not None  # noqa: S101 - for the type checker; the callers check
        seen = self._seen(features)
        if self._trees is not None:
            correction = self._trees(seen)
        else:
            correction = np.asarray(self._booster.predict(seen, raw_score=True, num_threads=self.params.threads))
        return 1 / (1 + np.exp(-(starting_log_odds(features) + correction)))

    def _grow(
        self,
        features: NDArray[np.float32],
        examples: pl.DataFrame,
        trees: int,
        held_out: NDArray[np.bool_] | None = None,
    ) -> lightgbm.Booster:
        """Grow trees on the rows that are not held out; those that are stop the growth."""
        asked = self.params
        options = self.objective | {
            "learning_rate": asked.learning_rate,
            "num_leaves": asked.leaves,
            # a tiny shop has fewer rows than a leaf of a large one
            "min_data_in_leaf": min(asked.min_leaf_rows, max(1, examples.height // 100)),
            "lambda_l2": asked.l2,
            "bagging_fraction": asked.row_share,
            "bagging_freq": int(asked.row_share < 1),
            "feature_fraction": asked.feature_share,
            "num_threads": asked.threads,
            "seed": asked.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        if held_out is None:
            return lightgbm.train(options, self._rows(features, examples), trees)
        rows = self._rows(features[~held_out], examples.filter(~pl.Series(held_out)))
        held = self._rows(features[held_out], examples.filter(pl.Series(held_out)), rows)
        found: dict[str, dict[str, list[float]]] = {}
        watch = [lightgbm.early_stopping(asked.patience, verbose=False), lightgbm.record_evaluation(found)]
        # Early stopping looks past what is learnt from: that is what the name "training" means to it.
        sets = {"training": rows, "held out": held}
        booster = lightgbm.train(options, rows, trees, [*sets.values()], [*sets], callbacks=watch)
        self.curve = list(zip(*(found[name][self.watched] for name in sets), strict=True))
        return booster

    def _rows(
        self, features: NDArray[np.float32], examples: pl.DataFrame, like: lightgbm.Dataset | None = None
    ) -> lightgbm.Dataset:
        return lightgbm.Dataset(
            self._seen(features),
            examples["is_bought"].to_numpy().astype(np.float64),
            reference=like,
            group=self._groups(examples),
            init_score=starting_log_odds(features),
            feature_name=list(self.names),
        )

    def _groups(self, examples: pl.DataFrame) -> list[int] | None:
        """Return how many rows in a row are ranked against each other; None: each stands for itself."""
        return None


def _has_both(outcome: NDArray[np.float64]) -> bool:
    return bool(outcome.size) and 0 < outcome.mean() < 1
