"""``python -m tests.bad_inputs --report``: put every bad input through the loader and print what became of it."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from local.temporary import temporary_server
from tests.bad_inputs.case import Case, Elsewhere
from tests.bad_inputs.catalogue import CASES, SHOWN, is_there
from tests.bad_inputs.loading import Bench
from tests.conftest import ROOT, fresh_database, owner_of, settings_of


def main() -> int:
    """Print a line for each input and return 1 when one did not end as it must."""
    parser = argparse.ArgumentParser(prog="python -m tests.bad_inputs", description=__doc__)
    parser.add_argument(
        "--report", action="store_true", help="print the catalogue with verdicts (the only thing it does)"
    )
    parser.add_argument("--good", type=int, default=10_000, help="good records around each bad one")
    parser.add_argument("--only", type=int, help="one number of the catalogue")
    options = parser.parse_args()
    logging.getLogger("ml").propagate = False
    with (
        tempfile.TemporaryDirectory() as home,
        temporary_server(Path(home)) as server,
        fresh_database(server, "bad_inputs") as name,
        closing(owner_of(server, name)) as owner,
    ):
        bench = Bench(settings_of(server, name), owner, Path(home) / "shop")
        wanted = [entry for entry in [*CASES, *SHOWN] if options.only in (None, entry.number)]
        failed = sum(not is_right for is_right in _lines(bench, wanted, options.good))
    print(
        f"{len(wanted) - failed} of {len(wanted)} inputs end as they must, alone and among {options.good} good records"
    )
    return int(failed > 0)


def _lines(bench: Bench, entries: list[Case | Elsewhere], good: int) -> Iterator[bool]:
    for entry in sorted(entries, key=lambda entry: entry.number):
        if isinstance(entry, Case):
            alone, mixed = bench.outcome(entry, 0), bench.outcome(entry, good)
            wanted = f"{entry.verdict} {entry.reason}"
            got, faults = alone.got, [*alone.faults, *mixed.faults]
            note = f"  (instead: {entry.instead})" if entry.instead else ""
        else:
            faults = [f"no such test: {name}" for name in entry.tests if not is_there(ROOT, name)]
            faults += [] if entry.tests else ["no test shows it"]
            wanted, got, note = entry.ends, f"{len(entry.tests)} tests", "".join(f"\n      {t}" for t in entry.tests)
        verdict = "NO" if faults else "OK"
        print(f"{verdict} {entry.number:2d} {entry.what[:60]:60s} {wanted:36s} {got}{note}", flush=True)
        for fault in faults:
            print(f"      {fault}")
        yield not faults


if __name__ == "__main__":
    sys.exit(main())
