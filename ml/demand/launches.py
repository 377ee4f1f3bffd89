"""What launches of the past say of the next one: the share of customers who bought a new product in its first weeks.

How often a new product was *shown* is not known of the past, so being in the shop while it was new counts as one
trial, and buying it as the success. Launches differ; what is learned is how much: a beta distribution of their
shares, by category as far as it had launches. A product that is on sale already adds its own first days.

Source
------
Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., chapter 5 (beta distribution of groups by moments).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.stats import beta

PRIOR_LAUNCHES = 5.0
"""Launches of the whole shop that a category's own are added to: with as many of its own it counts half."""
SETTLED_DAYS = 56
"""What is first sold within so many days of the first basket may have been there before."""
LARGEST_PRECISION, LARGEST_MEAN = 1e5, 0.999


@dataclass(frozen=True)
class Conversion:
    """Share of customers who buy a new product within a window, as a beta distribution.

    Attributes
    ----------
    successes, failures
        Its two parameters, > 0.
    launches
        Past launches of the category that it rests on, beside those of the whole shop.
    """

    successes: float
    failures: float
    launches: int

    @property
    def mean(self) -> float:
        """Return the expected share."""
        return self.successes / (self.successes + self.failures)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval."""
        low, high = beta.ppf([0.025, 0.975], self.successes, self.failures)
        return float(low), float(high)

    def seen(self, buyers: int, trials: float) -> "Conversion":
        """Return the distribution after so many trials more, of which some were successes."""
        return Conversion(self.successes + buyers, self.failures + max(trials - buyers, 0.0), self.launches)

    def drawn(self, rng: np.random.Generator) -> float:
        """Return a share drawn from the distribution."""
        return float(rng.beta(self.successes, self.failures))


@dataclass(frozen=True)
class PastLaunches:
    """Conversion of products by category, learned from launches whose first weeks are over.

    Attributes
    ----------
    mean, precision
        Of the beta distribution over all launches: successes = mean x precision.
    of_category
        (mean, launches) by category.
    """

    mean: float
    precision: float
    of_category: dict[str, tuple[float, int]]

    def conversion(self, category: str | None, demand_ratio: float = 1.0) -> Conversion:
        """Return what is expected of a launch in a category, at some demand for it over the usual."""
        mean, launches = self.of_category.get(category or "", (self.mean, 0))
        mean = min(mean * demand_ratio, LARGEST_MEAN)
        return Conversion(mean * self.precision, (1 - mean) * self.precision, launches)


def first_sales(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return ``product_id`` and ``sold_on``, the first day of each product in some baskets."""
    lines = baskets.select("basket_on", product_id="product_ids").explode("product_id").drop_nulls("product_id")
    return lines.group_by("product_id").agg(sold_on=pl.col("basket_on").min()).sort("product_id")


def past_launches(baskets: pl.DataFrame, products: pl.DataFrame, through: date, window_days: int) -> pl.DataFrame:
    """Return the launches whose first ``window_days`` days are over on the evening of ``through``.

    Parameters
    ----------
    baskets
        Rows of ``features.ftr_baskets``; those without a customer and giant ones say nothing.
    products
        ``product_id``, ``category``, ``launched_on`` (null where unknown: then the first sale counts, unless it lies so
        near the first basket that the product may be older).

    Returns
    -------
    ``product_id``, ``category``, ``launched_on``, ``buyers`` and ``trials`` (customers with a basket in the window), by
    product; no row where nobody came.
    """
    known = baskets.filter(pl.col("basket_on") <= through, ~pl.col("is_giant")).drop_nulls("customer_id")
    if known.is_empty():
        return pl.DataFrame(schema=_LAUNCHES)
    settled = known["basket_on"].min() + timedelta(days=SETTLED_DAYS)  # type: ignore[operator]
    is_launch = pl.col("launched_on").is_not_null() | (pl.col("sold_on") >= settled)
    found = products.select("product_id", "category", "launched_on").join(first_sales(known), on="product_id")
    found = found.filter(is_launch).with_columns(pl.coalesce("launched_on", "sold_on"))
    last = pl.lit(through) - pl.duration(days=window_days - 1)
    found = found.filter(pl.col("launched_on").is_between(known["basket_on"].min(), last))
    until = pl.col("launched_on") + pl.duration(days=window_days)
    lines = known.select("customer_id", "basket_on", product_id="product_ids").explode("product_id")
    bought = (
        found.join(lines, on="product_id")
        .filter(pl.col("basket_on") >= pl.col("launched_on"), pl.col("basket_on") < until)
        .group_by("product_id")
        .agg(buyers=pl.col("customer_id").n_unique().cast(pl.Int64))
    )
    days = found.select("launched_on").unique().sort("launched_on")["launched_on"].to_list()
    came = [
        known.filter(pl.col("basket_on").is_between(day, day + timedelta(days=window_days - 1)))[
            "customer_id"
        ].n_unique()
        for day in days
    ]
    trials = pl.DataFrame({"launched_on": days, "trials": came}, schema={"launched_on": pl.Date, "trials": pl.Int64})
    return (
        found.join(bought, on="product_id", how="left")
        .join(trials, on="launched_on")
        .with_columns(pl.col("buyers").fill_null(0))
        .filter(pl.col("trials") > 0)
        .select(list(_LAUNCHES))
        .sort("product_id")
    )


_LAUNCHES: dict[str, pl.DataType | type[pl.DataType]] = {
    "product_id": pl.String,
    "category": pl.String,
    "launched_on": pl.Date,
    "buyers": pl.Int64,
    "trials": pl.Int64,
}


def learn_launches(launches: pl.DataFrame) -> PastLaunches | None:
    """Return what :func:`past_launches` says of the next one; None where there was none that anybody bought."""
    if launches.is_empty() or not launches["buyers"].sum():
        return None
    rate = (launches["buyers"] / launches["trials"]).to_numpy()
    mean = float(rate.mean())
    # What the shares differ by beyond the chance of so many trials; one launch tells nothing of it.
    chance = float((mean * (1 - mean) / launches["trials"].to_numpy()).mean())
    between = max(float(rate.var()) - chance, 0.0)
    precision = mean * (1 - mean) / between - 1 if between > 0 else 1 / mean
    rows = launches.with_columns(rate=pl.Series(rate)).drop_nulls("category").group_by("category")
    own = rows.agg(total=pl.col("rate").sum(), launches=pl.len()).sort("category")
    of_category = {
        category: ((total + PRIOR_LAUNCHES * mean) / (number + PRIOR_LAUNCHES), number)
        for category, total, number in own.iter_rows()
    }
    return PastLaunches(mean, float(np.clip(precision, 1.0, LARGEST_PRECISION)), of_category)
