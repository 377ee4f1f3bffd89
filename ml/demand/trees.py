"""Forecasts of all products by one model: boosted trees that see weekday, level, promotions, prices and signals."""

from datetime import timedelta

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.demand.sales import PROMOTIONS, Reals, Sales
from ml.demand.signals import SIGNAL_FEATURES, signal_features

AHEAD_DAYS = 28
"""Days that are forecast; what lies later is as the last of these weeks."""
ORIGINS, APART_DAYS, LEAST_HISTORY = 8, 14, 56
"""Mornings from which the trees learn, how far apart, and the days of sales that each needs before it."""
ROWS = 300_000
LEVELS = (7, 28, 91)
FEATURES = (
    *(f"level_{days}" for days in LEVELS),
    "level_same_weekday",
    "days_since_sale",
    "shelf_days",
    "category_trend_ratio",
    "price_ratio",
    *SIGNAL_FEATURES,
    "weekday",
    "week_ahead",
    *(f"planned_{kind}" for kind in PROMOTIONS),
    "promoted_share",
)
SETTINGS = {
    "objective": "poisson",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
    "feature_fraction": 0.8,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
"""Poisson deviance: its minimum is the mean whatever the distribution of the counts, and it is never below 0."""
ROUNDS = 200


def forecast(sales: Sales, seed: int, told: tuple[str, ...] = SIGNAL_FEATURES) -> Reals:
    """Return (P, ``AHEAD_DAYS``) expected units of each product on each of the days after the last, >= 0.

    The model learns from the same kind of question asked on earlier mornings of the same sales. Days on which a product
    was not on the shelf are never asked for.

    Parameters
    ----------
    told
        Which of the market's signals are told; the others are withheld, to see what they are worth.

    Returns
    -------
    The level of the last 28 days where the sales are too short to learn from.
    """
    learned = _examples(sales, seed)
    if learned is None:
        return np.repeat(np.nan_to_num(sales.level(AHEAD_DAYS))[:, None], AHEAD_DAYS, axis=1)
    features, units = learned
    asked = _features(sales).reshape(-1, len(FEATURES))
    withheld = [FEATURES.index(name) for name in SIGNAL_FEATURES if name not in told]
    features[:, withheld] = asked[:, withheld] = np.nan
    data = lightgbm.Dataset(features, units, feature_name=list(FEATURES), params={"verbosity": -1})
    model = lightgbm.train({**SETTINGS, "seed": seed}, data, ROUNDS)
    return np.asarray(model.predict(asked)).reshape(-1, AHEAD_DAYS)


def _examples(sales: Sales, seed: int) -> tuple[Reals, Reals] | None:
    """Return features and units of product-days after earlier mornings, a sample of them; None without any sale."""
    width = sales.units.shape[1]
    mornings = [back for back in range(AHEAD_DAYS, AHEAD_DAYS + ORIGINS * APART_DAYS, APART_DAYS)]
    mornings = [back for back in mornings if width - back >= LEAST_HISTORY]
    rng = np.random.default_rng(seed)
    features, units = [], []
    for back in mornings:
        asked = _features(sales.until(back)).reshape(-1, len(FEATURES))
        came = sales.units[:, width - back : width - back + AHEAD_DAYS].reshape(-1)
        known = np.flatnonzero(~np.isnan(came))
        if len(known) > ROWS // len(mornings):
            known = np.sort(rng.choice(known, ROWS // len(mornings), replace=False))
        features.append(asked[known])
        units.append(came[known])
    if not units or not np.concatenate(units).any():
        return None
    return np.concatenate(features), np.concatenate(units)


def _features(sales: Sales) -> Reals:
    """Return (P, ``AHEAD_DAYS``, ``FEATURES``) what the morning after the last day knows of each day ahead."""
    products = len(sales.product_ids)
    ahead = np.arange(AHEAD_DAYS)
    weekday = (sales.last_day.weekday() + 1 + ahead) % 7
    planned, promoted_share = _promoted(sales)
    of_product = {
        **{f"level_{days}": sales.level(days) for days in LEVELS},
        "days_since_sale": _days_since_sale(sales),
        "shelf_days": np.minimum(sales.known_days, LEVELS[-1]),
        "category_trend_ratio": _category_trends(sales),
        "price_ratio": sales.prices[:, -1] / np.maximum(sales.prices[:, -LEVELS[-1] :].mean(axis=1), 1.0),
        "promoted_share": promoted_share,
        **_signals(sales),
    }
    of_day = {"weekday": weekday, "week_ahead": ahead // 7}
    same = np.stack([_level_of_weekday(sales, int(day)) for day in range(7)], axis=1)
    of_both = {"level_same_weekday": same[:, weekday], **{f"planned_{kind}": planned[kind] for kind in PROMOTIONS}}
    whole = np.empty((products, AHEAD_DAYS, len(FEATURES)))
    for number, name in enumerate(FEATURES):
        if name in of_product:
            whole[:, :, number] = of_product[name][:, None]
        else:
            whole[:, :, number] = of_both[name] if name in of_both else of_day[name]
    return whole


def _level_of_weekday(sales: Sales, weekday: int) -> Reals:
    """Return (P,) mean units on the last eight of the weekday, as far as they are known; NaN where none is."""
    last = sales.units.shape[1] - 1 - (sales.last_day.weekday() - weekday) % 7
    part = sales.units[:, [day for day in range(last, last - 56, -7) if day >= 0]]
    known = (~np.isnan(part)).sum(axis=1)
    return np.where(known > 0, np.nansum(part, axis=1) / np.maximum(known, 1), np.nan)


def _days_since_sale(sales: Sales) -> Reals:
    is_sold = np.nan_to_num(sales.units) > 0
    since = np.argmax(is_sold[:, ::-1], axis=1).astype(np.float64)
    return np.where(is_sold.any(axis=1), since, np.nan)


def _category_trends(sales: Sales) -> Reals:
    """Return (P,) units a day of the product's category in the last 28 days over those of the 28 before; one added."""
    names = sorted({category for category in sales.categories if category is not None})
    place = {name: number for number, name in enumerate(names, start=1)}
    of = np.array([place[category] if category is not None else 0 for category in sales.categories])
    recent, before = (
        np.bincount(of, np.nansum(part, axis=1), len(names) + 1)
        for part in (sales.units[:, -28:], sales.units[:, -56:-28])
    )
    ratio = (recent + 1) / (before + 1)
    ratio[0] = np.nan
    return ratio[of]


def _promoted(sales: Sales) -> tuple[dict[str, Reals], Reals]:
    """Return by kind (P, ``AHEAD_DAYS``) the size of what is planned, and (P,) the promoted share of 28 days."""
    products = len(sales.product_ids)
    planned = {kind: np.zeros((products, AHEAD_DAYS)) for kind in PROMOTIONS}
    was = np.zeros((products, AHEAD_DAYS), np.bool_)
    tomorrow = sales.last_day + timedelta(days=1)
    known = sales.promotions.filter(
        pl.col("starts_on") <= tomorrow, pl.col("ends_on") > sales.last_day - timedelta(days=AHEAD_DAYS)
    )
    rows = known.select("product", "kind", "starts_on", "ends_on", "size").iter_rows()
    for product, kind, begins, ends, size in rows:
        begin, end = (begins - tomorrow).days, (ends - tomorrow).days + 1
        if end > 0 and kind in planned:
            span = planned[kind][product, max(0, begin) : end]
            np.maximum(span, size, out=span)
        was[product, max(0, begin + AHEAD_DAYS) : max(0, min(end, 0) + AHEAD_DAYS)] = True
    return planned, was.mean(axis=1)


def _signals(sales: Sales) -> dict[str, Reals]:
    price: NDArray[np.float64] = sales.prices[:, -1]
    asked = pl.DataFrame(
        {"product_id": sales.product_ids, "category": sales.categories, "price_cents": price},
        schema={"product_id": pl.String, "category": pl.String, "price_cents": pl.Float64},
    ).with_columns(pl.col("price_cents").fill_nan(None), day=pl.lit(sales.last_day))
    found = signal_features(sales.signals, asked)
    return {name: found[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in SIGNAL_FEATURES}
