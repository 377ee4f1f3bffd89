"""Launches on Complete Journey's held-out weeks; partners on the simulated shop too, where the truth is known.

A launch is a product first sold in a window; everything is learned from the baskets before it. The last window is the
published test: nothing was chosen on it.
"""

from datetime import date, timedelta
from functools import partial

import numpy as np
import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from benchmarks.scenario_customer_care import as_rows
from benchmarks.simulated import simulated_shop
from ml.scenarios.judged import Judged, paired
from ml.scenarios.launch.evaluation import (
    BEST_SELLERS,
    SAME_CATEGORY,
    WINDOW_DAYS,
    judge,
    named_partners,
    rehearsed,
)
from ml.scenarios.launch.partners import pool_of
from ml.sources.simulated_shop import Size, Truth

CUTS = tuple(LAST_TRAINING_DAY + timedelta(days=1 - WINDOW_DAYS * back) for back in (2, 1, 0))
PARTNERS, AUDIENCE, MIN_BASKETS, SEED = 5, 200, 50, 20170101
SIZE, SEEDS = Size(customers=400, products=200, days=200), (1, 2, 3)


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
    return found + simulated_rows(SEEDS[:1] if is_quick else SEEDS, compare)


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


if __name__ == "__main__":
    asked = arguments(__doc__)
    write_report("scenario_launch", "Complete Journey and simulated shops", rows(asked.quick), asked.json)
