"""Which policy picks bundles that are bought.

Complete Journey at 2017-12-03: preferences and pairs know household-days up to then; each policy offers every
customer (at least 8 baskets) the best five disjoint pairs of 140 candidates, judged on the first basket of two or
more products in the four weeks after it. Same preferences, candidates and size: only the rule differs. Intervals are
95 % bootstraps by customer, differences are paired. The cross-sell variant asks for a product the customer never
bought. Solvers are compared by :mod:`benchmarks.optimizer`.

Run as ``python -m benchmarks.bundles [--quick] --json FILE``; ``--quick`` takes 400 customers.
"""

from datetime import timedelta

import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence
from ml.evaluation.bootstrap import bootstrap_mean, paired_bootstrap
from ml.evaluation.bundle_metrics import BundleScores, ratio_interval
from ml.evaluation.splits import requests_between
from ml.policies.backtest import HeldOut, backtest, held_out_customers
from ml.policies.named import BASELINE, COMPARED, OURS, POLICIES
from ml.policies.shelf import Shelf, shortlist
from ml.settings import Settings
from ml.training import Shop, asked, fitted_ranker, scored

SEED, TEST_DAYS, QUICK_CUSTOMERS = 20170101, 28, 400
PRICE_CENTS = 300
"""The data hold no list price; without a budget it decides nothing."""


def main() -> None:
    """Fit, compare the policies, report."""
    options = arguments(__doc__)
    settings = Settings()
    shop = _shop(options.quick)
    cut = LAST_TRAINING_DAY + timedelta(days=1)
    last, least = cut + timedelta(days=TEST_DAYS - 1), settings.preference.min_customer_baskets
    targets = requests_between(shop.baskets, cut, last, least, min_products=2)
    past = Shop(shop.baskets.filter(pl.col("basket_on") < cut), shop.products)
    ranker, learned = fitted_ranker(past, LAST_TRAINING_DAY, settings, SEED)
    ranker.refit(past.baskets, past.products, learned)
    found = scored(ranker, past, asked(past, targets, settings)).with_columns(
        is_bought_before=pl.col("sources").list.contains("bought"), is_in_stock=pl.lit(True), is_asked=pl.lit(False)
    )
    counts = fit_cooccurrence(index_baskets(past.baskets), CooccurrenceParams())
    shortlisted = shortlist(found, settings.candidates.per_customer)
    scores, customers = _policies(shop, counts, shortlisted, settings.threads)
    rows = _quality(scores)
    size = f"{len(customers)} customers, {settings.candidates.per_customer} candidates each"
    write_report("bundles", f"Complete Journey after {LAST_TRAINING_DAY}, {size}", rows, options.json)


def _shop(is_quick: bool) -> Shop:
    baskets, products = complete_journey()
    if is_quick:
        some = baskets["customer_id"].unique().sort().sample(QUICK_CUSTOMERS, seed=SEED)
        baskets = baskets.filter(pl.col("customer_id").is_in(some.implode()))
    priced = products.with_columns(price_cents=pl.lit(PRICE_CENTS), available_units=pl.lit(None, pl.Int32))
    return Shop(baskets, priced)


def _policies(
    shop: Shop, counts: Cooccurrence, shortlisted: pl.DataFrame, threads: int
) -> tuple[dict[tuple[str, bool], BundleScores], list[HeldOut]]:
    scores = {}
    customers: list[HeldOut] = []
    for name in COMPARED:
        policy = POLICIES[name]
        shelf = Shelf.of(shop.products, counts.frame(policy.association), counts.params)
        customers = held_out_customers(shelf, shortlisted)
        for is_cross_sell in (False, True):
            scores[name, is_cross_sell] = backtest(shelf, policy, customers, is_cross_sell, 5, threads)
    return scores, customers


def _quality(scores: dict[tuple[str, bool], BundleScores]) -> list[Row]:
    rows = []
    for (name, is_cross_sell), own in scores.items():
        peer, tail = scores[BASELINE, is_cross_sell], "_cross_sell" if is_cross_sell else ""
        path = f"bundles/{'ours' if name == OURS else name}"
        for metric, values, theirs in (("hit_5", own.hit, peer.hit), ("precision_5", own.precision, peer.precision)):
            mean, other = bootstrap_mean(values, seed=SEED), float(theirs.mean())
            ratio = mean.value / other if name != BASELINE and other else None
            rows.append(Row(f"{path}/{metric}{tail}", mean.value, "share", mean.low, mean.high,
                            None if name == BASELINE else BASELINE, ratio))  # fmt: skip
        calibrated = ratio_interval(own.predicted, own.bought, 1000, SEED)
        if calibrated and POLICIES[name].is_probability:
            rows.append(
                Row(f"{path}/joint_probability_ratio{tail}", calibrated[0], "predicted / bought", *calibrated[1:])
            )
        if name != OURS:
            gain = paired_bootstrap(scores[OURS, is_cross_sell].hit, own.hit, seed=SEED)
            rows.append(Row(f"bundles/ours/hit_5{tail}_over_{name}", gain.value, "share", gain.low, gain.high, name))
    return rows


if __name__ == "__main__":
    main()
