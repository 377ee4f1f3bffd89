"""The one form of all benchmarks: a markdown table for people, JSON for machines."""

import argparse
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measured number.

    Attributes
    ----------
    name
        Path of the number, "benchmark/what/metric".
    value, unit
        The number and what it is measured in.
    low, high
        95 % interval, or None where there is none.
    peer
        What it is compared with, measured in the same run.
    ratio
        ``value`` over the peer's value, or None.
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    peer: str | None = None
    ratio: float | None = None


def arguments(description: str | None) -> argparse.Namespace:
    """Return the command line of a benchmark: ``quick`` (bool) and ``json`` (path or None)."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small round that ends within a minute or two")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the rows there")
    return parser.parse_args()


def write_report(benchmark: str, data: str, rows: Sequence[Row], file: Path | None) -> None:
    """Print the rows as a markdown table and write them to ``file``.

    Raises
    ------
    ValueError
        When a number is not finite: JSON has no such number, and a benchmark no such result.
    """
    broken = [row.name for row in rows if not all(math.isfinite(x) for x in _numbers(row))]
    if broken:
        raise ValueError(f"{benchmark}: not finite: {', '.join(broken)}")
    print(f"## {benchmark}: {data}\n\n{markdown(rows)}")
    if file is not None:
        report = {"benchmark": benchmark, "cores": os.cpu_count(), "data": data, "rows": [asdict(row) for row in rows]}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", "utf-8")


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a markdown table."""
    lines = ["| name | value | 95 % interval | unit | peer | ratio |", "|---|---:|---|---|---|---:|"]
    for row in rows:
        interval = f"{row.low:.4g} .. {row.high:.4g}" if row.low is not None and row.high is not None else ""
        ratio = f"{row.ratio:.3g}" if row.ratio is not None else ""
        lines.append(f"| {row.name} | {row.value:.5g} | {interval} | {row.unit} | {row.peer or ''} | {ratio} |")
    return "\n".join(lines)


def _numbers(row: Row) -> list[float]:
    return [number for number in (row.value, row.low, row.high, row.ratio) if number is not None]
