"""What ``python -m ml evaluate`` finds on Online Retail II, turned into a folder of the raw contract.

Each customer's last basket among all products; a basket is a customer's day. Every model runs beside the one that its
validation chose. Completion and the generation of bundles are in :mod:`benchmarks.association`.

Run as ``python -m benchmarks.own_data [--quick] --json FILE``; ``--quick`` judges two models.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks import own_folders
from benchmarks.report import Row, arguments, write_report
from ml.settings import Settings
from ml.trials import next_basket
from ml.trials.shop import read_files

SEED = 0
MODELS = ("personal_frequency", "popularity", "item_cosine", "tifu_knn", "best")
"""The first is the peer of the others."""


def main() -> None:
    """Convert, run and report; without the data say so."""
    options = arguments(__doc__)
    if not own_folders.are_there():
        print("skipped: data not found")
        return
    settings = Settings()
    with tempfile.TemporaryDirectory() as folder:
        own_folders.write_retail(Path(folder))
        files = read_files(Path(folder), settings.source.quarantine_limit_share)
    rows: list[Row] = []
    peer: Mapping[str, Mapping[str, float]] = {}
    for model in MODELS[:2] if options.quick else MODELS:
        outcome = next_basket.run(files, None, model, SEED, settings)
        peer = peer or outcome.metrics
        label = f"best={outcome.model}" if model == "best" else model
        for metric, mean in outcome.metrics.items():
            against = (None, None) if model == MODELS[0] else (MODELS[0], mean["value"] / peer[metric]["value"])
            name = f"own_data/online_retail_ii/next_basket/{label}/{metric}"
            rows.append(Row(name, mean["value"], "share", mean["low"], mean["high"], *against))
    write_report("own_data", "folders in the raw contract", rows, options.json)


if __name__ == "__main__":
    main()
