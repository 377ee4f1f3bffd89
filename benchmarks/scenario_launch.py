"""Launches on Complete Journey's held-out weeks; partners on the simulated shop too, where the truth is known.

A launch is a product first sold in a window; everything is learned from the baskets before it. The last window is the
published test: nothing was chosen on it.

What the market's signals are worth in simulated shops: by how much less the buyers of each launch are missed by what is
expected on its first day, from the launches before it. Of those shops a year is seen, as a season needs one.
"""

from datetime import date, timedelta
from functools import partial

import numpy as np
import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from benchmarks.scenario_customer_care import as_rows
from benchmarks.simulated import simulated_shop
from ml.demand.launches import past_launches
from ml.demand.signal_response import UNMOVED, category_ratio, signal_response
from ml.evaluation.bootstrap import paired_bootstrap
from ml.scenarios.judged import Judged, paired
from ml.scenarios.launch.evaluation import (
    BEST_SELLERS,
    SAME_CATEGORY,
    WINDOW_DAYS,
    judge,
    named_partners,
    rehearsed,
)
from ml.scenarios.launch.facts import learned_launches
from ml.scenarios.launch.partners import pool_of
from ml.sources.simulated_shop import FIRST_AS_OF, Size, Truth
from ml.sources.simulated_shop.market import Market

CUTS = tuple(LAST_TRAINING_DAY + timedelta(days=1 - WINDOW_DAYS * back) for back in (2, 1, 0))
PARTNERS, AUDIENCE, MIN_BASKETS, SEED = 5, 200, 50, 20170101
SIZE, SEEDS = Size(customers=400, products=200, days=200), (1, 2, 3)
YEAR, QUICK_YEARS, YEARS = Size(customers=400, products=200, days=364), (11, 12), tuple(range(11, 31))
"""Shops 1 to 5 were looked at before; these were not."""


def rows(is_quick: bool) -> list[Row]:
    """Return the numbers of each window, and those of the simulated shops together."""
    compare = partial(paired, draws=200 if is_quick else 1000, seed=SEED)
    found = []
    for cut in CUTS[-1:] if is_quick else CUTS:
        baskets, products = complete_journey(1, through=date.max)
        levels = [pl.col(name) for name in ("department", "category", "title")]
        products = products.with_columns(category_path=pl.concat_str(levels, separator=" > ", ignore_nulls=True))
        for one in judge(baskets, products, cut, MIN_BASKETS, (PARTNERS, AUDIENCE), compare, SEED):
            found += as_rows("launch", one, f"/{cut}")
    found += simulated_rows(SEEDS[:1] if is_quick else SEEDS, compare)
    return [*found, signal_row(QUICK_YEARS if is_quick else YEARS)]


def simulated_rows(seeds: tuple[int, ...], compare: partial[Judged]) -> list[Row]:
    """Return the share of partners that are true complements, and that are true substitutes, beside the peers'."""
    tables = pl.concat([true_shares(*simulated_shop(SIZE, seed)).with_columns(seed=seed) for seed in seeds])
    found = []
    for peer in (SAME_CATEGORY, BEST_SELLERS):
        both = tables.filter(pl.col("rule") == "ours").join(
            tables.filter(pl.col("rule") == peer), on=["seed", "product_id"], suffix="_of_peer"
        ).sort("seed", "product_id")  # fmt: skip
        for metric in ("complements", "substitutes"):
            ours, theirs = (both[name].to_numpy() for name in (metric, f"{metric}_of_peer"))
            judged = compare(f"true_{metric}", ours, peer, theirs, "share of partners", "simulated shop", variant=peer)
            found += as_rows("launch", judged, "/simulated")
    return found


def true_shares(baskets: pl.DataFrame, products: pl.DataFrame, truth: Truth) -> pl.DataFrame:
    """Return ``rule``, ``product_id``, ``complements``, ``substitutes``: shares of the partners named for new products.

    Products that come in the course of the shop's history are new: they are taken out of all baskets.
    """
    place = {product: at for at, product in enumerate(truth.product_ids)}
    is_new = pl.Series([bool(truth.launch_day[place[one]] >= 0) for one in products["product_id"]])
    whole = products.with_columns(category_path="category")
    old = whole.filter(~is_new)["product_id"]
    past = baskets.with_columns(pl.col("product_ids").list.filter(pl.element().is_in(old.implode())))
    past = past.filter(pl.col("product_ids").list.len() > 0)
    held = past.select(product_id="product_ids").explode("product_id").group_by("product_id").agg(baskets=pl.len())
    evident = whole.join(held.filter(pl.col("baskets") >= 10), on="product_id").sort("product_id")
    new = whole.filter(is_new).with_columns(baskets=pl.lit(0, held["baskets"].dtype))
    pool = pool_of(rehearsed(past, evident, new, SEED), new, evident, past.height)
    named = named_partners(pool, new, evident, PARTNERS)
    sides = [np.array([place[one] for one in named[side].to_list()]) for side in ("product_id", "partner_id")]
    told = named.with_columns(
        complements=pl.Series(truth.complements[tuple(sides)], dtype=pl.Float64),
        substitutes=pl.Series(truth.substitutes[tuple(sides)], dtype=pl.Float64),
    )
    return told.group_by("rule", "product_id").agg(pl.col("complements", "substitutes").mean())


def signal_row(seeds: tuple[int, ...]) -> Row:
    """Return the error of the buyers expected of launches without signals less that with them; shops are the cases."""
    told, without = np.array([launch_errors(*simulated_shop(YEAR, seed)) for seed in seeds]).T
    gain = paired_bootstrap(without, told, 1000, SEED)
    path, ratio = "scenarios/launch/signals_buyers_error_gain/simulated", float(told.mean() / without.mean())
    return Row(path, gain.value, "buyers a launch", gain.low, gain.high, "conversion without signals", ratio)


def launch_errors(baskets: pl.DataFrame, products: pl.DataFrame, truth: Truth) -> tuple[float, float]:
    """Return the mean error of the buyers expected of a shop's launches, told the signals of their first day and not.

    How many customers will come is known to both: it is the same number on both sides.
    """
    signals = Market(truth).signals(truth.first_day - timedelta(days=1), FIRST_AS_OF)
    signals = signals.rename({"value": "signal_value"})
    days = {one: int(truth.launch_day[place]) for place, one in enumerate(truth.product_ids)}
    launched = [
        truth.first_day + timedelta(days=days[one]) if days[one] >= 0 else None for one in products["product_id"]
    ]
    products = products.with_columns(launched_on=pl.Series(launched, dtype=pl.Date))
    sold = product_days(baskets)
    known = products.filter(pl.col("launched_on").is_not_null())
    came = past_launches(baskets, known, FIRST_AS_OF, WINDOW_DAYS)
    errors = []
    for row in came.iter_rows(named=True):
        day = row["launched_on"]
        response = signal_response(signals, sold, products, day)
        asked = pl.DataFrame({"category": [row["category"]], "day": [day]})
        both = []
        for one in (response, UNMOVED):
            learned = learned_launches(baskets, known, signals, one, day)
            if learned is not None:
                ratio = category_ratio(signals, asked, one).item()
                expected = learned.conversion(row["category"], ratio).mean * row["trials"]
                both.append(abs(expected - row["buyers"]))
        if both:
            errors.append(both)
    told, without = np.mean(errors, axis=0).tolist()
    return told, without


def product_days(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return the units and the price of each product by day, as ``features.ftr_product_days`` would."""
    lines = baskets.select("product_ids", "quantities", "paid_cents", sold_on="basket_on").explode(
        "product_ids", "quantities", "paid_cents"
    )
    summed = lines.group_by("sold_on", product_id="product_ids").agg(
        units=pl.col("quantities").sum(), paid=pl.col("paid_cents").sum()
    )
    price = (pl.col("paid") / pl.col("units")).round().cast(pl.Int32)
    return summed.select("product_id", "sold_on", "units", price_cents=price).sort("product_id", "sold_on")


if __name__ == "__main__":
    asked = arguments(__doc__)
    write_report("scenario_launch", "Complete Journey and simulated shops", rows(asked.quick), asked.json)
