"""How much the units of a product follow its price: elasticities with intervals, from the shop's own price changes."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.panel import weekly_panel
from ml.demand.shrinkage import below_zero, shrink

Reals = NDArray[np.float64]
Codes = NDArray[np.int64]

LARGEST_MOVE = 1.0
"""Log price away from the product's usual one, either way: beyond it the price of a week is a slip, not an offer."""
MOST_UNITS_RATIO = 4.0
"""No price is believed to multiply or divide the usual units by more: shops' prices hardly ever move that far, so what
lies beyond is a guess of the formula."""
CLUSTER_WEEKS = 4
"""Weeks whose errors may hang together, such as a campaign."""
ROUNDS = 40
PRICE_PENALTY, SHOWN_PENALTY = 1 / 5.0**2, 1 / 0.5**2
"""Weak pulls, as variances of normal priors: own price response to 0, own response to displays to that of the shop."""
LEAST_OWN_WEIGHT = 0.5
"""A level names the estimate where at least this share of it is the level's own."""
SCHEMA = {
    "product_id": pl.String,
    "elasticity": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "level": pl.String,
    "weeks": pl.Int32,
    "own_estimate": pl.Float64,
}


@dataclass(frozen=True)
class ElasticityParams:
    """What an estimate of a product's own needs.

    Parameters
    ----------
    least_weeks
        Weeks between its first and last sale.
    least_spread
        Standard deviation of its log price over those weeks: rounding moves prices too.
    """

    least_weeks: int = 12
    least_spread: float = 0.02


def units_ratio(elasticity: Reals | float, price_ratio: Reals | float) -> Reals:
    """Return the units at a price over the units at the usual one, ``price_ratio ** elasticity``.

    Kept within 1 / ``MOST_UNITS_RATIO`` and ``MOST_UNITS_RATIO``.

    Parameters
    ----------
    elasticity
        <= 0.
    price_ratio
        Price over usual price, > 0.
    """
    return np.clip(np.power(price_ratio, elasticity), 1 / MOST_UNITS_RATIO, MOST_UNITS_RATIO)


def elasticities(
    product_days: pl.DataFrame, products: pl.DataFrame, through: date, params: ElasticityParams | None = None
) -> pl.DataFrame:
    """Return the price elasticity of demand of each product given, with a 95 % interval.

    Weekly units by Poisson quasi-likelihood, which keeps the weeks without a sale and needs no more than the mean to be
    right: log mean = product + week of the shop + elasticity x log price + response to being shown (display, mailer),
    so that the lift of a display is not read as one of the price. The variance of a product's elasticity is robust to
    errors that hang together over four weeks. Products are then drawn towards their category and the shop by empirical
    Bayes, the more the thinner they are, and values above 0 are ruled out (a truncated normal).

    Parameters
    ----------
    product_days
        Rows of ``features.ftr_product_days``.
    products
        ``product_id``, ``category`` and, where there are, the lists of promotions of ``features.ftr_products``.
    through
        Last day that may be used.

    Returns
    -------
    pl.DataFrame
        ``product_id``, ``elasticity`` (<= 0), ``low``, ``high``, ``level`` (product, category or shop: whose prices
        the estimate rests on for the most part), ``weeks`` (in the product's own estimate, 0: none), ``own_estimate``
        (before it was drawn, null: none), by product. Empty where no price of the shop really moved.

    Notes
    -----
    What this cannot see. The price of a week without sales is the last known list price with announced discounts, not
    what a shopper saw; a shop that lowers prices when it expects demand (holidays of one category) lets the elasticity
    look larger; where many units are cheaper by the piece, the price follows the units and not the other way round.

    Source
    ------
    Santos Silva and Tenreyro (2006), The log of gravity, Review of Economics and Statistics 88 (4): Poisson
    quasi-likelihood with zeros. Cameron and Miller (2015), A practitioner's guide to cluster-robust inference, Journal
    of Human Resources 50 (2).
    """
    params = params or ElasticityParams()
    panel = _with_variation(weekly_panel(product_days, products, through), params)
    if panel.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    names = panel["product_id"].unique(maintain_order=True)
    code = panel["product_id"].rle_id().cast(pl.Int64).to_numpy()
    week = panel["week_on"].rank("dense").cast(pl.Int64).to_numpy() - 1
    estimate, variance = _poisson(
        panel["units"].to_numpy().astype(float),
        panel["log_price"].to_numpy(),
        panel["shown_share"].to_numpy(),
        code,
        week,
    )
    own = pl.DataFrame(
        {"product_id": names, "own_estimate": estimate, "variance": variance, "weeks": np.bincount(code)}
    )
    every = products.select("product_id", category=pl.col("category").fill_null("")).unique("product_id")
    every = every.join(own, on="product_id", how="left").sort("product_id")
    group = every["category"].rank("dense").cast(pl.Int64).to_numpy() - 1
    found = shrink(
        every["own_estimate"].fill_null(0.0).to_numpy(), every["variance"].fill_null(np.inf).to_numpy(), group
    )
    middle, low, high = below_zero(found.mean, found.spread)
    level = np.where(
        found.own_weight >= LEAST_OWN_WEIGHT,
        "product",
        np.where(found.group_weight >= LEAST_OWN_WEIGHT, "category", "shop"),
    )
    return every.select(
        "product_id",
        elasticity=pl.Series(middle),
        low=pl.Series(low),
        high=pl.Series(high),
        level=pl.Series(level),
        weeks=pl.col("weeks").fill_null(0).cast(pl.Int32),
        own_estimate="own_estimate",
    )


def _with_variation(panel: pl.DataFrame, params: ElasticityParams) -> pl.DataFrame:
    """Return the weeks of the products whose price really moved, with ``log_price`` around the product's usual one."""
    log_price = pl.col("price_cents").clip(lower_bound=0.01).log()
    moved = panel.with_columns(
        log_price=(log_price - log_price.median().over("product_id")).clip(-LARGEST_MOVE, LARGEST_MOVE)
    )
    return moved.filter(
        (pl.len() >= params.least_weeks).over("product_id"),
        (pl.col("log_price").std() >= params.least_spread).over("product_id"),
    )


def _poisson(units: Reals, price: Reals, shown: Reals, product: Codes, week: Codes) -> tuple[Reals, Reals]:
    """Return each product's price coefficient and its cluster-robust variance, (products,) each."""
    products, weeks = int(product.max()) + 1, int(week.max()) + 1
    columns = np.stack([np.ones_like(units), price, shown])
    mean = np.bincount(product, units, products) / np.bincount(product, minlength=products)
    beta = np.stack([np.log(np.maximum(mean, 1e-3)), np.zeros(products), np.zeros(products)])
    of_week, of_shown = np.zeros(weeks), 0.0
    penalty = np.array([1e-6, PRICE_PENALTY, SHOWN_PENALTY])
    for _ in range(ROUNDS):
        expected = _expected(beta, columns, product, of_week[week])
        centre = np.array([0.0, 0.0, of_shown])
        # The first penalty only keeps the matrix regular, so it pulls the constant to where it is.
        pull = penalty[:, None] * (beta - centre[:, None]) * np.array([[0.0], [1.0], [1.0]])
        score = _by_product(columns * (units - expected), product, products) - pull
        step = np.linalg.solve(_information(columns, expected, product, products, penalty), score.T[:, :, None])
        beta = beta + step[:, :, 0].T.clip(-1.0, 1.0)
        expected = _expected(beta, columns, product, of_week[week])
        now = np.log(np.bincount(week, units, weeks) + 0.5) - np.log(np.bincount(week, expected, weeks) + 0.5)
        of_week = of_week + now - now.mean()
        of_shown = float(np.average(beta[2], weights=np.bincount(product, expected * shown, products) + 1e-9))
    expected = _expected(beta, columns, product, of_week[week])
    bread = np.linalg.inv(_information(columns, expected, product, products, penalty))
    residual = columns * (units - expected)
    cluster = product * (weeks // CLUSTER_WEEKS + 1) + week // CLUSTER_WEEKS
    names, cluster = np.unique(cluster, return_inverse=True)
    sums = np.stack([np.bincount(cluster, row, len(names)) for row in residual])
    owner = names // (weeks // CLUSTER_WEEKS + 1)
    meat = np.zeros((products, 3, 3))
    np.add.at(meat, owner, np.einsum("ic,jc->cij", sums, sums))
    clusters = np.bincount(owner, minlength=products)
    robust = (bread @ meat @ bread)[:, 1, 1] * clusters / np.maximum(clusters - 1, 1)
    # Few clusters understate what they vary by; counts vary at least as Poisson's do.
    return beta[1], np.maximum(robust, bread[:, 1, 1])


def _expected(beta: Reals, columns: Reals, product: Codes, offset: Reals) -> Reals:
    return np.exp(np.clip((beta[:, product] * columns).sum(axis=0) + offset, -20.0, 20.0))


def _by_product(rows: Reals, product: Codes, products: int) -> Reals:
    return np.stack([np.bincount(product, row, products) for row in rows])


def _information(columns: Reals, expected: Reals, product: Codes, products: int, penalty: Reals) -> Reals:
    """Return the (products, 3, 3) information of each product's coefficients."""
    size = len(columns)
    found = np.empty((products, size, size))
    for i in range(size):
        for j in range(i, size):
            found[:, i, j] = found[:, j, i] = np.bincount(product, columns[i] * columns[j] * expected, products)
    return found + np.diag(penalty)
