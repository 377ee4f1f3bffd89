"""Expected units of a product and day, as a function of price."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.signals import SIGNAL_FEATURES
from ml.errors import ColumnError, ConfigError, DataError, NotFittedError

Reals = NDArray[np.float64]

PRICE = "price_ratio"
FEATURES = (
    PRICE,
    "shown_share",
    "weekday",
    "week_of_year",
    "recent_units",
    "earlier_units",
    "category_trend_ratio",
    "launch_days",
)
SIGNALS = SIGNAL_FEATURES
"""What the market said by the origin, where the shop has it."""
DIRECTION = {PRICE: -1, "competitor_price_ratio": 1, "category_demand_index": 1}
"""Which way demand may follow a feature."""
LEAST_UNITS = 1e-3
"""Units a day from which the logarithm is taken."""
RECENT_WEIGHT = 0.5


@dataclass(frozen=True)
class DemandParams:
    """How the trees grow.

    Parameters
    ----------
    tweedie_power
        Between 1 (Poisson) and 2 (gamma).
    features
        What the trees may see; without ``price_ratio`` it is the model that knows no price.

    Raises
    ------
    ConfigError
        When a number is out of range.
    """

    trees: int = 80
    learning_rate: float = 0.05
    leaves: int = 15
    min_leaf_rows: int = 200
    tweedie_power: float = 1.2
    features: tuple[str, ...] = FEATURES
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if min(self.trees, self.leaves - 1, self.min_leaf_rows, self.threads) < 1 or self.learning_rate <= 0:
            raise ConfigError(f"demand: trees, leaves, rows, threads and learning rate must be positive, got {self}")
        if not 1 < self.tweedie_power < 2:
            raise ConfigError(f"demand.tweedie_power: got {self.tweedie_power}, needs to lie between 1 and 2")


class DemandModel:
    """Expected units sold per product and day, as a function of price.

    Boosted trees with a Tweedie loss, because daily sales are counts with many zeros. They start from the product's
    recent mean and learn its correction. A higher price never raises the forecast: pricing relies on it.

    Shapes and units
    ----------------
    X: frame of n rows with the columns of ``params.features`` and, where given, ``SIGNALS``; y (n,) units per day,
    >= 0; predict returns (n,) units per day, > 0.

    Raises
    ------
    NotFittedError
        When ``predict`` is called before ``fit``.
    ColumnError
        When a fitted column is missing.
    DataError
        When no unit was sold in the rows to learn from: there is nothing to explain.

    Source
    ------
    Jorgensen (1987), Exponential dispersion models, J. R. Stat. Soc. B 49(2).
    """

    def __init__(self, params: DemandParams | None = None) -> None:
        self.params = params or DemandParams()
        self.columns: tuple[str, ...] = ()
        self._trees: lightgbm.Booster | None = None

    def fit(self, rows: pl.DataFrame, units: Reals) -> Self:
        """Grow the trees on ``rows``; signals of the market are used where the frame has them."""
        if not units.any():
            raise DataError(f"degenerate_target: demand: no unit was sold in the {units.size} rows to learn from")
        self.columns = (*self.params.features, *(name for name in SIGNALS if name in rows.columns))
        params = self.params
        data = lightgbm.Dataset(
            _matrix(rows, self.columns), units, init_score=np.log(recent_mean(rows)), feature_name=list(self.columns)
        )
        settings = {
            "objective": "tweedie",
            "tweedie_variance_power": params.tweedie_power,
            "learning_rate": params.learning_rate,
            "num_leaves": params.leaves,
            "min_data_in_leaf": min(params.min_leaf_rows, max(rows.height // 20, 1)),
            "monotone_constraints": [DIRECTION.get(name, 0) for name in self.columns],
            "lambda_l2": 5.0,
            "seed": params.seed,
            "num_threads": params.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
        self._trees = lightgbm.train(settings, data, params.trees)
        return self

    def predict(self, rows: pl.DataFrame) -> Reals:
        """Return (n,) units per day."""
        if self._trees is None:
            raise NotFittedError("DemandModel: fit it first")
        raw = self._trees.predict(_matrix(rows, self.columns), raw_score=True, num_threads=self.params.threads)
        return np.exp(np.log(recent_mean(rows)) + np.asarray(raw))


def recent_mean(rows: pl.DataFrame) -> Reals:
    """Return (n,) the units a day that the product's last weeks make one expect: the rule that a model must beat."""
    mean = RECENT_WEIGHT * rows["recent_units"] + (1 - RECENT_WEIGHT) * rows["earlier_units"]
    return np.maximum(mean.to_numpy().astype(np.float64), LEAST_UNITS)


def poisson_deviance(units: Reals, expected: Reals) -> Reals:
    """Return (n,) the deviance of each row: 0 where what came is what was expected, and the more the worse."""
    part = np.where(units > 0, units * np.log(np.maximum(units, 1e-300) / expected), 0.0)
    return 2.0 * (part - units + expected)


def _matrix(rows: pl.DataFrame, columns: Sequence[str]) -> Reals:
    missing = [name for name in (*columns, "recent_units", "earlier_units") if name not in rows.columns]
    if missing:
        raise ColumnError(f"DemandModel: columns are missing: {', '.join(missing)}")
    return rows.select(pl.col(name).cast(pl.Float64) for name in columns).to_numpy()
