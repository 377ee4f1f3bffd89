"""Whether what the models read, and what they say, still looks as it did before."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Verdict = Literal["steady", "drifted", "not_judged"]


@dataclass(frozen=True)
class DriftParams:
    """Limits of a drift check.

    Attributes
    ----------
    bins
        Of the reference, of equal count; missing values are one more.
    psi_limit
        Population stability index above which a column has drifted.
    check_level
        Probability of the Kolmogorov-Smirnov check above which the index is taken for chance.
    least_rows
        Of either side: with fewer nothing is judged.
    max_age_days
        Age of the newest row above which data are not fresh.
    """

    bins: int = 10
    psi_limit: float = 0.25
    check_level: float = 0.001
    least_rows: int = 200
    max_age_days: int = 3


@dataclass(frozen=True)
class DriftCheck:
    """One column compared, or the age of the newest row.

    Attributes
    ----------
    value, limit
        The index and its limit; for freshness days. ``value`` is None where nothing is judged.
    check_p_value
        Of the Kolmogorov-Smirnov check; None for freshness and where nothing is judged.
    reason
        In words, whatever the verdict.
    """

    subject: str
    measure: Literal["psi", "age_days"]
    value: float | None
    limit: float
    check_p_value: float | None
    reference_rows: int
    rows: int
    verdict: Verdict
    reason: str


def drift_of(subject: str, reference: Floats, now: Floats, params: DriftParams) -> DriftCheck:
    """Return whether a column's values have drifted from the reference.

    A large index alone is not enough, since with few rows chance makes one; nor is the check alone, since with many
    rows it finds differences that matter to nobody.

    Parameters
    ----------
    reference, now
        (rows,) each; NaN is a missing value.
    """
    sizes = (reference.size, now.size)
    if min(sizes) < params.least_rows:
        reason = f"not judged: {sizes[0]} rows then and {sizes[1]} now, each side needs {params.least_rows}"
        return DriftCheck(subject, "psi", None, params.psi_limit, None, *sizes, "not_judged", reason)
    index, p_value = stability_index(reference, now, params.bins), same_distribution(reference, now)
    has_drifted = index > params.psi_limit and p_value < params.check_level
    sign = ">" if index > params.psi_limit else "<="
    reason = f"{subject} psi {index:.2f} {sign} {params.psi_limit:.2f}"
    if index > params.psi_limit and not has_drifted:
        reason += f", which chance may make (p = {p_value:.2g})"
    verdict: Verdict = "drifted" if has_drifted else "steady"
    return DriftCheck(subject, "psi", index, params.psi_limit, p_value, *sizes, verdict, reason)


def stability_index(reference: Floats, now: Floats, bins: int = 10) -> float:
    """Return the population stability index: sum of (q - p) ln(q / p) over bins of equal count of the reference.

    Missing values are a bin of their own. Half a row is added to each bin, so that an empty one has a logarithm.

    Source
    ------
    Siddiqi (2006), Credit Risk Scorecards, chapter 8; Yurdakul and Naranjo (2020), Statistical properties of the
    population stability index, J. Risk Model Validation 14(4) (its size under chance).
    """
    known = reference[~np.isnan(reference)]
    # What lies below all of the reference has a bin too; else a fall below a value that all rows shared would not show.
    least = [np.nextafter(known.min(), -np.inf)] if known.size else []
    edges = np.unique([*least, *(np.quantile(known, np.arange(1, bins) / bins) if known.size else [])])
    then, today = (_shares(values, edges) for values in (reference, now))
    return float(((today - then) * np.log(today / then)).sum())


def _shares(values: Floats, edges: Floats) -> Floats:
    """Return the share of each bin, (edges + 2,); the last one is that of missing values."""
    is_missing = np.isnan(values)
    # A value on an edge belongs below it, so that a value which many rows share has a bin to itself.
    place = np.where(is_missing, len(edges) + 1, np.searchsorted(edges, values, side="left"))
    counts = np.bincount(place, minlength=len(edges) + 2) + 0.5
    shares: Floats = counts / counts.sum()
    return shares


def same_distribution(reference: Floats, now: Floats) -> float:
    """Return the probability of so large a difference of two samples of one distribution (Kolmogorov-Smirnov).

    Missing values count as lower than all others, so that more of them is a difference too.
    """
    then, today = (np.where(np.isnan(values), -np.inf, values) for values in (reference, now))
    return float(stats.ks_2samp(then, today, method="asymp").pvalue)


def freshness(subject: str, newest_on: date | None, as_of: date, rows: int, params: DriftParams) -> DriftCheck:
    """Return whether the newest row of a table is young enough on a day; a table without a row is not judged."""
    limit = float(params.max_age_days)
    if newest_on is None:
        reason = f"not judged: {subject} has no row"
        return DriftCheck(subject, "age_days", None, limit, None, 0, 0, "not_judged", reason)
    age = (as_of - newest_on).days
    is_old = age > params.max_age_days
    reason = f"{subject}: newest row {age} days old, allowed are {params.max_age_days}"
    return DriftCheck(subject, "age_days", float(age), limit, None, 0, rows, "drifted" if is_old else "steady", reason)
