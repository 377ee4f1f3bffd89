"""Where the extra units of a lower price come from: rivals of the same category, and the weeks that follow."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.panel import weekly_panel
from ml.demand.price_response import LARGEST_MOVE, units_ratio
from ml.demand.quasi_poisson import CLUSTER_WEEKS
from ml.demand.shrinkage import shrink

Reals = NDArray[np.float64]
Codes = NDArray[np.int64]

LATER_WEEKS = 4
"""Weeks after an offer in which its units may be missing."""
ROUNDS = 20
RIDGE = 1e-3
"""Share of the total information, so that a category whose prices never moved has an estimate of no weight."""


@dataclass(frozen=True)
class Displacement:
    """Shares of the extra units that are no gain, by category.

    Attributes
    ----------
    categories
        ``category``, ``diverted_share`` (taken from other products of the category), ``diverted_error``,
        ``pulled_share`` (bought earlier than otherwise), ``pulled_error``: means and standard deviations.
    diverted_share, diverted_error, pulled_share, pulled_error
        Of the shop, for categories that are not listed.
    """

    categories: pl.DataFrame
    diverted_share: float
    diverted_error: float
    pulled_share: float
    pulled_error: float

    def of(self, products: pl.DataFrame) -> pl.DataFrame:
        """Return the four numbers for each row of ``products`` (``product_id``, ``category``), in its order."""
        usual = {name: getattr(self, name) for name in self.categories.columns if name != "category"}
        joined = products.select("product_id", "category").join(
            self.categories, on="category", how="left", maintain_order="left"
        )
        return joined.with_columns(pl.col(name).fill_null(value) for name, value in usual.items()).drop("category")


def displacement(
    product_days: pl.DataFrame, products: pl.DataFrame, elasticity: pl.DataFrame, through: date
) -> Displacement:
    """Return how many of the extra units of a lower price rivals and later weeks lose.

    Given the elasticities, each product-week has the units expected at the usual price and the extra units of its
    price. What a category sells beyond both is then regressed on the extra units of the same week (the share that
    rivals lose) and on their mean over the four weeks before (the share that was pulled forward), category by category
    with errors robust within four weeks, and drawn to the shop by empirical Bayes. Shares lie within 0 and 1.

    Parameters
    ----------
    product_days, products, through
        As for :func:`ml.demand.price_response.elasticities`.
    elasticity
        Its answer.

    Source
    ------
    Van Heerde, Gupta and Wittink (2003), Is 75% of the sales promotion bump due to brand switching?, Journal of
    Marketing Research 40 (4): the bump in units is split into what rivals lose, what later weeks lose, and the rest.
    """
    panel = _by_category(product_days, products, elasticity, through)
    if panel.is_empty():
        return Displacement(_named([], np.zeros((4, 0))), 0.0, 1.0, 0.0, 1.0)
    names = panel["category"].unique(maintain_order=True).to_list()
    estimate, variance = _shares(panel, len(names))
    whole = np.zeros(len(names), np.int64)
    columns = []
    usual = []
    for share, error in zip(estimate, variance, strict=True):
        # One more unit, of no data, is the category that is not listed.
        found = shrink(np.append(share, 0.0), np.append(error, np.inf), np.append(whole, 0))
        columns += [found.mean[:-1].clip(0.0, 1.0), found.spread[:-1]]
        usual += [float(found.mean[-1].clip(0.0, 1.0)), float(found.spread[-1])]
    return Displacement(_named(names, np.array(columns)), *usual)


def _by_category(
    product_days: pl.DataFrame, products: pl.DataFrame, elasticity: pl.DataFrame, through: date
) -> pl.DataFrame:
    """Return by category and week ``usual``, ``extra``, its ``later`` mean, and ``rest``: units beyond both."""
    facts = products.select("product_id", "category").join(
        elasticity.select("product_id", "elasticity"), on="product_id"
    )
    log_price = pl.col("price_cents").clip(lower_bound=0.01).log()
    panel = weekly_panel(product_days, products, through).join(facts.drop_nulls("category"), on="product_id")
    if panel.is_empty():
        return pl.DataFrame()
    panel = panel.sort("product_id", "week_on").with_columns(
        log_price=(log_price - log_price.median().over("product_id")).clip(-LARGEST_MOVE, LARGEST_MOVE),
        week=pl.col("week_on").rank("dense").cast(pl.Int64) - 1,
    )
    ratio = units_ratio(panel["elasticity"].to_numpy(), np.exp(panel["log_price"].to_numpy()))
    usual = _usual_units(panel, ratio)
    by_week = (
        panel.with_columns(usual=pl.Series(usual), extra=pl.Series(usual * (ratio - 1.0)))
        .group_by("category", "week")
        .agg(pl.col("units", "usual", "extra").sum())
        .sort("category", "week")
    )
    lags = [pl.col("extra").shift(k).over("category").fill_null(0.0) for k in range(1, LATER_WEEKS + 1)]
    return by_week.with_columns(
        rest=pl.col("units") - pl.col("usual") - pl.col("extra"), later=pl.sum_horizontal(lags) / LATER_WEEKS
    ).filter((pl.len() > 2 * CLUSTER_WEEKS).over("category"))


def _usual_units(panel: pl.DataFrame, ratio: Reals) -> Reals:
    """Return (rows,) the units expected at the usual price: product times week of the shop times display."""
    units, week = panel["units"].to_numpy().astype(float), panel["week"].to_numpy()
    product = panel["product_id"].rle_id().cast(pl.Int64).to_numpy()
    is_shown = (panel["shown_share"].to_numpy() > 0).astype(np.int64)
    level, of_week, lift = np.ones(product.max() + 1), np.ones(week.max() + 1), np.ones(2)
    for _ in range(ROUNDS):
        for factor, key in ((level, product), (of_week, week), (lift, is_shown)):
            expected = np.bincount(key, level[product] * of_week[week] * lift[is_shown] * ratio, len(factor))
            factor *= np.divide(
                np.bincount(key, units, len(factor)), expected, out=np.ones(len(factor)), where=expected > 0
            )
    return level[product] * of_week[week] * lift[is_shown]


def _shares(panel: pl.DataFrame, categories: int) -> tuple[Reals, Reals]:
    """Return (2, categories) shares diverted and pulled forward, and their variances."""
    code = panel["category"].rle_id().cast(pl.Int64).to_numpy()
    weight = 1.0 / np.maximum(panel["usual"].to_numpy(), 1.0)

    def centred(name: str) -> Reals:
        values = panel[name].to_numpy()
        mean = np.bincount(code, weight * values, categories) / np.bincount(code, weight, categories)
        return np.asarray(values - mean[code])

    columns, rest = np.stack([-centred("extra"), -centred("later")]), centred("rest")
    gram = np.empty((categories, 2, 2))
    for i in range(2):
        for j in range(2):
            gram[:, i, j] = np.bincount(code, weight * columns[i] * columns[j], categories)
    # A hair more, as nothing at all may have moved.
    gram += np.eye(2) * (RIDGE * gram.trace(axis1=1, axis2=2).mean() + 1e-9)
    bread = np.linalg.inv(gram)
    moment = np.stack([np.bincount(code, weight * column * rest, categories) for column in columns], axis=1)
    beta = np.einsum("cij,cj->ci", bread, moment)
    residual = rest - (beta[code].T * columns).sum(axis=0)
    block = code * 1000 + panel["week"].to_numpy() // CLUSTER_WEEKS
    names, cluster = np.unique(block, return_inverse=True)
    sums = np.stack([np.bincount(cluster, weight * column * residual, len(names)) for column in columns])
    meat = np.zeros((categories, 2, 2))
    owner = names // 1000
    np.add.at(meat, owner, np.einsum("ic,jc->cij", sums, sums))
    clusters = np.bincount(owner, minlength=categories)
    robust = bread @ meat @ bread * (clusters / np.maximum(clusters - 1, 1))[:, None, None]
    # Sums of counts vary at least as Poisson's do.
    variance = np.maximum(np.diagonal(robust, axis1=1, axis2=2), np.diagonal(bread, axis1=1, axis2=2))
    return beta.T, variance.T


def _named(names: list[str], columns: Reals) -> pl.DataFrame:
    keys = ("diverted_share", "diverted_error", "pulled_share", "pulled_error")
    return pl.DataFrame(
        {
            "category": pl.Series(names, dtype=pl.String),
            **{key: column for key, column in zip(keys, columns, strict=True)},
        }
    )
