"""How well associations complete baskets and tell pairs, and how fast pairs are counted.

Complete Journey at three cuts four weeks apart: pairs are learned on household-days before the cut. Completion hides
a product of each of up to 6,000 baskets (2,000 at earlier cuts) of the eight weeks from the cut on; pairs see
:mod:`benchmarks.pairs`. Products in at least 50 baskets before the cut. Online Retail II at three cuts a month apart,
as the source ``online_retail`` lands it, judged on the 40 days from the cut on; a basket is a customer's day or an
invoice of nobody known, and ``known_customers`` are the former alone. BundleRec electronics: see
:mod:`benchmarks.own_folders`; it has no days, so no pairs are told there. Rows of earlier cuts end in their date.
``champion`` is what the validation before the cut chose. The peer is the cosine of co-purchases; in generation, the
whole session. Mind ``described``: products in no bundle have neither title nor category in BundleRec, so leaving them
out is no skill. Counting is compared with the sparse matrix product B'B of scipy at the same minimum count, on all
baskets of the year, by CPU time. A data set that is not at hand is left out.

Run as ``python -m benchmarks.association [--quick] --json FILE``; ``--quick`` takes the last cut and a quarter of the
customers of Complete Journey, and leaves Online Retail II out.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks import own_folders
from benchmarks.data import complete_journey
from benchmarks.pairs import pair_rows
from benchmarks.report import Row, arguments, write_report
from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.counting import count_pairs
from ml.evaluation.bootstrap import Interval, bootstrap_mean, paired_bootstrap
from ml.settings import Settings
from ml.trials import bundle_generation, completion
from ml.trials.shop import Files, baskets_of, products_of, read_files

SEED = 0
CUTS = (date(2017, 9, 11), date(2017, 10, 9), date(2017, 11, 6))
WINDOW_DAYS = 56
QUESTIONS, EARLIER_QUESTIONS = 6000, 2000
RETAIL, RETAIL_CUTS, RETAIL_DAYS = "online_retail_ii", (date(2010, 9, 1), date(2010, 10, 1), date(2010, 11, 1)), 40
RETAIL_BASKETS = 20
"""Baskets before the cut of a product whose pairs are looked at."""
PEER = "cosine"
GENERATION = ("whole", "same_category", "components", "agglomerative", "described", "best")
MIN_COUNT = 30
"""Of the counting race: the count at which the published figures were taken."""


def main() -> None:
    """Count, measure and report."""
    options = arguments(__doc__)
    rows = []
    for cut in CUTS[-1:] if options.quick else CUTS:
        label, most = ("", QUESTIONS) if cut == CUTS[-1] else (f"/{cut}", EARLIER_QUESTIONS)
        baskets, products = _journey(cut, options.quick)
        rows += _completed("complete_journey", label, _as_files(baskets, products), cut, most)
        rows += pair_rows("complete_journey", label, baskets, products, cut, SEED)
    rows += _counting(index_baskets(baskets))
    if own_folders.has_retail() and not options.quick:
        rows += _retail()
    if own_folders.has_electronics():
        rows += _electronics()
    write_report("association", f"Complete Journey at {', '.join(map(str, CUTS))}, and folders", rows, options.json)


def _journey(cut: date, is_quick: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    baskets, products = complete_journey(through=cut - timedelta(days=1))
    baskets = baskets.filter(pl.col("basket_on") < cut + timedelta(days=WINDOW_DAYS), ~pl.col("is_giant"))
    if is_quick:
        baskets = baskets.filter(pl.col("customer_id").hash(SEED) % 4 == 0)
    path = pl.concat_str("department", "category", "title", separator=" > ", ignore_nulls=True)
    return baskets, products.with_columns(category_path=path)


def _as_files(baskets: pl.DataFrame, products: pl.DataFrame) -> Files:
    """Return household-days as the orders of a folder."""
    orders = baskets.select(
        "customer_id",
        order_id="basket_id",
        ordered_at=pl.col("basket_on").cast(pl.Datetime("us", "UTC")),
        status=pl.lit("completed"),
    )
    items = (
        baskets.select("product_ids", order_id="basket_id")
        .explode("product_ids")
        .select(
            "order_id",
            product_id="product_ids",
            **{name: pl.lit(None, pl.Int64) for name in ("quantity", "unit_price_cents", "discount_cents")},
        )
    )
    catalogue = products.with_columns(image_vector=pl.lit(None, pl.List(pl.Float64)))
    return Files({"products": catalogue, "orders": orders, "order_items": items})


def _completed(data: str, label: str, files: Files, cut: date | None, most: int = QUESTIONS) -> list[Row]:
    best, found = completion.compare(files, cut, SEED, Settings(), most)
    print(f"{data}{label}: the validation chose {best}", flush=True)
    rows = _completion_rows(data, label, best, found)
    if data == RETAIL:
        known = {name: table.filter(pl.col("question_id").str.starts_with("c:")) for name, table in found.items()}
        rows += _completion_rows(f"{data}_known_customers", label, best, known)
    return rows


def _completion_rows(data: str, label: str, best: str, found: dict[str, pl.DataFrame]) -> list[Row]:
    rows = []
    for name, table in {"champion": found[best], **found}.items():
        for metric in ("hit_10", "ndcg_10"):
            ours, peers = table[metric].to_numpy(), found[PEER][metric].to_numpy()
            measured = "hr_10" if metric == "hit_10" else metric
            row_name = f"association/{name}/{data}/completion_{measured}"
            peer = None if name == PEER else float(peers.mean())
            rows.append(_row(f"{row_name}{label}", bootstrap_mean(ours), peer))
            if name == "champion":
                rows.append(_row(f"{row_name}_over_{PEER}{label}", paired_bootstrap(ours, peers), None))
    return rows


def _row(name: str, mean: Interval, peer: float | None) -> Row:
    is_compared = peer is not None and peer > 0
    ratio = mean.value / peer if peer is not None and peer > 0 else None
    return Row(name, mean.value, "share", mean.low, mean.high, PEER if is_compared else None, ratio)


def _retail() -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        own_folders.write_retail(Path(folder))
        files = read_files(Path(folder), Settings().source.quarantine_limit_share)
    for cut in RETAIL_CUTS:
        is_last = cut == RETAIL_CUTS[-1]
        label, most = ("", QUESTIONS) if is_last else (f"/{cut}", EARLIER_QUESTIONS)
        shop = files if is_last else _until(files, cut + timedelta(days=RETAIL_DAYS))
        rows += _completed(RETAIL, label, shop, cut, most)
        baskets, products = baskets_of(shop), products_of(shop)
        sold = baskets.filter(pl.col("basket_on") < cut).explode("product_ids").group_by("product_ids").len()
        kept = sold.filter(pl.col("len") >= RETAIL_BASKETS)
        often = products.join(kept, left_on="product_id", right_on="product_ids", how="semi", maintain_order="left")
        rows += pair_rows(RETAIL, label, baskets.filter(~pl.col("is_giant")), often, cut, SEED)
    return rows


def _until(files: Files, day: date) -> Files:
    """Return the folder as it was on the morning of a day."""
    orders = files.tables["orders"].filter(pl.col("ordered_at").dt.date() < day)
    lines = files.tables["order_items"].join(orders, on="order_id", how="semi", maintain_order="left")
    return Files({**files.tables, "orders": orders, "order_items": lines})


def _electronics() -> list[Row]:
    data = "bundle_intent_electronic"
    with tempfile.TemporaryDirectory() as folder:
        own_folders.write_electronics(Path(folder), SEED)
        files = read_files(Path(folder), Settings().source.quarantine_limit_share)
    return [*_completed(data, "", files, None), *_generated(data, files)]


def _generated(data: str, files: Files) -> list[Row]:
    found = {model: bundle_generation.run(files, None, model, SEED, Settings()) for model in GENERATION}
    peer = found[GENERATION[0]].metrics["jaccard_f1"]["value"]
    rows = []
    for model, outcome in found.items():
        f1, name = outcome.metrics["jaccard_f1"], "champion" if model == "best" else model
        against = (None, None) if model == GENERATION[0] else (GENERATION[0], f1["value"] / peer)
        rows.append(
            Row(f"association/{name}/{data}/generation_f1", f1["value"], "share", f1["low"], f1["high"], *against)
        )
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
