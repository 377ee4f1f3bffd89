"""What each family of the ranker's features is worth: trained and judged without it, against all of them.

Complete Journey at the last training day before the published test weeks, judged on each customer's first basket of
the four weeks after it, as in ``benchmarks.preference``; so the test weeks are not looked at. A family's worth is the
paired difference of all features over all but those, with a 95 % bootstrap over customers; ``another_seed`` is the
difference that drawing other rows and features for the trees makes, which no worth should be believed below. Without
the family ``personal`` the trees still start from the decayed personal frequency. Where the data hold nothing for a
family (ratings, a season of last year), its worth is not measured.

``sequence_score`` is worth what the score of a Transformer adds to all features: it is trained on what came before the
oldest basket the ranker learns from, so that the score is as honest there as later. ``sequence_explained`` is the share
of the score's variance (as log odds) that a regression on the ranker's own features explains, on half of the requests
it was not fitted on: what is left is all that it could add.

Run as ``python -m benchmarks.ablation [--quick] --json FILE``; ``--quick`` takes 400 customers and no Transformer.
"""

import time
from datetime import timedelta
from importlib.util import find_spec

import lightgbm
import numpy as np
import polars as pl

from benchmarks.periods import EARLIER_DAY, SEED, period
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.evaluation.metrics import brier, by_customer, expected_calibration_error
from ml.preference.contract import PreferenceModel
from ml.preference.features import GROUPS, features_of
from ml.preference.history import History
from ml.preference.load import kind_of
from ml.preference.ranker import Ranker, RankerParams
from ml.settings import Settings
from ml.training import Shop, asked, examples, scored

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

    def judged(
        rows: pl.DataFrame, on: pl.DataFrame, *left_out: str, seed: int = SEED
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        model = Ranker(RankerParams(seed=seed, left_out=left_out)).fit(shop.baskets, shop.products, rows)
        found = scored(model, shop, on)
        return by_customer(found, sizes), found

    started = time.process_time()
    whole, found = judged(learned, candidates)
    seconds = time.process_time() - started
    p, outcome = found["preference"].to_numpy(), found["is_bought"].to_numpy().astype(np.float64)
    rows = [
        Row("ablation/all/brier", brier(p, outcome), "score"),
        Row("ablation/all/ece", expected_calibration_error(p, outcome), "share"),
        Row("ablation/all/fit_and_score_seconds", seconds, "CPU s"),
    ]
    for metric in METRICS:
        mean = bootstrap_mean(whole[metric].to_numpy(), seed=SEED)
        rows.append(Row(f"ablation/all/{metric}", mean.value, "share", mean.low, mean.high))
    for group in (name for name in GROUPS if name not in NOT_IN_THE_DATA):
        without, _ = judged(learned, candidates, group)
        rows += _worths(group.replace(" ", "_"), whole, without, "without it")
    again, _ = judged(learned, candidates, seed=SEED + 1)
    rows += _worths("another_seed", whole, again, "another seed")
    if options.quick or find_spec("torch") is None:
        print("skipped: the Transformer's score (a quick round, or no torch)", flush=True)
    else:
        network = _transformer(shop, learned, settings)
        taught, on = (
            frame.with_columns(sequence=pl.Series(network.score(shop.baskets, shop.products, frame)))
            for frame in (learned, candidates)
        )
        rich, _ = judged(taught, on)
        rows += _worths("sequence_score", rich, whole, "without it")
        rows.append(Row("ablation/sequence_explained", _explained(shop, on), "share of variance"))
    size = f"{targets.height} customers after {EARLIER_DAY}, {candidates.height} candidates"
    write_report("ablation", f"Complete Journey, {size}", rows, options.json)


def _worths(name: str, with_it: pl.DataFrame, without: pl.DataFrame, peer: str) -> list[Row]:
    rows = []
    for metric in METRICS:
        worth: Interval = paired_bootstrap(with_it[metric].to_numpy(), without[metric].to_numpy(), seed=SEED)
        rows.append(Row(f"ablation/{name}/{metric}_worth", worth.value, "share", worth.low, worth.high, peer))
    return rows


def _transformer(shop: Shop, learned: pl.DataFrame, settings: Settings) -> PreferenceModel:
    """Return a Transformer that knows nothing from the oldest cut on that the ranker learns from."""
    through = min(learned["cut"]) - timedelta(days=1)
    past = Shop(shop.baskets.filter(pl.col("basket_on") <= through), shop.products)
    return kind_of("transformer")().fit(past.baskets, past.products, examples(past, through, settings))


def _explained(shop: Shop, rows: pl.DataFrame) -> float:
    """Return how much of the score's variance, as log odds, the ranker's features explain on requests not fitted on."""
    features = features_of(History.of(shop.baskets, shop.products), rows)
    p = np.clip(rows["sequence"].to_numpy().astype(np.float64), 1e-6, 1 - 1e-6)
    log_odds = np.log(p / (1 - p))
    is_fitted = rows["customer_id"].rle_id().to_numpy() % 2 == 0
    options = {"objective": "l2", "num_leaves": 31, "verbosity": -1, "seed": SEED, "num_threads": 1}
    told = lightgbm.train(options, lightgbm.Dataset(features[is_fitted], log_odds[is_fitted]), 100)
    left = log_odds[~is_fitted] - np.asarray(told.predict(features[~is_fitted]))
    return float(1 - left.var() / log_odds[~is_fitted].var())


if __name__ == "__main__":
    main()
