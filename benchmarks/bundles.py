"""Which policy picks bundles that are bought.

Complete Journey at 2017-12-03 (the published test) and at the two days 28 and 56 days before it: preferences and pairs
know household-days up to then; each policy offers every customer (at least 8 baskets) the best five disjoint pairs of
140 candidates, judged on the first basket of the four weeks after it; baskets of one product neither teach nor judge.
Same preferences, candidates and size: only the rule differs. Intervals are 95 % bootstraps by customer, differences are
paired. The cross-sell variant asks for a product the customer never bought. ``predicted_over_actual`` holds the joint
probabilities of the pairs on offer, as this project estimates them, against the pairs that were bought; popular and
personal pairs are rules that need no model. Solvers are compared by :mod:`benchmarks.optimizer`.

Run as ``python -m benchmarks.bundles [--quick] --json FILE``; ``--quick`` takes 400 customers and the last day.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from benchmarks.rules import Pairs, personal_pairs, popular_pairs
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence
from ml.association.symmetric import SymmetricPairs
from ml.evaluation.bootstrap import bootstrap_mean, paired_bootstrap
from ml.evaluation.bundle_metrics import BundleScores, ratio_interval, score_bundles
from ml.evaluation.splits import requests_between, rolling_origins
from ml.optimizer.limits import Limits
from ml.policies.backtest import HeldOut, choose_pairs, held_out_customers
from ml.policies.named import BASELINE, COMPARED, OURS, POLICIES
from ml.policies.shelf import Shelf, shortlist
from ml.settings import Settings
from ml.training import Shop, asked, fitted_ranker, scored

SEED, TEST_DAYS, PERIODS, MIN_PRODUCTS, QUICK_CUSTOMERS, PLACES = 20170101, 28, 3, 2, 400, 5
PRICE_CENTS = 300
"""The data hold no list price; without a budget it decides nothing."""

Scores = dict[tuple[str, bool], BundleScores]
"""By name of the policy, and whether it is the cross-sell variant."""


def main() -> None:
    """Fit, compare the policies, report."""
    options = arguments(__doc__)
    settings = Settings()
    rows: list[Row] = []
    sizes = []
    for through in rolling_origins(LAST_TRAINING_DAY, 1 if options.quick else PERIODS, TEST_DAYS):
        scores = _period(through, options.quick, settings)
        rows += _quality(scores, "" if through == LAST_TRAINING_DAY else f"/{through}")
        sizes.append(f"{len(scores[OURS, False].hit)} customers after {through}")
    data = f"Complete Journey, {', '.join(sizes)}, {settings.candidates.per_customer} candidates each"
    write_report("bundles", data, rows, options.json)


def _period(through: date, is_quick: bool, settings: Settings) -> Scores:
    baskets, products = complete_journey(through=through)
    baskets = baskets.filter(pl.col("basket_products") >= MIN_PRODUCTS)
    if is_quick:
        some = baskets["customer_id"].unique().sort().sample(QUICK_CUSTOMERS, seed=SEED)
        baskets = baskets.filter(pl.col("customer_id").is_in(some.implode()))
    unknown = {"margin_cents": pl.lit(None, pl.Int32), "available_units": pl.lit(None, pl.Int32)}
    products = products.with_columns(price_cents=pl.lit(PRICE_CENTS), **unknown)
    cut, last = through + timedelta(days=1), through + timedelta(days=TEST_DAYS)
    targets = requests_between(baskets, cut, last, settings.preference.min_customer_baskets)
    past = Shop(baskets.filter(pl.col("basket_on") < cut), products)
    ranker, learned = fitted_ranker(past, through, settings, SEED)
    ranker.refit(past.baskets, past.products, learned)
    found = scored(ranker, past, asked(past, targets, settings)).with_columns(
        is_bought_before=pl.col("sources").list.contains("bought"), is_in_stock=pl.lit(True), is_asked=pl.lit(False)
    )
    counts = fit_cooccurrence(index_baskets(past.baskets), CooccurrenceParams())
    return _policies(past, counts, shortlist(found, settings.candidates.per_customer), settings.threads)


def _policies(past: Shop, counts: Cooccurrence, shortlisted: pl.DataFrame, threads: int) -> Scores:
    lifts = Shelf.of(past.products, counts.frame("lift"), counts.params)
    customers = held_out_customers(lifts, shortlisted)
    names = shortlisted["customer_id"].unique(maintain_order=True).to_list()
    pairs = counts.frame("evidence")
    first, second = (lifts.codes(pairs[name]).astype(np.int32) for name in ("product_a", "product_b"))
    sold = SymmetricPairs.of(first, second, pairs["pair_baskets"].to_numpy().astype(float), len(lifts.product_ids))
    scores = {}
    for is_cross_sell in (False, True):
        offers: dict[str, list[Pairs]] = {
            "popular_pairs": list(popular_pairs(sold, customers, is_cross_sell, PLACES)),
            "personal_pairs": list(personal_pairs(past.baskets, names, lifts, customers, is_cross_sell, PLACES)),
        }
        for name in COMPARED:
            policy = POLICIES[name]
            shelf = Shelf.of(past.products, counts.frame(policy.association), counts.params)
            chosen = choose_pairs(shelf, policy, customers, is_cross_sell, PLACES, threads)
            offers[name] = [[one.items for one in solutions if one.items] for solutions in chosen]
        scores |= {(name, is_cross_sell): _scored(offered, lifts, customers) for name, offered in offers.items()}
    return scores


def _scored(offered: list[Pairs], lifts: Shelf, customers: list[HeldOut]) -> BundleScores:
    claimed, limits = [], Limits(max_size=2)
    for pairs, one in zip(offered, customers, strict=True):
        joint = lifts.problem(POLICIES[OURS], one.codes, one.preference, limits, spread=one.spread).pair_values
        claimed.append([float(joint[pair]) for pair in pairs])
    return score_bundles(offered, claimed, [one.in_basket for one in customers], PLACES)


def _quality(scores: Scores, label: str) -> list[Row]:
    rows = []
    for (name, is_cross_sell), own in scores.items():
        peer, kind = scores[BASELINE, is_cross_sell], "cross_sell_" if is_cross_sell else ""
        path = f"bundles/{'ours' if name == OURS else name}/{kind}"
        for metric, values, theirs in (("hit_5", own.hit, peer.hit), ("p_5", own.precision, peer.precision)):
            mean, other = bootstrap_mean(values, seed=SEED), float(theirs.mean())
            ratio = mean.value / other if name != BASELINE and other else None
            rows.append(Row(f"{path}{metric}{label}", mean.value, "share", mean.low, mean.high,
                            None if name == BASELINE else BASELINE, ratio))  # fmt: skip
        calibrated = ratio_interval(own.predicted, own.bought, 1000, SEED)
        if calibrated:
            rows.append(Row(f"{path}predicted_over_actual{label}", calibrated[0], "ratio", *calibrated[1:]))
        if name != OURS:
            ours = scores[OURS, is_cross_sell]
            for metric, mine, others in (("hit_5", ours.hit, own.hit), ("p_5", ours.precision, own.precision)):
                gain = paired_bootstrap(mine, others, seed=SEED)
                row = f"bundles/ours/{kind}{metric}_over_{name}{label}"
                rows.append(Row(row, gain.value, "share", gain.low, gain.high, name))
    return rows


if __name__ == "__main__":
    main()
