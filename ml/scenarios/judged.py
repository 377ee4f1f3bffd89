"""A number by which a scenario is judged, beside the rule that a shop uses today."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.tables import SCENARIO_METRICS

ALL = "all"


@dataclass(frozen=True)
class Judged:
    """One number of a scenario.

    Attributes
    ----------
    kpi, variant
        Name of the number, and what it is about where there are several.
    value, low, high, unit
        The number with its 95 % interval, where there is one.
    peer, peer_value, difference, difference_low, difference_high
        The rule it is compared with on the same cases, and the paired difference; None where there is none.
    cases
        How many customers, products or bundles it rests on.
    judged_on
        Days of the data, in words.
    """

    kpi: str
    value: float
    unit: str
    cases: int
    judged_on: str
    variant: str = ALL
    low: float | None = None
    high: float | None = None
    peer: str | None = None
    peer_value: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


def paired(
    kpi: str,
    values: NDArray[np.float64],
    peer: str,
    others: NDArray[np.float64],
    unit: str,
    judged_on: str,
    *,
    draws: int,
    seed: int,
    variant: str = ALL,
) -> Judged:
    """Return the mean of ``values`` beside that of ``others``, case by case, with bootstrap intervals over cases.

    Parameters
    ----------
    values, others
        (cases,) the number of ours and of the peer, of the same cases in the same order.
    """
    own = bootstrap_mean(values, draws=draws, seed=seed)
    gain = paired_bootstrap(values, others, draws=draws, seed=seed)
    return Judged(
        kpi, own.value, unit, len(values), judged_on, variant, own.low, own.high,
        peer, float(others.mean()), *_ends(gain),
    )  # fmt: skip


def metric_rows(judged: Sequence[Judged]) -> pl.DataFrame:
    """Return the rows of ``ml.scenario_metrics``, without the run."""
    return SCENARIO_METRICS.frame([asdict(one) for one in judged])


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high
