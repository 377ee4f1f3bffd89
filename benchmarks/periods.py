"""Complete Journey before the published test weeks: what models are developed on."""

from datetime import date, timedelta

import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from ml.evaluation.splits import requests_between
from ml.settings import Settings
from ml.training import Shop

TEST_DAYS, MIN_PRODUCTS, QUICK_CUSTOMERS, SEED = 28, 2, 400, 20170101
EARLIER_DAY = LAST_TRAINING_DAY - timedelta(days=TEST_DAYS)
"""Judged on the four weeks that end where the published test begins."""


def period(through: date, is_quick: bool, settings: Settings) -> tuple[Shop, pl.DataFrame]:
    """Return the shop as known after the day ``through``, and the requests of the four weeks after it."""
    baskets, products = complete_journey(through=through)
    baskets = baskets.filter(pl.col("basket_products") >= MIN_PRODUCTS)
    if is_quick:
        some = baskets["customer_id"].unique().sort().sample(QUICK_CUSTOMERS, seed=SEED)
        baskets = baskets.filter(pl.col("customer_id").is_in(some.implode()))
    cut = through + timedelta(days=1)
    last = through + timedelta(days=TEST_DAYS)
    targets = requests_between(baskets, cut, last, settings.preference.min_customer_baskets)
    return Shop(baskets.filter(pl.col("basket_on") < cut), products), targets
