"""What a smaller sequence model costs and saves: weights of 8 bits, and networks of half and a quarter of the width.

Complete Journey at 2017-12-03, the same protocol as ``benchmarks.preference``: products in at least 50 baskets,
baskets of at least two products, customers with at least 8, judged on each customer's first basket of the four weeks
after. Loss is the share of the full model's NDCG@10, with a 95 % bootstrap over customers; ``may_be_used`` is the
verdict of ``ml.evaluation.compression``. Rows per CPU second are scored candidates, reading the history included.

Run as ``python -m benchmarks.compression [--quick] --json FILE``; ``--quick`` takes 400 customers. Needs torch.
"""

import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl

from benchmarks.data import LAST_TRAINING_DAY, complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.evaluation.compression import judge_compression, top_overlap
from ml.evaluation.metrics import by_customer
from ml.evaluation.splits import requests_between
from ml.preference.sequence import WEIGHTS, SequenceModel, Transformer
from ml.preference.sequence_params import SequenceParams
from ml.settings import Settings
from ml.training import Shop, asked, examples, scored

TEST_DAYS, MIN_PRODUCTS, QUICK_CUSTOMERS, SEED = 28, 2, 400, 20170101
WIDTHS = (32, 16)


def main() -> None:
    """Fit, shrink, score and report."""
    options = arguments(__doc__)
    settings = Settings()
    shop = _shop(options.quick)
    cut = LAST_TRAINING_DAY + timedelta(days=1)
    last = cut + timedelta(days=TEST_DAYS - 1)
    targets = requests_between(shop.baskets, cut, last, settings.preference.min_customer_baskets)
    past = Shop(shop.baskets.filter(pl.col("basket_on") < cut), shop.products)
    candidates = asked(past, targets, settings)
    learned = examples(past, LAST_TRAINING_DAY, settings)

    params = SequenceParams(seed=SEED)
    full = Transformer(params).fit(past.baskets, past.products, learned)
    models: dict[str, SequenceModel] = {"float32": full, "int8": full.in_int8()}
    for width in WIDTHS:
        narrow = Transformer(replace(params, dimensions=width))
        models[f"dimensions_{width}"] = narrow.fit(past.baskets, past.products, learned)

    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())
    rows, found, ndcg = [], {}, {}
    for name, model in models.items():
        started = time.process_time()
        found[name] = scored(model, past, candidates)
        seconds = time.process_time() - started
        ndcg[name] = by_customer(found[name], sizes)["ndcg_10"].to_numpy()
        verdict = judge_compression(ndcg["float32"], ndcg[name], top_overlap(found["float32"], found[name]), SEED)
        rows += [
            Row(f"compression/{name}/ndcg_10", float(ndcg[name].mean()), "share"),
            Row(
                f"compression/{name}/weights",
                _bytes(model),
                "bytes",
                None,
                None,
                "float32",
                _bytes(model) / _bytes(full),
            ),
            Row(f"compression/{name}/rows_per_cpu_second", candidates.height / seconds, "rows"),
        ]
        if name != "float32":
            loss = verdict.loss
            rows += [
                Row(f"compression/{name}/ndcg_10_loss", loss.value, "share", loss.low, loss.high, "float32"),
                Row(f"compression/{name}/top_10_overlap", verdict.overlap, "share", peer="float32"),
                Row(f"compression/{name}/may_be_used", float(verdict.may_be_used), "yes or no"),
            ]
            print(f"{name}: {verdict.reason}")
    size = f"{targets.height} customers, {candidates.height} candidates"
    write_report("compression", f"Complete Journey after {LAST_TRAINING_DAY}, {size}", rows, options.json)


def _shop(is_quick: bool) -> Shop:
    baskets, products = complete_journey()
    baskets = baskets.filter(pl.col("basket_products") >= MIN_PRODUCTS)
    if is_quick:
        some = baskets["customer_id"].unique().sort().sample(QUICK_CUSTOMERS, seed=SEED)
        baskets = baskets.filter(pl.col("customer_id").is_in(some.implode()))
    return Shop(baskets, products)


def _bytes(model: SequenceModel) -> int:
    """Return the size of the weights as saved."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        return (Path(folder) / WEIGHTS).stat().st_size


if __name__ == "__main__":
    main()
