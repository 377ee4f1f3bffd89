"""How well associations complete baskets and tell pairs, and how fast pairs are counted.

Complete Journey at 2017-12-03: pairs are counted on household-days up to then and judged on those of the four weeks
after it. Products in at least 50 baskets. Peer is the commissioning formula over attributes. Counting is compared
with the sparse matrix product B'B of scipy at the same minimum count, on all baskets of the year, by CPU time.

Run as ``python -m benchmarks.association [--quick] --json FILE``; ``--quick`` counts a quarter of the baskets.
"""

import time
from collections.abc import Callable

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.association.baselines import AttributeCosine, attribute_vectors
from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.association.counting import count_pairs
from ml.evaluation.bootstrap import bootstrap_mean
from ml.evaluation.pair_metrics import Reading, measure, sample_pairs

SEED = 20170101
PEER = "scaled_cosine"
MIN_COUNT = 30
"""Of the counting race: the count at which the published figures were taken."""


def main() -> None:
    """Count, measure and report."""
    options = arguments(__doc__)
    baskets, products = complete_journey()
    if options.quick:
        baskets = baskets.filter(pl.col("customer_id").hash(SEED) % 4 == 0)
    past = index_baskets(baskets.filter(pl.col("basket_on") <= LAST_TRAINING_DAY))
    started = time.process_time()
    model = fit_cooccurrence(past, CooccurrenceParams())
    rows = [
        Row("association/fit/cpu_seconds", time.process_time() - started, "s"),
        Row("association/fit/pairs", len(model.first), "pairs"),
    ]
    held_out = index_baskets(baskets.filter(pl.col("basket_on") > LAST_TRAINING_DAY), model.product_ids)
    catalogue = pl.DataFrame({"product_id": model.product_ids}).join(
        products.with_columns(category_path=pl.concat_str("department", "category", "title", separator=" > ")),
        on="product_id",
        how="left",
        maintain_order="left",
    )
    rows += _quality(
        {
            "lift": model.matrix("lift"),
            "population_lift": model.matrix("population_lift"),
            "cosine": model.matrix("cosine"),
            PEER: AttributeCosine(attribute_vectors(catalogue)),
        },
        model.product_baskets,
        held_out,
    )
    rows += _counting(index_baskets(baskets))
    size = f"{past.baskets_total} baskets, {len(model.product_ids)} products"
    write_report("association", f"Complete Journey at {LAST_TRAINING_DAY}, {size}", rows, options.json)


def _quality(readings: dict[str, Reading], product_baskets: np.ndarray, held_out: IndexedBaskets) -> list[Row]:
    first, second, pair_baskets, _ = count_pairs(held_out, 1)
    sample = sample_pairs(first, second, pair_baskets, product_baskets, SEED)
    found = {
        name: measure(reading, sample, held_out.starts, held_out.items, held_out.customers, SEED)
        for name, reading in readings.items()
    }
    peer = found[PEER][0]
    rows = []
    for name, (metrics, recall) in found.items():
        interval = bootstrap_mean(recall)
        for metric, value in metrics.items():
            low, high = (interval.low, interval.high) if metric == "completion_recall_10" else (None, None)
            row = Row(f"association/{name}/{metric}", value, "share", low, high)
            rows.append(row if name == PEER else Row(row.name, value, "share", low, high, PEER, value / peer[metric]))
    return rows


def _counting(baskets: IndexedBaskets) -> list[Row]:
    """Return CPU seconds of the counter and of B'B; both must find the same pairs."""
    ours_seconds, ours = _timed(lambda: len(count_pairs(baskets, MIN_COUNT)[0]))
    theirs_seconds, theirs = _timed(lambda: _matrix_product(baskets))
    if ours != theirs:
        raise SystemExit(f"the counters disagree: {ours} pairs against {theirs}")
    return [
        Row(
            "association/counting/cpu_seconds", ours_seconds, "s", peer="scipy B'B", ratio=ours_seconds / theirs_seconds
        ),
        Row("association/counting_scipy/cpu_seconds", theirs_seconds, "s"),
        Row("association/counting/pairs", ours, "pairs"),
    ]


def _timed(work: Callable[[], int]) -> tuple[float, int]:
    work()  # compiled and warm
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def _matrix_product(baskets: IndexedBaskets) -> int:
    kept = np.flatnonzero(baskets.product_baskets() >= MIN_COUNT)
    shape = (baskets.baskets_total, len(baskets.product_ids))
    held = sparse.csr_matrix((np.ones(len(baskets.items), np.int32), baskets.items, baskets.starts), shape)[:, kept]
    return int((sparse.triu(held.T @ held, 1).data >= MIN_COUNT).sum())


if __name__ == "__main__":
    main()
