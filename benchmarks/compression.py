"""What smaller models cost and save: a Transformer in 8 bits or of half the width, a ranker of fewer or smaller trees.

Complete Journey after the day on which models are developed (``benchmarks.periods``): a decision is not taken on the
published test. Products in at least 50 baskets, customers with at least 8, judged on each customer's first basket of
four weeks. A variant of the sequence model is compared with the transformer in float32, one of the trees with the
ranker: ``ndcg_10_loss`` is the share of its NDCG@10 that is lost, with a 95 % bootstrap over customers;
``may_be_used`` is the verdict of ``ml.evaluation.compression``; ``size_share`` is of the weights or trees as saved;
``speed_ratio`` is of scored candidates a CPU second, reading the history included, the best of rounds in turns on one
thread. Weights of 8 bits are read back into float32: they are smaller, not faster.

Run as ``python -m benchmarks.compression [--quick] --json FILE``; ``--quick`` takes 400 customers. Needs torch.
"""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.periods import EARLIER_DAY, SEED, period
from benchmarks.report import Row, arguments, write_report
from benchmarks.scoring import SMALLER, smaller
from ml.evaluation.compression import judge_compression, top_overlap
from ml.evaluation.metrics import by_customer
from ml.preference.contract import FACTS, PreferenceModel
from ml.preference.ranker import Ranker, RankerParams
from ml.preference.sequence import Transformer
from ml.preference.sequence_params import SequenceParams
from ml.settings import Settings
from ml.training import Shop, asked, examples, scored

WIDTHS, ROUNDS = (32,), 3


@dataclass(frozen=True)
class Variant:
    """A model, and the name of the one it would stand for; None: none."""

    model: PreferenceModel
    peer: str | None = None


def main() -> None:
    """Fit, shrink, score and report."""
    options = arguments(__doc__)
    settings = Settings(threads=1)
    shop, targets = period(EARLIER_DAY, options.quick, settings)
    candidates, learned = asked(shop, targets, settings), examples(shop, EARLIER_DAY, settings)
    variants = {**_sequences(shop, learned), **_trees(shop, learned)}
    seconds, found = _timed(variants, shop, candidates)
    sizes = targets.select("customer_id", products=pl.col("product_ids").list.len())
    ndcg = {name: by_customer(frame, sizes)["ndcg_10"].to_numpy() for name, frame in found.items()}
    saved = {name: _bytes(one.model) for name, one in variants.items()}
    rows = []
    for name, one in variants.items():
        path, peer = f"compression/{name}", one.peer
        if peer is None:
            rows += [
                Row(f"{path}/ndcg_10", float(ndcg[name].mean()), "share"),
                Row(f"{path}/size", saved[name], "bytes"),
                Row(f"{path}/rows_per_cpu_second", candidates.height / seconds[name], "rows/s"),
            ]
            continue
        verdict = judge_compression(ndcg[peer], ndcg[name], SEED)
        loss, overlap = verdict.loss, float(top_overlap(found[peer], found[name]).mean())
        rows += [
            Row(f"{path}/ndcg_10_loss", loss.value, "share", loss.low, loss.high, peer),
            Row(f"{path}/size_share", saved[name] / saved[peer], "share", peer=peer),
            Row(f"{path}/speed_ratio", seconds[peer] / seconds[name], "times", peer=peer),
            Row(f"{path}/may_be_used", float(verdict.may_be_used), "yes or no", peer=peer),
            Row(f"{path}/top_10_overlap", overlap, "share", peer=peer),
        ]
        print(f"{name}: {verdict.reason}")
    size = f"{targets.height} customers, {candidates.height} candidates"
    write_report("compression", f"Complete Journey after {EARLIER_DAY}, {size}", rows, options.json)


def _sequences(shop: Shop, learned: pl.DataFrame) -> dict[str, Variant]:
    params = SequenceParams(seed=SEED)
    full = Transformer(params).fit(shop.baskets, shop.products, learned)
    found = {"float32": Variant(full), "int8": Variant(full.in_int8(), "float32")}
    for width in WIDTHS:
        narrow = Transformer(replace(params, dimensions=width)).fit(shop.baskets, shop.products, learned)
        found[f"dimensions_{width}"] = Variant(narrow, "float32")
    return found


def _trees(shop: Shop, learned: pl.DataFrame) -> dict[str, Variant]:
    full = Ranker(RankerParams(seed=SEED)).fit(shop.baskets, shop.products, learned)
    found = {"ranker": Variant(full)}
    for name in SMALLER:
        found[name] = Variant(Ranker(smaller(full, name)).fit(shop.baskets, shop.products, learned), "ranker")
    return found


def _timed(
    variants: dict[str, Variant], shop: Shop, candidates: pl.DataFrame
) -> tuple[dict[str, float], dict[str, pl.DataFrame]]:
    """Return the CPU seconds of each model's fastest round, and its scores; all take part in each round, in turn."""
    seconds, found = dict.fromkeys(variants, np.inf), {}
    for one in variants.values():
        scored(one.model, shop, candidates.head(1))  # what is compiled or loaded once is not counted
    for _ in range(ROUNDS):
        for name, one in variants.items():
            started = time.process_time()
            found[name] = scored(one.model, shop, candidates)
            seconds[name] = min(seconds[name], time.process_time() - started)
    return seconds, found


def _bytes(model: PreferenceModel) -> int:
    """Return the size of the weights or trees as saved; the names beside them are the same for all."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        return sum(path.stat().st_size for path in Path(folder).iterdir() if path.name != FACTS)


if __name__ == "__main__":
    main()
