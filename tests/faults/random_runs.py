"""Runs with random faults at random moments, from a seed: the same seed and number give the same run again.

``python -m tests.faults.random_runs --seed 7 --runs 200`` prints a line a run; ``--only 13`` repeats one of them.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.temporary import temporary_server
from tests.faults.children import Try, attempt
from tests.faults.points import POINTS
from tests.faults.world import STEPS, World, kill_postgres, small

CHAIN = ("propose_candidates", "optimise_bundles", "list_bundles", "audit_bundles", "publish_bundles")
WEIGHTS = (3, 3, 2, 1, 6)
"""How often a run begins at each stage: the audit starts dbt, which takes most of the time."""
SECONDS = {"propose_candidates": 1.5, "optimise_bundles": 2.0, "list_bundles": 1.5, "audit_bundles": 6.0}
TRIES = 3
"""After the last fault of a stage: what Airflow gives a task."""


@dataclass(frozen=True)
class Ran:
    """What became of a run: its faults in order, the exit codes of all tries, and what does not hold at its end."""

    faults: list[str]
    codes: list[int]
    broken: list[str]

    def line(self) -> str:
        """Return the run in one line."""
        return f"{'; '.join(self.faults)} | exits {self.codes} | {', '.join(self.broken) or 'all invariants hold'}"


def random_run(world: World, seed: int, number: int) -> Ran:
    """Take a run from a random stage to its publication, through one to three faults."""
    rng = random.Random(f"{seed}:{number}")
    (start,) = rng.choices(CHAIN, WEIGHTS)
    context = world.begin_of(start)
    old, clean = world.content().published, world.led_to["publish_bundles"].published
    stages = CHAIN[CHAIN.index(start) :]
    planned = [rng.choice(stages) for _ in range(rng.randint(1, 3))]
    faults, codes, broken = list[str](), list[int](), set[str]()
    for stage in stages:
        for _ in range(planned.count(stage)):
            name, code = _faulty(world, stage, rng)
            faults.append(f"{stage}: {name}")
            codes.append(code)
            broken |= set(world.broken())
            if world.content().published not in (old, clean):
                broken.add("published content is neither the old nor the new")
        for _ in range(TRIES):
            codes.append(attempt(world.settings, stage, context, world.home).code)
            if codes[-1] == 0:
                break
    broken |= set(world.broken())
    if world.content().published != clean:
        broken.add("the run did not lead to its end")
    return Ran(faults, codes, sorted(broken))


def _faulty(world: World, stage: str, rng: random.Random) -> tuple[str, int]:
    """Try a stage with one random fault."""
    _, context = STEPS[stage]
    points = [point for point in POINTS if point.stage == stage]
    kind = rng.choice(["point", "killed", "Postgres killed", "connections cut"])
    delay = rng.uniform(0.0, SECONDS.get(stage, 0.4))
    if kind == "point":
        point = rng.choice(points)
        return point.name, attempt(world.settings, stage, context, world.home, point).code
    first = Try(world.settings, stage, context, world.home)
    time.sleep(delay)
    _STRIKES[kind](world, first)
    code = first.outcome().code
    world.server.start()
    return f"{kind} after {delay:.2f} s", code


def _kill_the_try(_: World, first: Try) -> None:
    if psutil.pid_exists(first.pid):
        psutil.Process(first.pid).kill()


def _cut_connections(world: World, _: Try) -> None:
    world.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'bundles'")


_STRIKES: dict[str, Callable[[World, Try], None]] = {
    "killed": _kill_the_try,
    "Postgres killed": lambda world, _: kill_postgres(world.server),
    "connections cut": _cut_connections,
}


def main() -> int:
    """Make the world, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--only", type=int, help="number of the one run to repeat")
    asked = parser.parse_args()
    clean = 0
    numbers = range(asked.runs) if asked.only is None else [asked.only]
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, temporary_server(Path(folder)) as server:
        world = World(server, Path(folder), small(server, Path(folder)))
        world.prepare()
        for number in numbers:
            ran = random_run(world, asked.seed, number)
            clean += not ran.broken
            print(f"seed {asked.seed} run {number}: {ran.line()}", flush=True)
    print(f"{clean} of {len(numbers)} runs kept every invariant")
    return 0 if clean == len(numbers) else 1


if __name__ == "__main__":
    sys.exit(main())
