"""How fast pairs are counted: the compiled counter against the self-join of polars, on Complete Journey.

All household-days of 2017, products in at least 50 of them before 2017-12-03; pairs in at least five baskets. Both are
timed twice over: from numbers (``counting``: lines whose baskets and products are numbered already), and from the
frame of baskets as the warehouse gives it (``from_frame``: numbering included). CPU seconds of all threads; the
interval holds all of the repeats. Both must give the same pairs and counts, or there is no report.

Run as ``python -m benchmarks.pair_counting [--quick] --json FILE``; ``--quick`` counts a quarter of the households.
"""

import time
from collections.abc import Callable

import numpy as np
import polars as pl

from benchmarks.data import complete_journey
from benchmarks.report import Row, arguments, write_report
from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.counting import count_pairs

LEAST = 5
REPEATS = 5
PEER = "polars self-join"
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def main() -> None:
    """Count both ways, compare, report."""
    options = arguments(__doc__)
    baskets, _ = complete_journey()
    if options.quick:
        baskets = baskets.filter(pl.col("customer_id").hash(1) % 4 == 0)
    index, lines = index_baskets(baskets), _numbered(baskets)
    rows = [
        *_race("counting", lambda: _counted(index), lambda: _joined(lines)),
        *_race("from_frame", lambda: _counted(index_baskets(baskets)), lambda: _joined(_numbered(baskets))),
    ]
    size = f"{index.baskets_total} baskets, {len(index.product_ids)} products, {len(index.items)} lines"
    write_report("pair_counting", f"Complete Journey, {size}", rows, options.json)


def _race(name: str, ours: Callable[[], Pairs], theirs: Callable[[], Pairs]) -> list[Row]:
    """Return CPU seconds of both, the peer's ones over ours, and how many pairs they found.

    Raises
    ------
    SystemExit
        When they do not find the same.
    """
    found, wanted = ours(), theirs()  # compiled and warm
    if not all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True)):
        raise SystemExit(f"{name}: the counters disagree")
    own, other = _seconds(ours), _seconds(theirs)
    ratio = float(np.median(other) / np.median(own))
    return [
        Row(f"pair_counting/{name}/cpu_seconds", float(np.median(own)), "s", min(own), max(own)),
        Row(f"pair_counting/{name}_polars/cpu_seconds", float(np.median(other)), "s", min(other), max(other)),
        Row(
            f"pair_counting/{name}/speed_up", ratio, "times", min(other) / max(own), max(other) / min(own), PEER, ratio
        ),
        Row(f"pair_counting/{name}/pairs", len(found[0]), "pairs"),
    ]


def _seconds(work: Callable[[], object]) -> list[float]:
    spent = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return spent


def _counted(index: IndexedBaskets) -> Pairs:
    return count_pairs(index, LEAST)[:3]


def _numbered(baskets: pl.DataFrame) -> pl.DataFrame:
    """Return ``basket`` and ``item`` of each line, products numbered in the order of their names."""
    lines = baskets.with_row_index("basket").select("basket", item="product_ids").explode("item")
    return lines.with_columns(pl.col("item").rank("dense").cast(pl.Int32) - 1)


def _joined(lines: pl.DataFrame) -> Pairs:
    pairs = (
        lines.lazy()
        .join(lines.lazy(), on="basket")
        .filter(pl.col("item") < pl.col("item_right"))
        .group_by("item", "item_right")
        .len()
        .filter(pl.col("len") >= LEAST)
        .sort("item", "item_right")
        .collect()
    )
    return pairs["item"].to_numpy(), pairs["item_right"].to_numpy(), pairs["len"].to_numpy()


if __name__ == "__main__":
    main()
