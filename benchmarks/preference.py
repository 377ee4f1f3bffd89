"""How well preferences are ranked and calibrated, on the weeks after three last training days.

Complete Journey at 2017-12-03 (the published test) and at the two days 28 and 56 days before it: every model sees
household-days up to then and is judged on each customer's first basket of the four weeks after it. Products in at
least 50 baskets so far, baskets of at least two products, customers with at least 8: the protocol of the published
figures; customers with fewer are judged apart. Everything is scored on the same candidates; what was bought but never
proposed counts as missed. Intervals are 95 % bootstraps over customers; differences are paired. Rows without a day are
those of the published test. Sequence models take part where torch is installed, GRU and LSTM after the last day only.
``next_28_days`` asks every customer, whether or not they came, what they bought within four weeks, after the last day.

Run as ``python -m benchmarks.preference [--quick] --json FILE``; ``--quick`` takes 400 customers, the day before the
published test weeks, and no sequence model, so that nothing is chosen by looking at the test.
"""

import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.periods import EARLIER_DAY
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.bootstrap import (
    Interval,
    bootstrap_mean,
    calibration_bootstrap,
    clustered_bootstrap,
    paired_bootstrap,
)
from ml.evaluation.metrics import base_rate_brier, by_customer, repeat_and_explore
from ml.evaluation.splits import requests_between, rolling_origins
from ml.preference.contract import PreferenceModel
from ml.preference.features import GROUPS
from ml.preference.load import DEEP, KINDS, kind_of
from ml.preference.ranker import Ranker
from ml.settings import Settings
from ml.training import Shop, asked, examples, ranker_params, scored, targets_of

PEER = "tifu_knn"
TEST_DAYS, PERIODS, MIN_PRODUCTS, QUICK_CUSTOMERS, SEED = 28, 3, 2, 400, 20170101
METRICS = ("recall_10", "recall_20", "ndcg_10", "phr_10")
APART = ("recall_10", "ndcg_10")
WITHIN_28_DAYS = ("ranker", PEER, "personal_decayed")
"""What is judged on the longer horizon; those that only count say how often, not within how long."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Period:
    """One last training day: what was known, who is asked for, and who is new.

    Attributes
    ----------
    past, later
        Baskets up to the day with the products that have evidence by then, and the baskets after it.
    targets, strangers
        Requests of customers with enough baskets, and of those with fewer or none.
    """

    through: date
    past: Shop
    later: pl.DataFrame
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
    probability, outcome, customer
        (candidates,) of the customers with enough baskets, who are numbered.
    fit_seconds
        CPU seconds.
    """

    table: pl.DataFrame
    strangers: pl.DataFrame
    apart: dict[str, pl.DataFrame]
    probability: Floats
    outcome: Floats
    customer: NDArray[np.int64]
    fit_seconds: float


def main() -> None:
    """Fit, score and report."""
    options = arguments(__doc__)
    settings = Settings()
    days = [EARLIER_DAY] if options.quick else rolling_origins(LAST_TRAINING_DAY, PERIODS, TEST_DAYS)
    has_torch = find_spec("torch") is not None
    if not (options.quick or has_torch):
        print("skipped: no torch: no row of a sequence model", flush=True)
    rows: list[Row] = []
    tables: dict[date, dict[str, pl.DataFrame]] = {}
    for through in days:
        period = _period(through, options.quick, settings)
        deep = ("transformer",) if through < LAST_TRAINING_DAY else tuple(DEEP)
        found, more = _judged(period, settings, deep if has_torch and not options.quick else ())
        rows += [*_rankings(found, period.label), *_calibrations(found, period.label), *more]
        tables[through] = {name: one.table for name, one in found.items()}
    rows += _pooled(tables) + _within_28_days(period, settings)
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
        baskets.filter(pl.col("basket_on") >= cut),
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
        model = _fitted(name, past, learned, settings)
        seconds = time.process_time() - started
        frame = scored(model, past, candidates)
        found[name.removeprefix("global_")] = Judged(
            by_customer(frame, sizes),
            by_customer(scored(model, past, unknown), few),
            repeat_and_explore(frame, sizes),
            frame["preference"].to_numpy(),
            frame["is_bought"].to_numpy().astype(np.float64),
            frame["customer_id"].rle_id().to_numpy().astype(np.int64),
            seconds,
        )
        print(f"{period.through} {name}: {seconds:.0f} CPU s", file=sys.stderr, flush=True)
        if name == Ranker.kind:
            gains = model.importance()  # type: ignore[attr-defined]
    recall = int(candidates["is_bought"].sum()) / int(sizes["products"].sum())
    shares = {group.replace(" ", "_"): sum(gains[name] for name in names) for group, names in GROUPS.items()}
    return found, [
        Row(f"preference/candidates/recall{period.label}", recall, "share"),
        *(Row(f"preference/ranker/gain_of_{group}{period.label}", share, "share") for group, share in shares.items()),
    ]


def _fitted(name: str, past: Shop, learned: pl.DataFrame, settings: Settings) -> PreferenceModel:
    """Return the model as a shop would use it: the number of rounds found on a validation, then all data."""
    kind: Any = kind_of(name)
    model: Any = kind(ranker_params(settings, SEED)) if issubclass(kind, Ranker) else kind()
    fitted: PreferenceModel = model.fit(past.baskets, past.products, learned)
    if name in DEEP or issubclass(kind, Ranker):
        return model.refit(past.baskets, past.products, learned)  # type: ignore[no-any-return]
    return fitted


def _within_28_days(period: Period, settings: Settings) -> list[Row]:
    """Return ranking and calibration where all that is bought within four weeks is the answer, asked of everybody."""
    wanted = settings.preference.model_copy(update={"horizon": "next_28_days"})
    wider, past = settings.model_copy(update={"preference": wanted}), period.past
    cut = period.through + timedelta(days=1)
    everything = pl.concat([past.baskets, period.later])
    targets = targets_of(everything, cut, cut, wanted.min_customer_baskets, wider)
    candidates, sizes = asked(past, targets, wider), _sizes(targets)
    learned = examples(past, period.through, wider)
    found = {}
    for name in WITHIN_28_DAYS:
        started = time.process_time()
        model = _fitted(name, past, learned, wider)
        seconds = time.process_time() - started
        frame = scored(model, past, candidates)
        table = by_customer(frame, sizes)
        outcome = frame["is_bought"].to_numpy().astype(np.float64)
        customer = frame["customer_id"].rle_id().to_numpy().astype(np.int64)
        found[name] = Judged(table, table.clear(), {}, frame["preference"].to_numpy(), outcome, customer, seconds)
    tables = {name: one.table for name, one in found.items()}
    return _compared(tables, METRICS, "next_28_days/", "") + _calibrations(found, "", "next_28_days/")


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


def _calibrations(found: dict[str, Judged], label: str, kind: str = "") -> list[Row]:
    rows = []
    for name, one in found.items():
        errors = clustered_bootstrap((one.probability - one.outcome) ** 2, one.customer, seed=SEED)
        gap = calibration_bootstrap(one.probability, one.outcome, one.customer, seed=SEED)
        path = f"preference/{name}/{kind}"
        rows += [
            Row(f"{path}brier{label}", errors.value, "score", errors.low, errors.high, "base_rate",
                errors.value / base_rate_brier(one.outcome)),
            Row(f"{path}ece{label}", gap.value, "share", gap.low, gap.high),
            Row(f"{path}fit_seconds{label}", one.fit_seconds, "CPU s"),
        ]  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
