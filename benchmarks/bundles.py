"""Which policy picks bundles that are bought, and how fast they are solved.

Complete Journey at 2017-12-03: preferences and pairs know household-days up to then; each policy offers every
customer (at least 8 baskets) the best five disjoint pairs of 140 candidates, judged on the first basket of two or
more products in the four weeks after it. Same preferences, candidates and size: only the rule differs. Intervals are
95 % bootstraps by customer, differences are paired. The cross-sell variant asks for a product the customer never
bought. Solvers run on the same customers' real problems, pairs and triples, one per category, by CPU time.

Run as ``python -m benchmarks.bundles [--quick] --json FILE``; ``--quick`` takes 400 customers.
"""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np
import polars as pl
from numba import njit

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import Cooccurrence, CooccurrenceParams, fit_cooccurrence
from ml.evaluation.bootstrap import bootstrap_mean, paired_bootstrap
from ml.evaluation.bundle_metrics import BundleScores, ratio_interval
from ml.evaluation.splits import requests_between
from ml.optimizer.bound import upper_bound
from ml.optimizer.exact import solve_exact
from ml.optimizer.greedy import solve_greedy
from ml.optimizer.problem import BundleProblem, Limits, joint_of_three
from ml.optimizer.solve import solve
from ml.params import RunParams
from ml.policies.backtest import HeldOut, backtest, held_out_customers
from ml.policies.named import BASELINE, OURS, POLICIES, limits_of
from ml.policies.shelf import Shelf, shortlist
from ml.settings import Settings
from ml.training import Shop, asked, fitted_ranker, scored

SEED, TEST_DAYS, QUICK_CUSTOMERS, RACERS = 20170101, 28, 400, 300
PRICE_CENTS = 300
"""The data hold no list price; without a budget it decides nothing."""


def main() -> None:
    """Fit, compare the policies, race the solvers, report."""
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
        is_bought_before=pl.col("sources").list.contains("bought"), is_in_stock=pl.lit(True)
    )
    counts = fit_cooccurrence(index_baskets(past.baskets), CooccurrenceParams())
    shortlisted = shortlist(found, settings.candidates.per_customer)
    scores, customers = _policies(shop, counts, shortlisted, settings.threads)
    rows = _quality(scores)
    rows += _solvers(Shelf.of(shop.products, counts.frame("lift")), customers[:RACERS])
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
    for name, policy in POLICIES.items():
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


def _solvers(shelf: Shelf, customers: Sequence[HeldOut]) -> list[Row]:
    """Race the solvers on the problems of today's run: sizes 2 and 3, one product a category, cost and threshold."""
    limits = limits_of(RunParams())
    problems = [shelf.problem(POLICIES[OURS], one.codes, one.preference, limits) for one in customers]
    racers: dict[str, Callable[[BundleProblem], object]] = {
        "brute_force": _brute_force,
        "greedy": solve_greedy,
        "exact": solve_exact,
        "exact_certified": solve,
        "bound": upper_bound,
    }
    rates = {name: _rate(run, problems) for name, run in racers.items()}
    rows = [
        Row(
            f"bundles/{name}/customers_per_cpu_second",
            rate,
            "1/s",
            peer="brute_force",
            ratio=rate / rates["brute_force"],
        )
        for name, rate in rates.items()
    ]
    for name in ("exact", "greedy"):
        solutions = [solve(problem, name) for problem in problems]
        offered = [solution for solution in solutions if solution.items]
        gaps = np.array([solution.gap_pct for solution in offered])
        optimal = np.mean([solution.status == "optimal" for solution in offered])
        rows.append(Row(f"bundles/{name}/share_proven_optimal", float(optimal), "share"))
        rows.append(Row(f"bundles/{name}/mean_gap", float(gaps.mean()), "% of the bound"))
        rows.append(Row(f"bundles/{name}/share_abstained", 1 - len(offered) / len(solutions), "share"))
    wrong = [p for p in problems if (items := solve_exact(p)) and abs(_brute_force(p) - p.value(items)) > 1e-12]
    rows.append(Row("bundles/exact/differs_from_brute_force", len(wrong), "customers"))
    return rows


def _rate(run: Callable[[BundleProblem], object], problems: Sequence[BundleProblem]) -> float:
    run(problems[0])  # compiled
    started = time.process_time()
    for problem in problems:
        run(problem)
    return len(problems) / (time.process_time() - started)


def _brute_force(problem: BundleProblem) -> float:
    """Return the best value by looking at every pair and triple, compiled too."""
    limits: Limits = problem.limits
    return float(
        _enumerate(problem.pair_values, problem.joint, problem.preference, problem.category, problem.offered(),
                   limits.cost_per_product, limits.min_joint_probability, limits.max_per_category)
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _enumerate(values, joint, preference, category, offered, cost, least, quota):  # type: ignore[no-untyped-def]
    best, n = -np.inf, len(offered)
    for i in range(n):
        for j in range(i + 1, n):
            if not offered[i] or not offered[j]:
                continue
            alike = category[i] == category[j]
            if (quota > 1 or not alike) and joint[i, j] >= least:
                best = max(best, values[i, j] - 2 * cost)
            for k in range(j + 1, n):
                same = 1 + max(alike + (category[i] == category[k]), category[j] == category[k])
                if offered[k] and same <= quota:
                    value = values[i, j] + values[i, k] + values[j, k] - 3 * cost
                    if value > best and joint_of_three(joint[i, j], joint[i, k], joint[j, k], preference[i],
                                                       preference[j], preference[k]) >= least:  # fmt: skip
                        best = value
    return best


if __name__ == "__main__":
    main()
