"""How fast the ranker's trees are scored, beside LightGBM's own prediction, and what smaller trees would save and cost.

The trees are trained on Complete Journey at the last training day before the published test weeks, and judged on the
first basket of the four weeks after it. The rows are candidates of those weeks, repeated to the number asked for:
100,000 customers of 200 candidates are 20 million rows; a million are timed, as the time is proportional to them. Rates
are rows a CPU second on one thread, the best of three rounds taken in turns.

Run as ``python -m benchmarks.scoring [--quick] --json FILE``; ``--quick`` takes 400 customers and 200,000 rows.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.periods import EARLIER_DAY, SEED, period
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.bootstrap import paired_bootstrap
from ml.evaluation.metrics import by_customer
from ml.preference.features import features_of
from ml.preference.history import History
from ml.preference.ranker import Ranker, RankerParams
from ml.preference.tree_scoring import TreeScorer
from ml.settings import Settings
from ml.training import asked, examples, scored

ROWS, QUICK_ROWS, ROUNDS = 1_000_000, 200_000, 3
SMALLER = {"half_the_trees": {"share": 0.5}, "15_leaves": {"leaves": 15}, "8_leaves": {"leaves": 8}}
"""What each variant changes: share of the trees found best, or leaves a tree."""


def main() -> None:
    """Fit, time and report."""
    options = arguments(__doc__)
    settings = Settings()
    shop, targets = period(EARLIER_DAY, options.quick, settings)
    candidates = asked(shop, targets, settings)
    learned = examples(shop, EARLIER_DAY, settings)
    full = Ranker(RankerParams(seed=SEED)).fit(shop.baskets, shop.products, learned)
    features = features_of(History.of(shop.baskets, shop.products), candidates)
    timed = np.resize(features, (QUICK_ROWS if options.quick else ROWS, features.shape[1]))

    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())
    reference = by_customer(scored(full, shop, candidates), sizes)
    rows = _speed("ranker", full, timed)
    for name in SMALLER:
        model = Ranker(smaller(full, name)).fit(shop.baskets, shop.products, learned)
        rows += _speed(name, model, timed)
        table = by_customer(scored(model, shop, candidates), sizes)
        for metric in ("ndcg_10", "recall_20"):
            other, own = table[metric].to_numpy(), reference[metric].to_numpy()
            loss = paired_bootstrap(own, other, seed=SEED)
            part = own.mean()
            rows.append(
                Row(
                    f"scoring/{name}/{metric}_loss",
                    loss.value / part,
                    "share",
                    loss.low / part,
                    loss.high / part,
                    "ranker",
                )
            )
    size = f"{len(timed)} rows, {targets.height} customers after {EARLIER_DAY}"
    write_report("scoring", f"Complete Journey, {size}", rows, options.json)


def smaller(full: Ranker, name: str) -> RankerParams:
    """Return the parameters of a variant in ``SMALLER`` of a fitted ranker."""
    change, params = SMALLER[name], full.params
    trees = round(full.rounds * change["share"]) if "share" in change else params.trees
    return replace(params, trees=trees, leaves=int(change.get("leaves", params.leaves)))


def _speed(name: str, model: Ranker, features: NDArray[np.float32]) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        file = Path(folder) / "trees.txt"
        booster, size = lightgbm.Booster(model_file=str(file)), file.stat().st_size
    ours = TreeScorer.of(booster)
    if ours is None:
        raise ValueError(f"{name}: a tree has too many leaves for the scorer that is measured")
    ours(features[:1])  # compiled before the clock runs

    def theirs(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(booster.predict(rows, raw_score=True, num_threads=1))

    fastest = {"ours": np.inf, "theirs": np.inf}
    for _ in range(ROUNDS):
        for who, score in (("ours", ours), ("theirs", theirs)):
            seconds, _ = _timed(score, features)
            fastest[who] = min(fastest[who], seconds)
    some = features[:100_000]
    difference = float(np.abs(ours(some) - theirs(some)).max())
    rate, peer = (len(features) / fastest[who] for who in ("ours", "theirs"))
    return [
        Row(f"scoring/{name}/rows_per_cpu_second", rate, "rows/s", peer="booster.predict", ratio=rate / peer),
        Row(f"scoring/{name}/largest_difference", difference, "log odds", peer="booster.predict"),
        Row(f"scoring/{name}/trees", booster.num_trees(), "trees"),
        Row(f"scoring/{name}/size", size / 1024, "KiB"),
    ]


def _timed(
    score: Callable[[NDArray[np.float32]], NDArray[np.float64]], features: NDArray[np.float32]
) -> tuple[float, NDArray[np.float64]]:
    started = time.process_time()
    answer = score(features)
    return time.process_time() - started, answer


if __name__ == "__main__":
    main()
