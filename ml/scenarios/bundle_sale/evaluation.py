"""What the data can tell of a sale: whether prices pay in prediction, and whether offers sold what was expected.

What a bundle's price earns beyond no sale cannot be read off data without an experiment; the benchmark tells it on a
shop whose truth is known.
"""

from datetime import date, timedelta
from typing import TypedDict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.demand_model import DemandParams
from ml.demand.examples import HORIZON_DAYS
from ml.demand.level import MEAN, PROMOTED_RATIO, HeldOut, held_out
from ml.demand.panel import weekly_panel
from ml.demand.price_response import elasticities, units_ratio
from ml.evaluation.bootstrap import bootstrap_mean
from ml.scenarios.ground import Ground
from ml.scenarios.judged import Judged, paired

Reals = NDArray[np.float64]

WITHOUT_PRICE, WITHOUT_SIGNALS = "demand_model_without_price", "demand_model_without_signals"
PAST_WEEKS = 12
"""Weeks before the offers over which a product's usual units are averaged."""


class Draws(TypedDict):
    """How intervals are drawn."""

    draws: int
    seed: int


def evaluate(ground: Ground) -> list[Judged]:
    """Return how the models behind the prices did on the last four weeks, and what the elasticities look like."""
    context, settings = ground.context, ground.settings
    how = Draws(draws=settings.optimizer.bootstrap_draws, seed=context.params.seed)
    first = context.as_of - timedelta(days=HORIZON_DAYS - 1)
    days = f"{first} to {context.as_of}"
    params = DemandParams(seed=context.params.seed, threads=settings.threads)
    judged = held_out(ground.product_days, ground.products, context.as_of, params, ground.market_signals)
    found = [] if judged is None else _deviances(judged, days, how)
    found += _offers(ground, days, how)
    return found + _elasticities(ground, how)


def _deviances(judged: HeldOut, days: str, how: Draws) -> list[Judged]:
    name, unit = "demand_deviance", "Poisson deviance of a product-day"
    peers = {"price": (WITHOUT_PRICE, judged.without_price), "recent_mean": (MEAN, judged.mean)}
    if judged.has_signals:
        peers["market_signals"] = (WITHOUT_SIGNALS, judged.without_signals)
    return [
        paired(name, judged.with_price, peer, theirs, unit, days, variant=variant, **how)
        for variant, (peer, theirs) in peers.items()
    ]


def _offers(ground: Ground, days: str, how: Draws) -> list[Judged]:
    """Return how far elasticities, and a mean that knows no price, were off in the weeks of an offer."""
    offers = offered_weeks(ground.product_days, ground.products, ground.context.as_of)
    if offers.is_empty():
        return []
    came, expected, usual = (offers[name].to_numpy() for name in ("units", "expected", "usual"))
    name = "offered_units_error"
    units = [np.abs(one - came) for one in (expected, usual)]
    logs = [np.abs(np.log((one + 1) / (came + 1))) for one in (expected, usual)]
    ratio = Judged(
        "offered_units_expected_over_sold", float(expected.sum() / came.sum()), "ratio", offers.height, days,
        peer=MEAN, peer_value=float(usual.sum() / came.sum()),
    )  # fmt: skip
    return [
        paired(name, units[0], MEAN, units[1], "units off, by product", days, variant="units", **how),
        paired(name, logs[0], MEAN, logs[1], "log units off, by product", days, variant="log", **how),
        ratio,
    ]


def offered_weeks(product_days: pl.DataFrame, products: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return by product the units of its weeks of an offer among the last four, what was expected and what is usual.

    Elasticities know only the weeks before; the usual units are the mean of the twelve weeks before.

    Returns
    -------
    pl.DataFrame
        ``product_id``, ``units``, ``expected``, ``usual``; a product without an offer has no row.
    """
    cut = as_of - timedelta(days=HORIZON_DAYS)
    elastic = elasticities(product_days, products, cut).select("product_id", "elasticity")
    panel = weekly_panel(product_days, products, as_of, goes_on=True).filter(pl.col("is_price_known"))
    before = panel.filter(pl.col("week_on") <= cut - timedelta(days=6))
    usual = before.group_by("product_id").agg(usual_cents=pl.col("price_cents").median())
    recent = _times(before.filter(pl.col("week_on") > cut - timedelta(weeks=PAST_WEEKS + 1)), usual, elastic)
    # Units at the usual price: weeks of an offer count for as many weeks as the offer is thought to be worth.
    level = recent.group_by("product_id").agg(
        usual=pl.col("units").mean(), level=pl.col("units").sum() / pl.col("times").sum()
    )
    weeks = _times(panel.filter(pl.col("week_on") > cut), usual, elastic).join(level, on="product_id")
    return (
        weeks.filter(pl.col("ratio") < PROMOTED_RATIO)
        .with_columns(expected=pl.col("level") * pl.col("times"))
        .group_by("product_id")
        .agg(pl.col("units", "expected", "usual").sum().cast(pl.Float64))
        .sort("product_id")
    )


def _times(weeks: pl.DataFrame, usual: pl.DataFrame, elastic: pl.DataFrame) -> pl.DataFrame:
    """Return the weeks with ``ratio`` of the price to the usual one and ``times`` as many units expected at it."""
    joined = weeks.join(usual, on="product_id").join(elastic, on="product_id")
    joined = joined.with_columns(ratio=pl.col("price_cents") / pl.col("usual_cents"))
    times = units_ratio(joined["elasticity"].to_numpy(), joined["ratio"].to_numpy())
    return joined.with_columns(times=pl.Series(times, dtype=pl.Float64))


def _elasticities(ground: Ground, how: Draws) -> list[Judged]:
    as_of = ground.context.as_of
    elastic = elasticities(ground.product_days, ground.products, as_of)
    own = elastic["own_estimate"].drop_nulls().to_numpy()
    if not len(own):
        return []
    until = f"until {as_of}"
    share = bootstrap_mean((own < 0).astype(float), **how)
    found = [
        Judged("own_elasticity_negative", share.value, "share", len(own), until, low=share.low, high=share.high),
        Judged("own_elasticity_median", float(np.median(own)), "elasticity", len(own), until),
    ]
    for level in sorted(set(elastic["level"])):
        some = elastic.filter(pl.col("level") == level)["elasticity"].to_numpy()
        mean = bootstrap_mean(some, **how)
        found.append(Judged("elasticity", mean.value, "elasticity", len(some), until, level, mean.low, mean.high))
    return found
