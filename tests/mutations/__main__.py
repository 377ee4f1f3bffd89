"""``python -m tests.mutations``: put slips of the hand into the models and see which of them the unit tests catch."""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.mutations.bench import Bench, bench
from tests.mutations.equivalent import why_equivalent
from tests.mutations.flips import KINDS, Flip, all_flips, drawn

WANTED = 0.9
"""Share of the flips that unit tests must catch."""


def main() -> int:
    """Print a line for each flip and return 1 when fewer than the wanted share are caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=120, help="how many flips to draw, from every model in turn")
    parser.add_argument("--seed", type=int, default=7, help="which ones")
    parser.add_argument("--model", help="all flips of one model instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, bench(Path(home)) as made:
        flips = all_flips(made.models)
        if options.model and options.model not in flips:
            parser.error(f"{options.model} is no model with anything to flip")
        wanted = flips[options.model] if options.model else drawn(flips, options.count, options.seed)
        print(f"{len(wanted)} of {sum(map(len, flips.values()))} flips in {len(flips)} models", flush=True)
        told = list(_lines(made, wanted))
    return _summary(told)


def _lines(made: Bench, wanted: list[Flip]) -> Iterator[tuple[str, str]]:
    """Print and yield the kind of each flip with what became of it; a model that fails untouched ends it all."""
    sound: set[str] = set()
    for flip in wanted:
        if flip.model not in sound:
            untouched = made.ask(flip.model)
            assert untouched.is_silent, f"the unit tests of {flip.model} fail without any flip: {untouched}"
            sound.add(flip.model)
        reason, verdict = why_equivalent(flip), made.try_flip(flip)
        if verdict.fell:
            end, told = "caught", f"caught by {', '.join(verdict.fell)}"
        elif verdict.refused:
            end, told = "does not run", f"does not run: {verdict.refused}"
        elif reason:
            end, told = "says the same", f"says the same: {reason}"
        else:
            end, told = "SURVIVED", "SURVIVED"
        print(f"{flip}  {told}", flush=True)
        yield flip.kind, end


def _summary(told: list[tuple[str, str]]) -> int:
    """Print the share caught of each kind and of all, without what does not run or says the same."""
    for kind in [*KINDS, "all"]:
        ends = Counter(end for of, end in told if kind in (of, "all"))
        judged = ends["caught"] + ends["SURVIVED"]
        if ends:
            share = f"{ends['caught'] / judged:6.1%}" if judged else "     -"
            rest = f"{ends['does not run']} do not run, {ends['says the same']} say the same"
            print(f"{kind:12s} {share} caught, {ends['caught']} of {judged}; {rest}")
    return int(ends["caught"] < WANTED * judged)


if __name__ == "__main__":
    sys.exit(main())
