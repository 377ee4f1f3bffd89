"""Bundles for all customers from shared stock: certified gap, time, memory, against greedy in the same run.

    python -m benchmarks.stock [--quick] [--json out.json] [--million]

Simulated customers (:mod:`benchmarks.crowds`), 50 candidates each. Every case runs in a process of its own, so that its
peak memory is its own. Seconds are CPU seconds of all threads, without making the customers. ``--million`` adds a
million customers in shards of 100,000.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.crowds import world
from benchmarks.report import Row, write_report
from ml.optimizer.market import Crowd
from ml.optimizer.stock import StockParams, assign


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    customers: int
    products: int
    size: int
    scarcity: float
    rounds: int


CASES = (
    Case("1000", 1_000, 500, 3, 1.0, 12),
    Case("20000", 20_000, 5_000, 3, 1.0, 1),
    Case("20000_scarce", 20_000, 5_000, 3, 0.4, 2),
    Case("20000_k4", 20_000, 5_000, 4, 1.0, 1),
    Case("100000", 100_000, 5_000, 3, 1.0, 1),
)
MILLION = Case("1000000", 1_000_000, 5_000, 3, 1.0, 1)


@dataclass(frozen=True)
class Outcome:
    """What one case measured; gaps as fractions of the proven bound."""

    gap: float
    naive_gap: float
    seconds: float
    peak_mb: float
    over_promised: int
    served: float


def measure(case: Case, threads: int) -> Outcome:
    """Run one case in this process."""
    _run(Case("warm", 60, 500, case.size, 1.0, 1), threads)  # compiles, so that seconds are those of the work
    return _run(case, threads)


def _run(case: Case, threads: int) -> Outcome:
    shop = world(case.customers, case.products, case.size, case.scarcity)
    making = 0.0

    def shards() -> Iterator[Crowd]:
        nonlocal making
        source = shop.shards()
        while True:
            start = time.process_time()
            crowd = next(source, None)
            making += time.process_time() - start
            if crowd is None:
                return
            yield crowd

    params = StockParams(rounds=case.rounds, threads=threads)
    naive = 0.0
    start = time.process_time()
    whole, results = assign(shop.market, shards, shop.units, params)
    used, served = np.zeros(case.products, np.int64), 0
    for part in results:
        used += np.bincount(part.product[part.product >= 0], minlength=case.products)
        served += int((part.product[:, 0] >= 0).sum())
    seconds = time.process_time() - start - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    if case.customers <= 100_000:
        compared, again = assign(shop.market, shop.shards, shop.units, StockParams(rounds=0, threads=threads), True)
        list(again)
        naive = 1 - compared.naive_value / whole.upper_bound
    return Outcome(
        whole.gap_pct / 100,
        naive,
        seconds,
        peak,
        int(np.maximum(used - shop.units, 0).sum()),
        served / case.customers,
    )


def rows_of(case: Case, found: Outcome) -> list[Row]:
    """Return the rows of one case."""
    peer = f"naive greedy, gap {found.naive_gap:.3f}" if found.naive_gap else None
    ratio = found.gap / found.naive_gap if found.naive_gap else None
    return [
        Row(f"stock/{case.name}/gap_certified", found.gap, "of the bound", peer=peer, ratio=ratio),
        Row(f"stock/{case.name}/seconds", found.seconds, "CPU s"),
        Row(f"stock/{case.name}/peak_mb", found.peak_mb, "MB"),
        Row(f"stock/{case.name}/overpromised_units", found.over_promised, "units"),
        Row(f"stock/{case.name}/served", found.served, "of the customers"),
    ]


def main() -> None:
    """Measure every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest case alone")
    parser.add_argument("--million", action="store_true", help="also a million customers, in shards")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the rows there")
    options = parser.parse_args()
    cases = CASES[:1] if options.quick else (*CASES, MILLION) if options.million else CASES
    rows: list[Row] = []
    for case in cases:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(measure, (case, options.threads))
        rows += rows_of(case, found)
        print(f"{case.name}: gap {found.gap:.5f}, greedy {found.naive_gap:.3f}, {found.seconds:.0f} CPU s", flush=True)
    write_report("stock", "simulated customers, 50 candidates each", rows, options.json)


if __name__ == "__main__":
    main()
