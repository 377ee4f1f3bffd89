"""A mart as a CSV file that a spreadsheet shows and does not run."""

import csv
import io
import os
import subprocess
from pathlib import Path

from local.instance import LocalError
from local.postgres import Server
from local.programs import programs

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - their wide forms work too
"""How a cell begins that a spreadsheet takes for a formula (OWASP, CSV Injection)."""


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
        When there is no such mart, or Postgres refuses.
    """
    part = target.with_name(f"{target.name}.part")
    query = 'copy (select * from marts.:"mart") to stdout with (format csv, header)'
    line = [str(programs() / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-v", f"mart={mart}"]
    psql = subprocess.Popen(
        line,
        env=server.client_environment("bundles_analyst", "shop"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert psql.stdin and psql.stdout and psql.stderr  # noqa: S101 - for the type checker; all are pipes
    psql.stdin.write(query.encode())
    psql.stdin.close()
    opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        lines = 0
        for row in csv.reader(io.TextIOWrapper(psql.stdout, encoding="utf-8", newline="")):
            writer.writerow(map(harmless, row))
            lines += 1
    error = psql.stderr.read().decode()
    if psql.wait():
        part.unlink()
        raise LocalError(f"{mart}: {error.strip()}")
    part.replace(target)
    return lines - 1
