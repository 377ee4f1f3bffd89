"""What is left over after many runs: 100 of ``recommend_bundles`` in a row, on the stack that is up.

Needs a published day (``make run`` or ``make up`` and a run of ``load_shop`` before) and runs that day again and again,
as an operator does by the form, so that nothing but the runs themselves can grow. Connections, temporary files, disk
and memory are taken at rest after a first few runs (the peer) and after the last. The day's scenarios and measurements
stand still meanwhile.

Run as ``python -m benchmarks.soak [--quick] --json FILE``; ``--quick`` makes five runs; Ctrl-C ends
after those made so far.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from benchmarks.report import Row, arguments, write_report
from local.airflow_api import AirflowApi
from local.instance import Instance, current
from local.postgres import Server
from local.stack import components, server

FIRST_RUNS = 5
"""After so many, caches are filled, workers are forked, and two runs are kept, as from then on always."""
RUNS, QUICK_RUNS = 100, 5
REST_SECONDS = 40
"""Idle workers and connections are kept for a moment after a run."""
FOLLOWERS = ("plan_scenarios", "measure_bundles")
DATABASES = ("shop", "airflow", "mlflow")
COUNTS = {
    "connections": "select count(*) from pg_stat_activity where backend_type = 'client backend'",
    "partitions": "select count(*) from pg_inherits where inhparent::regclass::text like 'ml.%'",
}
MB = 2**20


def main() -> None:
    """Run, and compare what is there before and after."""
    options = arguments(__doc__)
    instance, runs = current(), QUICK_RUNS if options.quick else RUNS
    postgres, api = server(instance), AirflowApi(instance)
    day = postgres.run("shop", "psql", "-Atc", "select as_of from ops.published where scope = 'personal'").strip()
    with alone(api):
        failed = sum(not succeeds(instance, day) for _ in range(FIRST_RUNS))
        time.sleep(REST_SECONDS)
        before = left(instance, postgres)
        made = 0
        with suppress(KeyboardInterrupt):
            for _ in tqdm(range(runs), unit="run", disable=None):
                failed += not succeeds(instance, day)
                made += 1
        time.sleep(REST_SECONDS)
        after = left(instance, postgres)
    rows = [Row("soak/failed", failed, f"of {FIRST_RUNS + made} runs")]
    for name, (unit, then) in before.items():
        now = after[name][1]
        rows.append(Row(f"soak/{name}", now, unit, peer=f"before: {then:.5g}", ratio=now / then if then else None))
    write_report("soak", f"{made} runs after {FIRST_RUNS}", rows, options.json)


@contextmanager
def alone(api: AirflowApi) -> Iterator[None]:
    """Keep the DAGs that follow each run from starting."""
    were = {dag_id: api.get(f"/dags/{dag_id}")["is_paused"] for dag_id in FOLLOWERS}
    try:
        for dag_id in FOLLOWERS:
            api.pause(dag_id, True)
        yield
    finally:
        for dag_id, was in were.items():
            api.pause(dag_id, was)


def succeeds(instance: Instance, day: str) -> bool:
    """Make one run and tell whether it ended well."""
    # A log-in does not live for as long as all runs take.
    api = AirflowApi(instance)
    run = api.trigger("recommend_bundles", {"as_of": day})
    while True:
        state = next(one["state"] for one in api.runs("recommend_bundles") if one["dag_run_id"] == run)
        if state in ("success", "failed"):
            return bool(state == "success")
        time.sleep(1)


def left(instance: Instance, postgres: Server) -> dict[str, tuple[str, float]]:
    """Return what the stack holds at rest, by name: unit and value."""
    found: dict[str, tuple[str, float]] = {}
    for name, query in COUNTS.items():
        found[name] = ("number", float(postgres.run("shop", "psql", "-Atc", query)))
    found["temporary_files"] = ("number", float(sum(1 for _ in Path(tempfile.gettempdir()).iterdir())))
    for database in DATABASES:
        size = postgres.run(database, "psql", "-Atc", "select pg_database_size(current_database())")
        found[f"database_{database}"] = ("MB", float(size) / MB)
    for folder in sorted(path for path in instance.home.iterdir() if path.is_dir()):
        found[f"folder_{folder.name}"] = ("MB", sum(_size(path) for path in folder.rglob("*")) / MB)
    for name, part in components(instance).items():
        found[f"memory_{name}"] = ("MB", part.memory_mb(instance))
    return found


def _size(path: Path) -> int:
    # What is removed between being found and being asked holds nothing.
    try:
        return path.stat().st_size if path.is_file() and not path.is_symlink() else 0
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    main()
