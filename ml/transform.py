"""The one door to dbt: builds features, checks freshness and audits a run, each in a dbt process of its own.

A process and not ``dbtRunner``, so that dbt's memory ends with it and a killed stage leaves no thread behind.
"""

import errno
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ml.errors import DataError, TemporaryError
from ml.settings import Settings

OUT_OF_REACH = re.compile(
    r"connection to server|could not connect|server closed the connection|timeout expired|terminating connection"
    r"|connection (?:already|is) closed|the database system is|SSL connection has been closed unexpectedly"
    r"|SSL SYSCALL error|could not receive data from server|no connection to the server|lock timeout"
    r"|deadlock detected|tuple concurrently updated",
    re.I,
)
"""What is said when a connection or a lock is not to be had, or gone; as in ``dags/shared/dbt_build.py``."""
FULL = os.strerror(errno.ENOSPC)
"""What is said of a full disk, dbt's own or that of Postgres; its log, full too, may complain long after it."""
FAILED = {"fail", "error", "runtime error"}
PARSED = "partial_parse.msgpack"
"""The project as dbt parsed it last; from it the next call parses only what changed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Build:
    """What a dbt build did: its invocation id, and how many nodes and rows of each feature table it made."""

    invocation_id: str
    models: int
    tests: int
    rows: dict[str, int]


MISSING_DAYS = "fct_missing_days"
ANY_RUN = 1
"""Tests of results exist only where a run is named; invariants are about all of them."""


@dataclass(frozen=True)
class AuditCheck:
    """Outcome of one audit test: its name, how many rows break it, and in words what was wrong."""

    name: str
    failures: int
    detail: str = ""

    @property
    def is_passed(self) -> bool:
        """Return whether no row breaks it."""
        return self.failures == 0


def build(settings: Settings, as_of: date) -> Build:
    """Build everything for ``as_of`` with all data tests; unit tests belong to the code, not to the day.

    Raises
    ------
    DataError
        When a model or test failed; the message names them. What failed has stopped what follows it.
    TemporaryError
        When Postgres cannot be reached, a lock not be had, or a disk is full.
    """
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    results, invocation_id = _results(settings, arguments, "run_results.json", as_of)
    _refuse_failures(f"dbt build of {as_of}", results)
    models = [one for one in results if one["unique_id"].startswith("model.")]
    rows = {
        name: one["adapter_response"]["rows_affected"]
        for one in models
        if (name := one["unique_id"].rsplit(".", 1)[-1]).startswith("ftr_")
    }
    return Build(invocation_id, len(models), sum(one["unique_id"].startswith("test.") for one in results), rows)


def check_freshness(settings: Settings, as_of: date) -> dict[str, float]:
    """Return each source's age in days at the end of ``as_of``, measured on the rows dated until then.

    Of the tables that not every shop has, an old one is only warned about, and one without rows says nothing.

    Raises
    ------
    DataError
        When the orders are older than ``settings.freshness.max_age_days``, or there are none.
    TemporaryError
        When Postgres cannot be reached, a lock not be had, or a disk is full.
    """
    results, _ = _results(settings, ["source", "freshness"], "sources.json", as_of)
    ages = {one["unique_id"].removeprefix("source.bundles."): _age_seconds(one) for one in results}
    stale = [
        f"{name} ({'no row at all' if age is None else f'newest row {age / 86400:.1f} days old'})"
        for one, (name, age) in zip(results, ages.items(), strict=True)
        if one["status"] not in ("pass", "warn")
    ]
    if stale:
        raise DataError(
            f"stale at the end of {as_of}: {', '.join(stale)}; allowed are {settings.freshness.max_age_days} days "
            "(BUNDLES_FRESHNESS__MAX_AGE_DAYS). Load the missing days first"
        )
    known = {name: round(age / 86400, 2) for name, age in ages.items() if age is not None}
    for one, name in zip(results, ages, strict=True):
        if one["status"] == "warn" and name in known:
            log.warning("%s: the newest row is %.1f days old at the end of %s", name, known[name], as_of)
    return known


def find_missing_days(settings: Settings, as_of: date) -> None:
    """Make the view of the days on which orders lack, which nothing else of a build is needed for.

    Raises
    ------
    DataError
        When it could not be made, or the shop's tables have changed.
    TemporaryError
        When Postgres cannot be reached, a lock not be had, or a disk is full.
    """
    results, _ = _results(settings, ["run", "--select", f"+{MISSING_DAYS}"], "run_results.json", as_of)
    _refuse_failures(f"dbt run of {MISSING_DAYS}", results)


def audit(settings: Settings, as_of: date, run_id: int, scenario: str = "personal") -> list[AuditCheck]:
    """Return the outcome of every audit test of a scenario on the rows of ``run_id``, passed ones too.

    Raises
    ------
    DataError
        When a test could not be run, or there is none.
    TemporaryError
        When Postgres cannot be reached, a lock not be had, or a disk is full.
    """
    return _checked(settings, f"tag:audit_{scenario}", as_of, run_id, f"audit of run {run_id}")


def invariants(settings: Settings, as_of: date) -> list[AuditCheck]:
    """Return the outcome of every check of what must hold at any moment, whatever is published.

    Raises
    ------
    DataError
        When a check could not be run.
    TemporaryError
        When Postgres cannot be reached, a lock not be had, or a disk is full.
    """
    return _checked(settings, "tag:invariant", as_of, ANY_RUN, "check of the invariants")


def _checked(settings: Settings, selection: str, as_of: date, run_id: int, what: str) -> list[AuditCheck]:
    """Run the selected data tests and return how many rows break each; a broken one is no failure of dbt here."""
    everything, _ = _results(settings, ["test", "--select", selection], "run_results.json", as_of, run_id)
    # What dbt does before each command is no test.
    results = [one for one in everything if one["unique_id"].startswith("test.") or one["status"] in FAILED]
    broken = [one for one in results if one["status"] not in ("pass", "warn", "fail")]
    if broken or not results:
        _refuse_failures(f"dbt {what}", broken)
        raise DataError(f"dbt {what}: no test was run")
    return [
        AuditCheck(one["unique_id"].split(".")[2], int(one["failures"] or 0), one["message"] or "") for one in results
    ]


def _results(
    settings: Settings, arguments: list[str], artifact: str, as_of: date, run_id: int = 0
) -> tuple[list[dict[str, Any]], str]:
    """Run dbt and return the results it wrote and its invocation id.

    Calls may run side by side, so each writes into a folder of its own, which goes when the results are read. Only
    the parsed project is handed on; it is replaced in one step, so that nobody reads half of it.
    """
    # The audit's tests exist only while a run is audited, so it keeps a parsed project of its own.
    target = settings.dbt.target_dir / "audit" if run_id else settings.dbt.target_dir
    with _own_folder(target, f"{arguments[0]}-{run_id or as_of}-") as own:
        outputs = ["--target-path", str(own), "--log-path", str(target)]
        code, lines = _run(settings, [*arguments, *outputs], _environment(settings, as_of, run_id))
        said = "\n".join(lines[-30:])
        if code != 0 and (lost := [line for line in lines[-30:] if OUT_OF_REACH.search(line)]):
            raise TemporaryError(f"dbt cannot work in Postgres now: {lost[-1]}")
        if code != 0 and (full := [line for line in lines if FULL in line]):
            raise TemporaryError(f"dbt {arguments[0]}: {full[-1].strip()}; dbt itself writes to {target}")
        if not (own / artifact).exists():
            raise DataError(f"dbt {arguments[0]} ended with {code} and wrote no {artifact}:\n{said}")
        written = json.loads((own / artifact).read_text("utf-8"))
        with suppress(FileNotFoundError):
            (own / PARSED).replace(target / PARSED)
    return written["results"], written["metadata"]["invocation_id"]


@contextmanager
def _own_folder(target: Path, prefix: str) -> Iterator[Path]:
    """Give a folder for one call of dbt, in which the project lies as it was parsed last."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=prefix, dir=target) as folder:
            with suppress(FileNotFoundError):
                shutil.copyfile(target / PARSED, Path(folder) / PARSED)
            yield Path(folder)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise TemporaryError(f"there is no room for dbt in {target}: {error}") from error


def _run(settings: Settings, arguments: list[str], environment: dict[str, str]) -> tuple[int, list[str]]:
    """Run dbt, with its lines in our log, and return its exit code and the lines."""
    folders = ["--project-dir", str(settings.dbt.project_dir), "--profiles-dir", str(settings.dbt.project_dir)]
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", *arguments, *folders],
        cwd=settings.dbt.project_dir,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        for line in _stripped(child.stdout or ()):
            log.info("dbt: %s", line)
            lines.append(line)
    return child.returncode, lines


def _age_seconds(freshness: dict[str, Any]) -> float | None:
    """Return the age that dbt measured; None for a source without rows, which dbt dates to the year 1."""
    if freshness.get("max_loaded_at", "0001").startswith("0001"):
        return None
    age: float = freshness["max_loaded_at_time_ago_in_s"]
    return age


def _environment(settings: Settings, as_of: date, run_id: int) -> dict[str, str]:
    where = settings.warehouse
    return {
        **os.environ,
        "BUNDLES_WAREHOUSE__HOST": where.host,
        "BUNDLES_WAREHOUSE__PORT": str(where.port),
        "BUNDLES_WAREHOUSE__DATABASE": where.database,
        "BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD": where.password("transformer"),
        "BUNDLES_FRESHNESS__MAX_AGE_DAYS": str(settings.freshness.max_age_days),
        "BUNDLES_MIN_PRODUCT_BASKETS": str(settings.min_product_baskets),
        "BUNDLES_AS_OF": as_of.isoformat(),
        "BUNDLES_RUN_ID": str(run_id),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _stripped(output: Any) -> Iterator[str]:
    """Yield dbt's lines without their clock, which the log has itself."""
    for line in output:
        text = re.sub(r"^\d\d:\d\d:\d\d\s+", "", line.rstrip())
        if text:
            yield text


def _refuse_failures(what: str, results: list[dict[str, Any]]) -> None:
    failed = [
        f"{one['unique_id'].split('.')[2]} ({(one['message'] or one['status']).strip().splitlines()[0]})"
        for one in results
        if one["status"] in FAILED
    ]
    if failed:
        raise DataError(f"{what}: {len(failed)} failed: {'; '.join(failed)}")
