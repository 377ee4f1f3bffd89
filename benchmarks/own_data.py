"""What ``python -m ml evaluate`` finds on two public data sets, turned into folders of the raw contract.

Online Retail II: each customer's last basket among all products; one hidden product of each basket since 2010-11-01
among all products. A basket is a customer's day. BundleRec electronics: sessions number % 10 == 0 are judged, 1 serve
to choose by, the others are learned from; completion finds the last-listed product of each bundle among 99 others.
Every task runs its trivial methods beside the model that its validation chose. Mind ``described``: products in no
bundle have neither title nor category in BundleRec, so leaving them out is no skill.

Run as ``python -m benchmarks.own_data [--quick] --json FILE``; ``--quick`` leaves Online Retail II out.
"""

import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import own_folders
from benchmarks.report import Row, arguments, write_report
from ml.settings import Settings
from ml.trials import bundle_generation, completion, next_basket
from ml.trials.outcome import Outcome
from ml.trials.shop import Files, read_files

SEED = 0
CUT = date(2010, 11, 1)
Task = Callable[[Files, date | None, str, int, Settings], Outcome]
RETAIL: tuple[tuple[Task, str, date | None, tuple[str, ...]], ...] = (
    (next_basket.run, "next_basket", None, ("personal_frequency", "popularity", "item_cosine", "tifu_knn")),
    (completion.run, "completion", CUT, ("cosine", "popularity", "lift", "text_category", "best")),
)
ELECTRONICS: tuple[tuple[Task, str, date | None, tuple[str, ...]], ...] = (
    (completion.run, "completion", None, ("text_category", "popularity", "cosine", "best")),
    (bundle_generation.run, "bundle_generation", None, ("whole", "same_category", "described", "best")),
)
"""Task, its name, cut and models; the first model is the peer of the others."""


def main() -> None:
    """Convert, run and report; without the data say so."""
    options = arguments(__doc__)
    if not own_folders.are_there():
        print("skipped: data not found")
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        if not options.quick:
            own_folders.write_retail(Path(folder))
            rows += _judged("online_retail_ii", Path(folder), RETAIL)
    with tempfile.TemporaryDirectory() as folder:
        own_folders.write_electronics(Path(folder), SEED)
        rows += _judged("bundlerec_electronic", Path(folder), ELECTRONICS)
    write_report("own_data", "folders in the raw contract", rows, options.json)


def _judged(name: str, folder: Path, tasks: tuple[tuple[Task, str, date | None, tuple[str, ...]], ...]) -> list[Row]:
    settings = Settings()
    files = read_files(folder, settings.source.quarantine_limit_share)
    rows = []
    for run, task, cut, models in tasks:
        found = {model: run(files, cut, model, SEED, settings) for model in models}
        peer = found[models[0]].metrics
        for model, outcome in found.items():
            label = f"best={outcome.model}" if model == "best" else model
            for metric, mean in outcome.metrics.items():
                is_compared = model != models[0] and peer[metric]["value"] > 0
                rows.append(Row(
                    f"own_data/{name}/{task}/{label}/{metric}", mean["value"], "share", mean["low"], mean["high"],
                    models[0] if is_compared else None, mean["value"] / peer[metric]["value"] if is_compared else None,
                ))  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
