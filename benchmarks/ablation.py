"""What each family of the ranker's features is worth: trained and judged without it, against all of them.

Complete Journey at the last training day before the published test weeks, judged on each customer's first basket of
the four weeks after it, as in ``benchmarks.preference``; so the test weeks are not looked at. A family's worth is the
paired difference of all features over all but those, with a 95 % bootstrap over customers. Without the family
``personal`` the trees still start from the decayed personal frequency. Where the data hold nothing for a family
(ratings, a season of last year), its worth is not measured.

Run as ``python -m benchmarks.ablation [--quick] --json FILE``; ``--quick`` takes 400 customers.
"""

import time

import numpy as np
import polars as pl

from benchmarks.periods import EARLIER_DAY, SEED, period
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.bootstrap import bootstrap_mean, paired_bootstrap
from ml.evaluation.metrics import brier, by_customer, expected_calibration_error
from ml.preference.features import GROUPS
from ml.preference.ranker import Ranker, RankerParams
from ml.settings import Settings
from ml.training import asked, examples, scored

METRICS = ("recall_20", "ndcg_10")
NOT_IN_THE_DATA = ("ratings", "season")


def main() -> None:
    """Fit, leave out, fit again and report."""
    options = arguments(__doc__)
    settings = Settings()
    shop, targets = period(EARLIER_DAY, options.quick, settings)
    candidates = asked(shop, targets, settings)
    learned = examples(shop, EARLIER_DAY, settings)
    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())

    def judged(*left_out: str) -> tuple[pl.DataFrame, pl.DataFrame, float]:
        started = time.process_time()
        model = Ranker(RankerParams(seed=SEED, left_out=left_out)).fit(shop.baskets, shop.products, learned)
        seconds = time.process_time() - started
        found = scored(model, shop, candidates)
        return by_customer(found, sizes), found, seconds

    whole, found, seconds = judged()
    p, outcome = found["preference"].to_numpy(), found["is_bought"].to_numpy().astype(np.float64)
    rows = [
        Row("ablation/all/brier", brier(p, outcome), "score"),
        Row("ablation/all/ece", expected_calibration_error(p, outcome), "share"),
        Row("ablation/all/fit_seconds", seconds, "CPU s"),
    ]
    for metric in METRICS:
        mean = bootstrap_mean(whole[metric].to_numpy(), seed=SEED)
        rows.append(Row(f"ablation/all/{metric}", mean.value, "share", mean.low, mean.high))
    for group in (name for name in GROUPS if name not in NOT_IN_THE_DATA):
        without, _, _ = judged(group)
        for metric in METRICS:
            worth = paired_bootstrap(whole[metric].to_numpy(), without[metric].to_numpy(), seed=SEED)
            name = f"ablation/{group.replace(' ', '_')}/{metric}_worth"
            rows.append(Row(name, worth.value, "share", worth.low, worth.high, "without it"))
    size = f"{targets.height} customers after {EARLIER_DAY}, {candidates.height} candidates"
    write_report("ablation", f"Complete Journey, {size}", rows, options.json)


if __name__ == "__main__":
    main()
