"""How well preferences are ranked and calibrated, on the weeks after three last training days.

Complete Journey at 2017-12-03 (the published test) and at the two days 28 and 56 days before it: every model sees
household-days up to then and is judged on each customer's first basket of the four weeks after it. Products in at
least 50 baskets so far, baskets of at least two products, customers with at least 8: the protocol of the published
figures; customers with fewer are judged apart. Everything is scored on the same candidates; what was bought but never
proposed counts as missed. Intervals are 95 % bootstraps over customers; differences are paired. Rows without a day are
those of the published test. Sequence models take part where torch is installed, GRU and LSTM after the last day only.

Run as ``python -m benchmarks.preference [--quick] --json FILE``; ``--quick`` takes 400 customers and the last day, and
no sequence model.
"""

import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.evaluation.metrics import base_rate_brier, brier, by_customer, expected_calibration_error, repeat_and_explore
from ml.evaluation.splits import requests_between, rolling_origins
from ml.preference.contract import PreferenceModel
from ml.preference.features import GROUPS
from ml.preference.load import DEEP, KINDS, kind_of
from ml.preference.ranker import Ranker
from ml.settings import Settings
from ml.training import Shop, asked, examples, fitted_ranker, scored

PEER = "tifu_knn"
TEST_DAYS, PERIODS, MIN_PRODUCTS, QUICK_CUSTOMERS, SEED = 28, 3, 2, 400, 20170101
METRICS = ("recall_10", "recall_20", "ndcg_10", "phr_10")
APART = ("recall_10", "ndcg_10")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Period:
    """One last training day: what was known, who is asked for, and who is new.

    Attributes
    ----------
    past
        Baskets up to the day, products with evidence by then.
    targets, strangers
        Requests of customers with enough baskets, and of those with fewer or none.
    """

    through: date
    past: Shop
    targets: pl.DataFrame
    strangers: pl.DataFrame

    @property
    def label(self) -> str:
        """Return what row names of the period end with."""
        return "" if self.through == LAST_TRAINING_DAY else f"/{self.through}"


@dataclass(frozen=True)
class Judged:
    """What one model made of one period.

    Attributes
    ----------
    table, strangers
        Metrics by customer, of those with enough baskets and of the others.
    apart
        The same of repeats and of first purchases.
    probability, outcome
        (candidates,) of the customers with enough baskets.
    fit_seconds
        CPU seconds.
    """

    table: pl.DataFrame
    strangers: pl.DataFrame
    apart: dict[str, pl.DataFrame]
    probability: Floats
    outcome: Floats
    fit_seconds: float


def main() -> None:
    """Fit, score and report."""
    options = arguments(__doc__)
    settings = Settings()
    days = rolling_origins(LAST_TRAINING_DAY, 1 if options.quick else PERIODS, TEST_DAYS)
    rows: list[Row] = []
    tables: dict[date, dict[str, pl.DataFrame]] = {}
    for through in days:
        period = _period(through, options.quick, settings)
        deep = ("transformer",) if through < LAST_TRAINING_DAY else tuple(DEEP)
        found, more = _judged(period, settings, () if options.quick or find_spec("torch") is None else deep)
        rows += [*_rankings(found, period.label), *_calibrations(found, period.label), *more]
        tables[through] = {name: one.table for name, one in found.items()}
    rows += _pooled(tables)
    customers = ", ".join(f"{found[PEER].height} customers after {through}" for through, found in tables.items())
    write_report("preference", f"Complete Journey, {customers}", rows, options.json)


def _period(through: date, is_quick: bool, settings: Settings) -> Period:
    baskets, products = complete_journey(through=through)
    baskets = baskets.filter(pl.col("basket_products") >= MIN_PRODUCTS)
    if is_quick:
        some = baskets["customer_id"].unique().sort().sample(QUICK_CUSTOMERS, seed=SEED)
        baskets = baskets.filter(pl.col("customer_id").is_in(some.implode()))
    cut, last = through + timedelta(days=1), through + timedelta(days=TEST_DAYS)
    least = settings.preference.min_customer_baskets
    return Period(
        through,
        Shop(baskets.filter(pl.col("basket_on") < cut), products),
        requests_between(baskets, cut, last, least),
        requests_between(baskets, cut, last, 0, max_baskets=least - 1),
    )


def _judged(period: Period, settings: Settings, deep: tuple[str, ...]) -> tuple[dict[str, Judged], list[Row]]:
    """Return what each model made of the period, and rows about the candidates and the ranker's features."""
    past, targets = period.past, period.targets
    candidates, unknown = asked(past, targets, settings), asked(past, period.strangers, settings)
    sizes, few = (_sizes(requests) for requests in (targets, period.strangers))
    learned = examples(past, period.through, settings)
    found = {}
    for name in (*KINDS, *deep):
        started = time.process_time()
        model = _fitted(name, past, period.through, learned, settings)
        seconds = time.process_time() - started
        frame = scored(model, past, candidates)
        found[name.removeprefix("global_")] = Judged(
            by_customer(frame, sizes),
            by_customer(scored(model, past, unknown), few),
            repeat_and_explore(frame, sizes),
            frame["preference"].to_numpy(),
            frame["is_bought"].to_numpy().astype(np.float64),
            seconds,
        )
        print(f"{period.through} {name}: {seconds:.0f} CPU s", file=sys.stderr, flush=True)
        if isinstance(model, Ranker):
            gains = model.importance()
    recall = int(candidates["is_bought"].sum()) / int(sizes["products"].sum())
    shares = {group.replace(" ", "_"): sum(gains[name] for name in names) for group, names in GROUPS.items()}
    return found, [
        Row(f"preference/candidates/recall{period.label}", recall, "share"),
        *(Row(f"preference/ranker/gain_of_{group}{period.label}", share, "share") for group, share in shares.items()),
    ]


def _fitted(name: str, past: Shop, through: date, learned: pl.DataFrame, settings: Settings) -> PreferenceModel:
    """Return the model as a shop would use it: the number of rounds found on a validation, then all data."""
    if name == Ranker.kind:
        ranker, learned = fitted_ranker(past, through, settings, SEED)
        return ranker.refit(past.baskets, past.products, learned)
    model = kind_of(name)().fit(past.baskets, past.products, learned)
    return model.refit(past.baskets, past.products, learned) if name in DEEP else model  # type: ignore[attr-defined]


def _sizes(requests: pl.DataFrame) -> pl.DataFrame:
    return requests.select("customer_id", products=pl.col("product_ids").list.len())


def _rankings(found: dict[str, Judged], label: str) -> list[Row]:
    """Return ranking metrics of all that was bought, of repeats and first purchases, and of new customers."""
    rows = _compared({name: one.table for name, one in found.items()}, METRICS, "", label)
    for kind in ("repeat", "explore"):
        rows += _compared({name: one.apart[kind] for name, one in found.items()}, APART, f"{kind}_", label)
    return rows + _compared({name: one.strangers for name, one in found.items()}, APART, "new_customers_", label)


def _compared(tables: dict[str, pl.DataFrame], metrics: tuple[str, ...], kind: str, label: str) -> list[Row]:
    rows: list[Row] = []
    peer = tables[PEER]
    for name, table in tables.items() if peer.height else ():
        for metric in metrics:
            values, others = table[metric].to_numpy(), peer[metric].to_numpy()
            mean, path = bootstrap_mean(values, seed=SEED), f"preference/{name}/{kind}{metric}"
            ratio = mean.value / others.mean() if name != PEER and others.mean() > 0 else None
            rows.append(Row(f"{path}{label}", *_facts(mean), PEER if ratio is not None else None, ratio))
            if name != PEER:
                rows.append(Row(f"{path}_gain{label}", *_facts(paired_bootstrap(values, others, seed=SEED)), PEER))
    return rows


def _pooled(tables: dict[date, dict[str, pl.DataFrame]]) -> list[Row]:
    """Return what each model gains over the peer in all periods together, resampled by customer."""
    rows = []
    for name in [name for name in next(iter(tables.values())) if name != PEER]:  # the first period has the fewest
        joined = pl.concat(
            found[name].join(found[PEER], on="customer_id", suffix="_peer").select("customer_id", *(
                (pl.col(metric) - pl.col(f"{metric}_peer")).alias(metric) for metric in METRICS))
            for found in tables.values()
        )  # fmt: skip
        means = joined.group_by("customer_id").agg(pl.col(*METRICS).mean()).sort("customer_id")
        for metric in METRICS:
            gain = bootstrap_mean(means[metric].to_numpy(), seed=SEED)
            rows.append(Row(f"preference/{name}/{metric}_gain/pooled", *_facts(gain), PEER))
    return rows


def _facts(interval: Interval) -> tuple[float, str, float, float]:
    return interval.value, "share", interval.low, interval.high


def _calibrations(found: dict[str, Judged], label: str) -> list[Row]:
    rows = []
    for name, one in found.items():
        p, y = one.probability, one.outcome
        base, score = base_rate_brier(y), brier(p, y)
        rows += [
            Row(f"preference/{name}/brier{label}", score, "score", peer="base_rate", ratio=score / base),
            Row(f"preference/{name}/ece{label}", expected_calibration_error(p, y), "share"),
            Row(f"preference/{name}/fit_seconds{label}", one.fit_seconds, "CPU s"),
        ]
    return rows


if __name__ == "__main__":
    main()
