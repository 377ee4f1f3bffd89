"""Forecasts and reorders beside what a shop does today, and what the market's signals are worth.

Complete Journey: three rolling origins, four weeks after each, the last of them the published test weeks; products are
a sample of those in 50 baskets before the first origin. No stock is counted there, so days without a sale count as
days without demand, and every product gets the same lead time.

Simulated shop: with stock, lead times and signals. Days off the shelf are unknown; counting them as days without demand
is one of the things compared. The signals are told to the trees or withheld, on the same products and weeks.

Intervals are 95 % bootstraps over products, paired; a product counts once, with its mean over the origins.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.demand import trees
from ml.demand.counts import quantile
from ml.demand.sales import Sales, sales_of
from ml.demand.scores import naive_scales, scaled_errors, scaled_pinball
from ml.demand.signals import SIGNAL_FEATURES
from ml.demand.spread import spread_of
from ml.evaluation.bootstrap import paired_bootstrap
from ml.evaluation.splits import rolling_origins
from ml.scenarios.judged import ALL, Judged
from ml.scenarios.replenishment.evaluation import Terms, forecast_judged, held_out, mean_known, reorder_judged
from ml.sources.simulated_shop import FIRST_AS_OF, SimulatedShop, Size

DAYS, PERIODS, SEED, DRAWS = 28, 3, 20170101, 1000
SERVICE_LEVEL, REVIEW_DAYS, LEAD_DAYS = 0.95, 7, 7
PRODUCTS, QUICK_PRODUCTS = 1500, 250
SHOP, QUICK_SHOP = Size(customers=1500, products=120, days=364), Size(300, 60, 280)
NAME = "scenarios/replenishment"
NO_STOCK_OUTS = {"product_id": pl.String, "out_from_on": pl.Date, "out_through_on": pl.Date}
NO_SIGNALS = {"kind": pl.String, "category": pl.String, "product_id": pl.String, "signal_on": pl.Date,
              "signal_value": pl.Float64}  # fmt: skip


def rows(is_quick: bool) -> list[Row]:
    """Return the rows of both shops."""
    return [*real_rows(QUICK_PRODUCTS if is_quick else PRODUCTS, 1 if is_quick else PERIODS),
            *simulated_rows(QUICK_SHOP if is_quick else SHOP, 1 if is_quick else PERIODS)]  # fmt: skip


def real_rows(products: int, periods: int) -> list[Row]:
    """Return the rows of Complete Journey."""
    origins = rolling_origins(LAST_TRAINING_DAY, periods, DAYS)
    sales = _real_sales(products, origins[0], origins[-1] + timedelta(days=DAYS))
    leads = np.full(len(sales.product_ids), LEAD_DAYS)
    return _judged(sales, periods, leads, f"{periods} x {DAYS} days until {sales.last_day}", "")


def simulated_rows(size: Size, periods: int) -> list[Row]:
    """Return the rows of the simulated shop: judged as the real one, and what stock and signals tell."""
    sales, uncounted, leads = _simulated_sales(size)
    words = f"{periods} x {DAYS} days until {sales.last_day}"
    leads = np.minimum(leads, DAYS - 1)
    return [*_judged(sales, periods, leads, words, "simulated_"), *_signal_rows(sales, periods),
            *_stock_rows(sales, uncounted, periods)]  # fmt: skip


def _judged(sales: Sales, periods: int, leads: NDArray[np.int64], words: str, prefix: str) -> list[Row]:
    weeks = [held_out(sales.until(DAYS * back), (0.5, 0.9, SERVICE_LEVEL), SEED) for back in reversed(range(periods))]
    terms = Terms(SERVICE_LEVEL, REVIEW_DAYS, words, DRAWS, SEED)
    return [
        row
        for one in (*forecast_judged(weeks, terms), *reorder_judged(weeks, leads, terms))
        for row in _rows_of(one, prefix)
    ]


def _rows_of(one: Judged, prefix: str) -> list[Row]:
    """Return the number beside its peer, and the paired difference."""
    name = f"{NAME}/{prefix}{one.kpi}" + ("" if one.variant == ALL else f"_{one.variant}")
    peer_value = one.peer_value or 0.0
    ratio = one.value / peer_value if peer_value else None
    return [
        Row(name, one.value, one.unit, one.low, one.high, f"{one.peer} {peer_value:.4g}", ratio),
        Row(f"{name}_gain", one.difference or 0.0, one.unit, one.difference_low, one.difference_high, one.peer),
    ]


def _signal_rows(sales: Sales, periods: int) -> list[Row]:
    """Return what each signal is worth to the trees: the error withheld less the error told, above 0 for a gain."""
    found: dict[tuple[str, ...], dict[str, list[NDArray[np.float64]]]] = {}
    cases = ((), *((name,) for name in SIGNAL_FEATURES), SIGNAL_FEATURES)
    for back in reversed(range(periods)):
        now = sales.until(DAYS * back)
        past, came = now.until(DAYS), now.units[:, -DAYS:]
        before = past.until(DAYS)
        scales = naive_scales(past)
        for told in cases:
            mean, earlier = (trees.forecast(one, SEED, told) for one in (past, before))
            spread = spread_of([earlier], [past.units[:, -DAYS:]], past.classes)
            variance = spread.variance(mean, np.ones(len(mean), np.int64))
            errors = found.setdefault(told, {"mase": [], "pinball_95": [], "week_error": []})
            errors["mase"].append(scaled_errors(quantile(0.5, mean, variance), came, scales))
            errors["pinball_95"].append(scaled_pinball(quantile(0.95, mean, variance), came, 0.95, scales))
            errors["week_error"].append(scaled_errors(_weeks(mean), _weeks(came), 7 * scales))
    made = []
    for told in cases[1:]:
        what = told[0] if len(told) == 1 else "both"
        for kpi in found[told]:
            without, told_of = (mean_known(found[case][kpi]) for case in ((), told))
            known = ~np.isnan(without) & ~np.isnan(told_of)
            gain = paired_bootstrap(without[known], told_of[known], DRAWS, SEED)
            unit, ratio = "of the week-to-week difference", float(told_of[known].mean() / without[known].mean())
            path = f"{NAME}/signals_{what}_{kpi}_gain"
            made.append(Row(path, gain.value, unit, gain.low, gain.high, "trees without signals", ratio))
    return made


def _stock_rows(sales: Sales, uncounted: Sales, periods: int) -> list[Row]:
    """Return what it is worth to know that a day off the shelf is no day without demand.

    Judged on days on the shelf: absolute errors, which like forecasts that are too low, and the bias.
    """
    errors: dict[str, list[NDArray[np.float64]]] = {"counted": [], "uncounted": []}
    stated = dict.fromkeys(errors, 0.0)
    sold = 0.0
    for back in reversed(range(periods)):
        came, scales = sales.until(DAYS * back).units[:, -DAYS:], naive_scales(sales.until(DAYS * (back + 1)))
        sold += float(np.nansum(came))
        for name, told in (("counted", sales), ("uncounted", uncounted)):
            mean = trees.forecast(told.until(DAYS * (back + 1)), SEED)
            errors[name].append(scaled_errors(mean, came, scales))
            stated[name] += float(mean[~np.isnan(came)].sum())
    with_counts, without = (mean_known(errors[name]) for name in ("counted", "uncounted"))
    known = ~np.isnan(with_counts) & ~np.isnan(without)
    gain = paired_bootstrap(without[known], with_counts[known], DRAWS, SEED)
    share = float(np.isnan(sales.units[:, -DAYS * periods :]).mean())
    unit, peer = "of the week-to-week difference", "counted as days without demand"
    return [
        Row(f"{NAME}/simulated_days_off_the_shelf", share, "share of product-days"),
        Row(f"{NAME}/stock_counts_mase_gain", gain.value, unit, gain.low, gain.high, peer),
        Row(
            f"{NAME}/stock_counts_bias",
            stated["counted"] / sold - 1,
            "share of the units sold",
            peer=f"{peer} {stated['uncounted'] / sold - 1:.4f}",
        ),
    ]


def _weeks(daily: NDArray[np.float64]) -> NDArray[np.float64]:
    return daily.reshape(len(daily), -1, 7).sum(axis=2)


def _real_sales(products: int, known_on: date, until: date) -> Sales:
    baskets, facts = complete_journey(through=known_on)
    chosen = facts.sample(min(products, facts.height), seed=SEED).with_columns(launched_on=pl.lit(None, pl.Date))
    days = (
        baskets.explode("product_ids", "quantities", "paid_cents")
        .group_by(product_id="product_ids", sold_on="basket_on")
        .agg(units=pl.col("quantities").sum(), paid=pl.col("paid_cents").sum())
        .with_columns(price_cents=(pl.col("paid") / pl.col("units")).round().cast(pl.Int32))
    )
    return sales_of(days, chosen, pl.DataFrame(schema=NO_STOCK_OUTS), pl.DataFrame(schema=NO_SIGNALS), until)


def _simulated_sales(size: Size) -> tuple[Sales, Sales, NDArray[np.int64]]:
    """Return the sales with days off the shelf unknown, the same with them as zeros, and the lead times."""
    given = {one.table: one.records for one in SimulatedShop(size, SEED).deliveries(FIRST_AS_OF, {})}
    days = (
        given["order_items"]
        .filter(pl.col("quantity") > 0)
        .join(given["orders"].filter(pl.col("status") == "completed"), on="order_id")
        .group_by("product_id", sold_on=pl.col("ordered_at").dt.date())
        .agg(units=pl.col("quantity").sum(), price_cents=pl.col("unit_price_cents").mean().round().cast(pl.Int32))
    )
    promotions = (
        given["promotions"]
        .with_columns(size=pl.coalesce("discount_share", pl.col("store_count").cast(pl.Float64)))
        .sort("product_id", "starts_on", "kind")
        .group_by("product_id", maintain_order=True)
        .agg(promotion_kinds="kind", promotion_starts_on="starts_on", promotion_ends_on="ends_on",
             promotion_sizes="size")
    )  # fmt: skip
    category = pl.col("category_path").str.split(" > ").list.get(1)
    products = given["products"].with_columns(category=category).join(promotions, on="product_id", how="left")
    signals = given["market_signals"].rename({"value": "signal_value"}).select(list(NO_SIGNALS))
    outs = _stock_outs(given["stock_levels"])
    counted, uncounted = (
        sales_of(days, products, stock_outs, signals, FIRST_AS_OF) for stock_outs in (outs, outs.clear())
    )
    lead_of = dict(given["lead_times"].select("product_id", "lead_days").iter_rows())
    return counted, uncounted, np.array([lead_of[product] for product in counted.product_ids], np.int64)


def _stock_outs(counts: pl.DataFrame) -> pl.DataFrame:
    """Return the stretches without stock, as ``features.ftr_stock_outs`` has them; an evening is counted on change."""
    evening = counts.select("product_id", "on_hand_units", counted_on=pl.col("counted_at").dt.date())
    following = pl.col("counted_on").shift(-1).over("product_id").fill_null(FIRST_AS_OF + timedelta(days=1))
    return (
        evening.sort("product_id", "counted_on")
        .with_columns(next_on=following)
        .filter(pl.col("on_hand_units") == 0)
        .select("product_id", out_from_on=pl.col("counted_on").dt.offset_by("1d"),
                out_through_on=pl.col("next_on").dt.offset_by("-1d"))
        .filter(pl.col("out_from_on") <= pl.col("out_through_on"))
    )  # fmt: skip


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__)
    what = f"Complete Journey and the simulated shop, service level {SERVICE_LEVEL}, review {REVIEW_DAYS} days"
    write_report("scenario_replenishment", what, rows(options.quick), options.json)


if __name__ == "__main__":
    main()
