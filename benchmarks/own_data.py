"""What ``python -m ml evaluate`` finds on Online Retail II, turned into a folder of the raw contract.

Each customer's last basket among all products, from what everybody had bought before its day; a basket is a customer's
day. ``champion`` is what the validation (each customer's last basket but one) chose; rows ``_over_tifu_knn`` are its
differences from TIFU-KNN by customer, in the same run. Completion and the generation of bundles are in
:mod:`benchmarks.association`.

Run as ``python -m benchmarks.own_data [--quick] --json FILE``; ``--quick`` takes a quarter of the customers.
"""

import tempfile
from pathlib import Path

import polars as pl

from benchmarks import own_folders
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.settings import Settings
from ml.trials import next_basket
from ml.trials.shop import Files, read_files

SEED = 0
DATA = "online_retail_ii"
MODELS = ("popularity", "personal_frequency", "personal_decayed", "item_cosine", "tifu_knn", "rolling_trees")
PEER = "tifu_knn"
METRICS = ("recall_10", "ndcg_10", "recall_20", "phr_10")


def main() -> None:
    """Convert, run and report; without the data say so."""
    options = arguments(__doc__)
    if not own_folders.has_retail():
        return
    settings = Settings()
    with tempfile.TemporaryDirectory() as folder:
        own_folders.write_retail(Path(folder))
        files = read_files(Path(folder), settings.source.quarantine_limit_share)
    best, found = next_basket.compare(_quarter(files) if options.quick else files, None, MODELS, SEED, settings)
    print(f"{DATA}: the validation chose {best}", flush=True)
    rows = []
    for name, table in {"champion": found[best], **found}.items():
        for metric in METRICS:
            ours, peers = table[metric].to_numpy(), found[PEER][metric].to_numpy()
            row_name = f"preference/{name}/{DATA}/{metric}"
            rows.append(_row(row_name, bootstrap_mean(ours), None if name == PEER else float(peers.mean())))
            if name == "champion":
                rows.append(_row(f"{row_name}_over_{PEER}", paired_bootstrap(ours, peers), None))
    write_report("own_data", "folders in the raw contract", rows, options.json)


def _quarter(files: Files) -> Files:
    kept = files.tables["orders"].filter(pl.col("customer_id").hash(SEED) % 4 == 0)
    items = files.tables["order_items"].join(kept, on="order_id", how="semi", maintain_order="left")
    return Files({**files.tables, "orders": kept, "order_items": items})


def _row(name: str, mean: Interval, peer: float | None) -> Row:
    is_compared = peer is not None and peer > 0
    ratio = mean.value / peer if peer is not None and peer > 0 else None
    return Row(name, mean.value, "share", mean.low, mean.high, PEER if is_compared else None, ratio)


if __name__ == "__main__":
    main()
