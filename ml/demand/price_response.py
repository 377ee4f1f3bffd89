"""How much the units of a product follow its price: elasticities with intervals, from the shop's own price changes."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.panel import weekly_panel
from ml.demand.quasi_poisson import price_coefficients
from ml.demand.shrinkage import below_zero, shrink

Reals = NDArray[np.float64]

LARGEST_MOVE = 1.0
"""Log price away from the product's usual one, either way: beyond it the price of a week is a slip, not an offer."""
MOST_UNITS_RATIO = 4.0
"""No price is believed to multiply or divide the usual units by more: shops' prices hardly ever move that far, so what
lies beyond is a guess of the formula."""
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
    units, log_price, shown = (
        panel[name].to_numpy().astype(np.float64) for name in ("units", "log_price", "shown_share")
    )
    estimate, variance = price_coefficients(units, log_price, shown, code, week)
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
