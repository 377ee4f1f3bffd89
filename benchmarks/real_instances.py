"""Bundle problems of real customers: ``complete_journey``.

Customers of Complete Journey who bought again in the four weeks after 2017-12-03, with the candidates that the project
proposes for them, the likeliest n kept. The preference is each customer's own frequency of buying, which needs no
model; associations are the shrunk lifts of household-days before the cut. A pair is worth the probability that one
basket holds both; each product costs what it must add to be worth its place; no two are of one category; there is
neither a price limit, since the data hold no list price, nor an anchor.
"""

from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.instances import Instances, exactly
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.association.symmetric import SymmetricPairs
from ml.evaluation.splits import requests_between
from ml.optimizer.market import Crowd, Market
from ml.optimizer.objective import Objective
from ml.optimizer.rules import NO_BUDGET, UNKNOWN_MARGIN
from ml.preference.baselines import PersonalFrequency
from ml.settings import Settings
from ml.training import Shop, asked, scored

TEST_DAYS, CUSTOMERS = 28, 400
COST_PER_PRODUCT = 0.002


def journey(candidates: int, size: int, customers: int) -> Instances:
    """Return customers with at least so many candidates; fewer than asked for where there are no more."""
    market, associations, found = _journey()
    enough = found.filter(pl.len().over("customer_id") >= candidates)
    kept = enough.filter(pl.int_range(pl.len()).over("customer_id") < candidates).head(customers * candidates)
    shape = (kept.height // candidates, candidates)
    crowd = Crowd(
        kept["code"].to_numpy().astype(np.int32).reshape(shape),
        kept["preference"].to_numpy().reshape(shape),
        np.zeros(shape),
        np.zeros(shape, np.uint8),
        np.zeros(shape, np.int64),
        np.zeros(shape[0], np.int64),
        np.full(shape[0], NO_BUDGET),
        np.ones(shape[0]),
        np.zeros(shape[0], np.int64),
    )
    rules = exactly(size, quota=1, needs_anchor=False)
    return Instances("complete_journey", size, market._replace(rules=rules), crowd, associations.block, True)


@cache
def _journey() -> tuple[Market, SymmetricPairs, pl.DataFrame]:
    """Return the shop, its pairs, and each customer's candidates, the likeliest first."""
    settings, cut = Settings(), LAST_TRAINING_DAY + timedelta(days=1)
    baskets, products = complete_journey()
    codes = products.sort("product_id").select("product_id", "category").with_row_index("code")
    past = Shop(baskets.filter(pl.col("basket_on") < cut), products)
    least = settings.preference.min_customer_baskets
    targets = requests_between(baskets, cut, cut + timedelta(days=TEST_DAYS - 1), least, min_products=2)
    candidates = asked(past, targets.head(CUSTOMERS), settings)
    model = PersonalFrequency().fit(past.baskets, past.products, candidates)
    found = (
        scored(model, past, candidates)
        .join(codes, on="product_id")
        .sort("customer_id", "preference", "product_id", descending=[False, True, False])
        .select("customer_id", "code", "preference")
    )
    pairs = _pairs(past.baskets, codes)
    alone = pl.concat_str(pl.lit("\0"), pl.col("product_id"))  # products without a category share it with nobody
    market = Market(
        np.zeros(codes.height, np.int64),
        np.full(codes.height, UNKNOWN_MARGIN),
        codes.select(pl.coalesce("category", alone).rank("dense")).to_series().to_numpy().astype(np.int32),
        pairs.starts,
        pairs.neighbours,
        pairs.values,
        pairs.values,
        np.zeros(len(pairs.values), bool),
        int(Objective.EXPECTED_JOINT_PURCHASE),
        COST_PER_PRODUCT,
        exactly(2, quota=1, needs_anchor=False),
    )
    return market, pairs, found


def _pairs(baskets: pl.DataFrame, codes: pl.DataFrame) -> SymmetricPairs:
    lifts = fit_cooccurrence(index_baskets(baskets), CooccurrenceParams()).frame("lift")
    coded = lifts.join(codes.select("code", product_a="product_id"), on="product_a").join(
        codes.select("code", product_b="product_id"), on="product_b", suffix="_b"
    )
    first, second = (coded[name].to_numpy().astype(np.int32) for name in ("code", "code_b"))
    return SymmetricPairs.of(first, second, coded["association"].to_numpy(), codes.height)
