"""How far demand in this shop follows the market's signals, and what they say now beside the weeks just gone.

Demand goes with a power of each signal: 0 where it never followed, 1 where it moves as much as the signal does. The
powers are learned from the shop's own past: units of four weeks over the usual ones of the eight weeks before, against
the signals of the day between over those of the same eight weeks. So a signal that says nothing of this shop changes
nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import PoissonRegressor

from ml.demand.signals import SIGNAL_FEATURES, signal_features

Reals = NDArray[np.float64]
CATEGORY, RIVAL = SIGNAL_FEATURES

RECENT_DAYS = 56
"""Days that tell a product's usual units: two months, as seasons move on."""
AHEAD_DAYS = 28
"""Days whose units are learned from, after each day looked back to."""
LEAST_ROWS = 50
"""Products times days looked back to, below which nothing is learned."""
PRIOR_SPREAD = 0.5
"""Of a normal prior around no response: demand follows no signal much more than in proportion."""
MOST_RATIO = 4.0
"""By which a signal is believed to be above or below the usual; what lies beyond is cut."""


@dataclass(frozen=True)
class SignalResponse:
    """The power of each signal that demand goes with.

    Attributes
    ----------
    category_demand, competitor_price
        Of the index of a category's demand, and of a competitor's price over ours; >= 0, as more demand or a dearer
        competitor takes no sales away.
    """

    category_demand: float
    competitor_price: float


UNMOVED = SignalResponse(0.0, 0.0)
"""Of a shop without signals, or without the past to learn from."""


def signal_response(
    signals: pl.DataFrame, product_days: pl.DataFrame, products: pl.DataFrame, through: date
) -> SignalResponse:
    """Return the response that the sales until ``through`` tell, by penalized Poisson quasi-likelihood.

    Parameters
    ----------
    signals
        Rows of ``features.ftr_market_signals``; without any, demand is :data:`UNMOVED`.
    product_days, products
        Rows of ``features.ftr_product_days`` and ``features.ftr_products``.

    Source
    ------
    McCullagh and Nelder (1989), Generalized Linear Models, 2nd ed., chapter 9 (quasi-likelihood).
    """
    if signals.is_empty() or product_days.is_empty():
        return UNMOVED
    rows = pl.concat(list(_examples(signals, product_days, products, through)) or [_NO_EXAMPLES])
    if rows.height < LEAST_ROWS or not rows["units"].sum():
        return UNMOVED
    usual = rows["usual"].to_numpy()
    ratio = rows["units"].to_numpy() / usual
    mean = float(np.average(ratio, weights=usual))
    dispersion = max(float((usual * (ratio - mean) ** 2).mean()) / mean, 1.0)
    model = PoissonRegressor(alpha=dispersion / (PRIOR_SPREAD**2 * usual.sum()))
    model.fit(rows.select(SIGNAL_FEATURES).to_numpy(), ratio, sample_weight=usual)
    category, rival = model.coef_.clip(min=0.0)
    return SignalResponse(float(category), float(rival))


def demand_shift(
    signals: pl.DataFrame, product_days: pl.DataFrame, products: pl.DataFrame, as_of: date
) -> pl.DataFrame:
    """Return ``product_id``, ``signal_ratio``: demand that the signals of the day promise over that of recent weeks.

    1 where no signal of the last weeks is about the product. Nothing dated after ``as_of`` is used.
    """
    response = signal_response(signals, product_days, products, as_of)
    if response == UNMOVED:
        return products.select("product_id", signal_ratio=pl.lit(1.0))
    moved = response.category_demand * pl.col(CATEGORY) + response.competitor_price * pl.col(RIVAL)
    changes = _changes(signals, product_days, products, as_of)
    return changes.select("product_id", signal_ratio=moved.exp())


def category_ratio(signals: pl.DataFrame, asked: pl.DataFrame, response: SignalResponse) -> pl.Series:
    """Return demand for a category on a day over the usual, by row of ``asked``; 1 where no signal tells.

    Parameters
    ----------
    asked
        ``category`` (may be null) and ``day``.
    """
    rows = asked.select("category", "day", product_id=pl.lit(None, pl.String), price_cents=pl.lit(None, pl.Int32))
    told = _logs(signal_features(signals, rows))
    return told.select((response.category_demand * pl.col(CATEGORY).fill_null(0.0)).exp()).to_series()


def _examples(
    signals: pl.DataFrame, product_days: pl.DataFrame, products: pl.DataFrame, through: date
) -> Iterator[pl.DataFrame]:
    """Yield ``usual``, ``units`` of four weeks and the changes of signals, by product sold all the time, day by day."""
    sold = product_days.filter(pl.col("sold_on") <= through)
    first = sold.group_by("product_id").agg(first_on=pl.col("sold_on").min())
    origin = through - timedelta(days=AHEAD_DAYS)
    while (first["first_on"] <= origin - timedelta(days=RECENT_DAYS - 1)).any():
        age = (pl.lit(origin) - pl.col("sold_on")).dt.total_days()
        counted = sold.group_by("product_id").agg(
            usual=pl.col("units").filter(age.is_between(0, RECENT_DAYS - 1)).sum() * (AHEAD_DAYS / RECENT_DAYS),
            units=pl.col("units").filter(age.is_between(-AHEAD_DAYS, -1)).sum().clip(0).cast(pl.Float64),
        )
        there = first.filter(pl.col("first_on") <= origin - timedelta(days=RECENT_DAYS - 1)).select("product_id")
        changes = _changes(signals, sold, products.join(there, on="product_id", how="semi"), origin)
        rows = changes.join(counted.filter(pl.col("usual") > 0), on="product_id").sort("product_id")
        yield rows.select(list(_NO_EXAMPLES.columns))
        origin -= timedelta(days=AHEAD_DAYS)


_NO_EXAMPLES = pl.DataFrame(schema=dict.fromkeys(("usual", "units", *SIGNAL_FEATURES), pl.Float64))


def _changes(signals: pl.DataFrame, product_days: pl.DataFrame, products: pl.DataFrame, origin: date) -> pl.DataFrame:
    """Return by product the log of each signal on a day less its mean over the recent weeks; 0 where none tells.

    The price that a competitor's is beside is that of the last sale by then.
    """
    weeks = pl.DataFrame({"day": [origin - timedelta(days=back) for back in range(0, RECENT_DAYS, 7)]})
    asked = products.select("product_id", "category").join(weeks, how="cross").sort("day")
    prices = product_days.select("product_id", "price_cents", day="sold_on").sort("day")
    asked = asked.join_asof(prices, on="day", by="product_id", check_sortedness=False)
    told = _logs(signal_features(signals, asked))
    now = pl.col("day") == origin
    return (
        told.group_by("product_id")
        .agg((pl.col(name).filter(now).first() - pl.col(name).mean()).fill_null(0.0) for name in SIGNAL_FEATURES)
        .sort("product_id")
    )


def _logs(told: pl.DataFrame) -> pl.DataFrame:
    return told.with_columns(
        pl.when(pl.col(name) > 0).then(pl.col(name).clip(1 / MOST_RATIO, MOST_RATIO).log()).alias(name)
        for name in SIGNAL_FEATURES
    )
