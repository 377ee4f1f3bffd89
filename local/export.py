"""A mart as a CSV file that a spreadsheet shows and does not run."""

import csv
import io
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from local.instance import LocalError
from local.postgres import Server
from local.programs import programs

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - their wide forms work too
"""How a cell begins that a spreadsheet takes for a formula (OWASP, CSV Injection)."""
LONGEST_CELL = 2**30
"""Letters: Postgres holds no longer text. Python's own limit, 131,072, is less than the parameters of some runs."""


def harmless(cell: str) -> str:
    """Return a cell with an apostrophe before what a spreadsheet would run; numbers stay numbers.

    Titles and names are the suppliers' and customers' own text: one may read ``=HYPERLINK(...)``.
    """
    if not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def export(server: Server, mart: str, target: Path) -> int:
    """Write all rows of a mart to a file and return how many they are; the file appears whole or not at all.

    Raises
    ------
    LocalError
        When there is no such mart, Postgres refuses, or the file cannot be written. Like an interruption, that leaves
        neither a part of the file nor psql.
    """
    part = target.with_name(f"{target.name}.part")
    query = 'copy (select * from marts.:"mart") to stdout with (format csv, header)'
    line = [str(programs() / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-v", f"mart={mart}"]
    env = server.client_environment("bundles_analyst", "shop")
    try:
        # What psql complains of may be more than a pipe holds while nobody reads it: a file takes it all.
        with TemporaryFile() as complaints:
            psql = subprocess.Popen(line, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints)
            try:
                lines = _copy(psql, query, part)
                failed = psql.wait()
            finally:
                # Nobody reads any more; what ended by itself is not touched.
                psql.kill()
                psql.wait()
            complaints.seek(0)
            if failed:
                raise LocalError(f"{mart}: {complaints.read().decode().strip()}")
        part.replace(target)
    except OSError as error:
        raise LocalError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return lines - 1


def _copy(psql: subprocess.Popen[bytes], query: str, part: Path) -> int:
    """Write what psql answers to the query, made harmless, and return how many lines it has."""
    assert psql.stdin and psql.stdout  # noqa: S101 - for the type checker; both are pipes
    with psql.stdin, psql.stdout:
        # Where psql could not connect it is gone already, and has said why.
        with suppress(BrokenPipeError):
            psql.stdin.write(query.encode())
            psql.stdin.close()
        csv.field_size_limit(LONGEST_CELL)
        opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            lines = 0
            for row in csv.reader(io.TextIOWrapper(psql.stdout, encoding="utf-8", newline="")):
                writer.writerow(map(harmless, row))
                lines += 1
    return lines
