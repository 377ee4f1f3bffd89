"""What each stage costs, and what orchestration adds.

Two fresh stacks, one after the other, on the same data: the stages from the command line, then the same day through
Airflow's scheduler. Run as ``python -m benchmarks.pipeline [--quick] --json FILE``; ``--quick`` takes a small
simulated shop instead of Complete Journey.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

from rich.console import Console

from benchmarks.report import Row, arguments, write_report
from local.airflow_api import AirflowApi
from local.demo import DEMO_DAY, run_chain, wait_for_dags
from local.environment import environment
from local.instance import REPOSITORY, Instance, current
from local.stack import down, server, up

STAGES = (
    "load_raw",
    "check_freshness",
    "build_features",
    "train_association",
    "train_preference",
    "evaluate_policies",
    "propose_candidates",
    "optimise_bundles",
    "audit_bundles",
    "publish_bundles",
)
FACT = re.compile(r"(\w+)=(\S+)")
QUICK = {"BUNDLES_MIN_PRODUCT_BASKETS": "10", "BUNDLES_PREFERENCE__MIN_LEAF_ROWS": "20"}


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__)
    source = "simulated_shop" if options.quick else "complete_journey"
    if options.quick:
        os.environ.update(QUICK)
    console = Console(stderr=True)
    rows, seconds = command_line(source, console)
    orchestrated = through_airflow(source, console)
    alone = sum(seconds)
    rows.append(
        Row("pipeline/orchestration/seconds", orchestrated, "s", peer="command line", ratio=orchestrated / alone)
    )
    rows.append(Row("pipeline/orchestration/ratio", orchestrated / alone, "ratio", peer="command line"))
    write_report("pipeline", f"{source} at {DEMO_DAY}", rows, options.json)


def command_line(source: str, console: Console) -> tuple[list[Row], list[float]]:
    """Return a row for each stage's seconds from start to end and peak memory, and the seconds that add up."""
    rows, seconds = [], []
    with fresh_stack(console) as instance:
        for stage in STAGES:
            started = time.perf_counter()
            line = [sys.executable, "-m", "ml", stage, "--as-of", DEMO_DAY, "--source", source]
            done = subprocess.run(
                line, cwd=REPOSITORY, env=environment(instance), capture_output=True, text=True, check=False
            )
            elapsed = time.perf_counter() - started
            if done.returncode:
                raise SystemExit(f"{stage} ended with {done.returncode}:\n{done.stderr[-2000:]}")
            facts = dict(FACT.findall(done.stderr.splitlines()[-1]))
            console.print(f"{stage}: {facts}")
            handled = ", ".join(
                f"{name} {value}" for name, value in facts.items() if value.isdigit() and name != "peak_mb"
            )
            rows.append(Row(f"pipeline/{stage}/seconds", elapsed, f"s ({handled})"))
            rows.append(Row(f"pipeline/{stage}/peak_mb", float(facts["peak_mb"]), "MB"))
            if stage != "check_freshness":  # building the features asks it once more
                seconds.append(elapsed)
    return rows, seconds


def through_airflow(source: str, console: Console) -> float:
    """Return the seconds from the trigger of the first DAG to the end of the last."""
    with fresh_stack(console) as instance:
        api = AirflowApi(instance)
        wait_for_dags(api)
        started = time.perf_counter()
        run_chain(api, console, {"source": source, "as_of": DEMO_DAY})
        return time.perf_counter() - started


class fresh_stack:  # noqa: N801 - a context manager
    """A running stack in a temporary home, stopped and deleted at the end."""

    def __init__(self, console: Console) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._console = console
        os.environ["BUNDLES_HOME"] = self._folder.name
        self._instance = current()

    def __enter__(self) -> Instance:
        up(self._instance, self._console)
        return self._instance

    def __exit__(self, *_: object) -> None:
        postgres = server(self._instance)
        down(self._instance)
        postgres.remove()
        self._folder.cleanup()


if __name__ == "__main__":
    main()
