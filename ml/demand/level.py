"""What sells at the usual price in the days to come: by the demand model where it beats the recent mean, else that."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.demand_model import PRICE, SIGNALS, DemandModel, DemandParams, poisson_deviance, recent_mean
from ml.demand.examples import HORIZON_DAYS, demand_rows, rows_at_usual_price

Reals = NDArray[np.float64]

ORIGINS = 3
"""Origins, four weeks apart, whose following weeks are learned from."""
LEAST_ROWS = 500
"""Rows from which trees are grown at all."""
PROMOTED_RATIO = 0.95
"""Price over usual price below which a day counts as one of an offer."""
MODEL, MEAN = "demand_model", "recent_mean"
LEAST_LEVEL, MOST_LEVEL = 0.25, 4.0
"""Of the recent mean: what lies beyond is not believed."""


@dataclass(frozen=True)
class HeldOut:
    """Deviance of the last four weeks, product by product.

    Attributes
    ----------
    product_ids
        Those judged.
    with_price, without_price, without_signals, mean
        (products,) mean Poisson deviance of a row: of the model, of the same without prices, without the market's
        signals, of the recent mean.
    promoted
        ``units`` sold and expected by each of them, on each product's days below its usual price.
    has_signals
        Whether the market told anything.
    """

    product_ids: list[str]
    with_price: Reals
    without_price: Reals
    without_signals: Reals
    mean: Reals
    promoted: pl.DataFrame
    has_signals: bool


def usual_level(
    product_days: pl.DataFrame,
    products: pl.DataFrame,
    through: date,
    days: int,
    params: DemandParams | None = None,
    signals: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return ``product_id``, ``level_ratio``, ``source``: units at the usual price over those of the recent mean.

    ``source`` says what the ratio rests on: ``demand_model`` where the model had the smaller deviance on the last four
    weeks, which it had not seen; else ``recent_mean``, and the ratio is 1. Where the shop does not announce its
    discounts the model sees no prices, as weeks without a sale show none.
    """
    cut = through - timedelta(days=HORIZON_DAYS)
    rows, judged = (
        _learned(product_days, products, through, signals),
        demand_rows(product_days, products, cut, signals=signals),
    )
    params = params or DemandParams()
    if not rows["is_price_known"].all():
        params = _blind(params)
    asked = rows_at_usual_price(product_days, products, through, days, signals)
    if not _units(rows).any() or not _beats_the_mean(_learned(product_days, products, cut, signals), judged, params):
        return asked.select("product_id", level_ratio=pl.lit(1.0), source=pl.lit(MEAN)).unique(maintain_order=True)
    ratio = pl.Series(DemandModel(params).fit(rows, _units(rows)).predict(asked) / recent_mean(asked))
    return (
        asked.select("product_id", level_ratio=ratio)
        .group_by("product_id", maintain_order=True)
        .agg(pl.col("level_ratio").mean().clip(LEAST_LEVEL, MOST_LEVEL))
        .with_columns(source=pl.lit(MODEL))
    )


def held_out(
    product_days: pl.DataFrame,
    products: pl.DataFrame,
    through: date,
    params: DemandParams | None = None,
    signals: pl.DataFrame | None = None,
) -> HeldOut | None:
    """Return how the model, the same without prices and the recent mean did on the last four weeks; None: too few.

    On product-weeks whose price is known, see :func:`ml.demand.examples.demand_rows`.
    """
    params = params or DemandParams()
    cut = through - timedelta(days=HORIZON_DAYS)
    is_known = pl.col("is_price_known")
    rows = _learned(product_days, products, cut, signals).filter(is_known)
    asked = demand_rows(product_days, products, cut, signals=signals).filter(is_known)
    units = _units(rows)
    if min(rows.height, asked.height) < LEAST_ROWS or not units.any():
        return None
    answers = {
        "with_price": DemandModel(params).fit(rows, units).predict(asked),
        "without_signals": DemandModel(params).fit(rows.drop(SIGNALS, strict=False), units).predict(asked),
        "without_price": DemandModel(_blind(params)).fit(rows, units).predict(asked),
        "mean": recent_mean(asked),
    }
    came = _units(asked)
    deviance = pl.DataFrame({name: poisson_deviance(came, expected) for name, expected in answers.items()})
    each = deviance.with_columns(asked["product_id"]).group_by("product_id", maintain_order=True).mean()
    promoted = (
        pl.DataFrame(answers)
        .with_columns(asked["product_id"], asked[PRICE], units=pl.Series(came))
        .filter(pl.col(PRICE) < PROMOTED_RATIO)
        .group_by("product_id", maintain_order=True)
        .agg(pl.col("units", *answers).sum())
    )
    of = {name: each[name].to_numpy() for name in answers}
    return HeldOut(each["product_id"].to_list(), **of, promoted=promoted, has_signals=SIGNALS[0] in rows.columns)


def _learned(
    product_days: pl.DataFrame, products: pl.DataFrame, through: date, signals: pl.DataFrame | None
) -> pl.DataFrame:
    return pl.concat(list(_examples(product_days, products, through, signals)))


def _examples(
    product_days: pl.DataFrame, products: pl.DataFrame, through: date, signals: pl.DataFrame | None
) -> Iterator[pl.DataFrame]:
    for number in range(ORIGINS, 0, -1):
        origin = through - timedelta(days=HORIZON_DAYS * number)
        known = product_days.filter(pl.col("sold_on") <= origin + timedelta(days=HORIZON_DAYS))
        yield demand_rows(known, products, origin, signals=signals)


def _beats_the_mean(rows: pl.DataFrame, judged: pl.DataFrame, params: DemandParams) -> bool:
    came, units = _units(judged), _units(rows)
    if min(rows.height, judged.height) < LEAST_ROWS or not units.any():
        return False
    expected = DemandModel(params).fit(rows, units).predict(judged)
    return bool(poisson_deviance(came, expected).mean() < poisson_deviance(came, recent_mean(judged)).mean())


def _blind(params: DemandParams) -> DemandParams:
    return replace(params, features=tuple(name for name in params.features if name != PRICE))


def _units(rows: pl.DataFrame) -> Reals:
    return rows["units"].to_numpy().astype(np.float64)
