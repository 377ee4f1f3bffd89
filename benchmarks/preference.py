"""How well preferences are ranked and calibrated, on the weeks after the last training day.

Complete Journey at 2017-12-03: every model sees household-days up to then and is judged on each customer's first
basket of the four weeks after it. Products in at least 50 baskets, baskets of at least two products, customers with
at least 8: the protocol of the published figures. Everything is scored on the same candidates; what was bought
but never proposed counts as missed. Intervals are 95 % bootstraps over customers; differences are paired.

Run as ``python -m benchmarks.preference [--quick] --json FILE``; ``--quick`` takes 400 customers.
"""

import time
from datetime import timedelta

import numpy as np
import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.evaluation.metrics import base_rate_brier, brier, by_customer, expected_calibration_error, repeat_and_explore
from ml.evaluation.splits import requests_between
from ml.preference.baselines import GlobalPopularity, PersonalDecayed, PersonalFrequency
from ml.preference.contract import PreferenceModel
from ml.preference.features import GROUPS
from ml.preference.ranker import Ranker
from ml.preference.two_tower import TwoTowerAdditive
from ml.settings import Settings
from ml.training import Shop, asked, fitted_ranker, scored

PEER = PersonalDecayed.kind
TEST_DAYS, MIN_PRODUCTS, QUICK_CUSTOMERS, SEED = 28, 2, 400, 20170101
METRICS = ("recall_10", "ndcg_10", "recall_20", "hit_10")
BASELINES: tuple[type[PreferenceModel], ...] = (GlobalPopularity, PersonalFrequency, PersonalDecayed, TwoTowerAdditive)


def main() -> None:
    """Fit, score and report."""
    options = arguments(__doc__)
    settings = Settings()
    shop = _shop(options.quick)
    cut = LAST_TRAINING_DAY + timedelta(days=1)
    targets = requests_between(
        shop.baskets, cut, cut + timedelta(days=TEST_DAYS - 1), settings.preference.min_customer_baskets
    )
    past = Shop(shop.baskets.filter(pl.col("basket_on") < cut), shop.products)
    candidates = asked(past, targets, settings)

    models: dict[str, PreferenceModel] = {}
    seconds: dict[str, float] = {}
    started = time.process_time()
    ranker, learned = fitted_ranker(past, LAST_TRAINING_DAY, settings, SEED)
    models[Ranker.kind] = ranker.refit(past.baskets, past.products, learned)
    seconds[Ranker.kind] = time.process_time() - started
    for kind in BASELINES:
        started = time.process_time()
        models[kind.kind] = kind().fit(past.baskets, past.products, learned)
        seconds[kind.kind] = time.process_time() - started

    found = {name: scored(model, past, candidates) for name, model in models.items()}
    rows = _rankings(found, targets) + _calibrations(found)
    rows += [Row(f"preference/{name}/fit_seconds", value, "CPU s") for name, value in seconds.items()]
    bought = int(targets["product_ids"].list.len().sum())
    rows.append(Row("preference/candidates/recall", int(candidates["is_bought"].sum()) / bought, "share"))
    gains = ranker.importance()
    rows += [
        Row(f"preference/ranker/gain_of_{group.replace(' ', '_')}", sum(gains[name] for name in names), "share")
        for group, names in GROUPS.items()
    ]
    size = f"{targets.height} customers, {candidates.height} candidates"
    write_report("preference", f"Complete Journey after {LAST_TRAINING_DAY}, {size}", rows, options.json)


def _shop(is_quick: bool) -> Shop:
    baskets, products = complete_journey()
    baskets = baskets.filter(pl.col("basket_products") >= MIN_PRODUCTS)
    if is_quick:
        some = baskets["customer_id"].unique().sort().sample(QUICK_CUSTOMERS, seed=SEED)
        baskets = baskets.filter(pl.col("customer_id").is_in(some.implode()))
    return Shop(baskets, products)


def _rankings(found: dict[str, pl.DataFrame], targets: pl.DataFrame) -> list[Row]:
    """Return ranking metrics of all that was bought, then of repeats and of first purchases alone."""
    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())
    rows = _compared({name: by_customer(frame, sizes) for name, frame in found.items()}, METRICS, "")
    apart = {name: repeat_and_explore(frame, sizes) for name, frame in found.items()}
    for kind in ("repeat", "explore"):
        rows += _compared({name: tables[kind] for name, tables in apart.items()}, ("recall_10", "ndcg_10"), f"{kind}_")
    return rows


def _compared(tables: dict[str, pl.DataFrame], metrics: tuple[str, ...], label: str) -> list[Row]:
    rows = []
    peer = tables[PEER]
    for name, table in tables.items():
        for metric in metrics:
            values, others = table[metric].to_numpy(), peer[metric].to_numpy()
            mean = bootstrap_mean(values, seed=SEED)
            ratio = mean.value / others.mean() if name != PEER and others.mean() > 0 else None
            against = PEER if ratio is not None else None
            rows.append(Row(f"preference/{name}/{label}{metric}", *_facts(mean), against, ratio))
            if name == Ranker.kind:
                gain = paired_bootstrap(values, others, seed=SEED)
                rows.append(Row(f"preference/{name}/{label}{metric}_gain", *_facts(gain), PEER))
    return rows


def _facts(interval: Interval) -> tuple[float, str, float, float]:
    return interval.value, "share", interval.low, interval.high


def _calibrations(found: dict[str, pl.DataFrame]) -> list[Row]:
    rows = []
    for name, frame in found.items():
        p, y = frame["preference"].to_numpy(), frame["is_bought"].to_numpy().astype(np.float64)
        base = base_rate_brier(y)
        rows.append(Row(f"preference/{name}/brier", brier(p, y), "score", peer="base_rate", ratio=brier(p, y) / base))
        rows.append(Row(f"preference/{name}/ece", expected_calibration_error(p, y), "share"))
    return rows


if __name__ == "__main__":
    main()
