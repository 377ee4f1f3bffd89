"""How fast a shop page is answered: a basket completed, a customer's bundles read, beside a primary-key look-up.

An embedded Postgres with 100,000 products and 1,000,000 pairs in the published run (:mod:`benchmarks.serving_shop`),
and stock counts of two warehouses. pgbench, 8 clients that ask without a pause, as the analyst (the look-up, in a table
the analyst does not see, as the owner). In turn and in several rounds, so that all meet the same machine; the
quantile is of all calls of all rounds, its interval that of order statistics. Baskets hold three products, popular
ones more often; half of them name a customer of the run. ``customer_bundles`` reads ``marts.fct_bundles``. Statements
are prepared once a connection, as a shop's page does it; ``customer_bundles_unprepared`` is planned anew each time.

Run as ``python -m benchmarks.serving [--quick] --json FILE``; ``--quick`` takes 10,000 products and short rounds.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Row, arguments, write_report
from benchmarks.serving_shop import Size, plant
from local.postgres import Server
from local.programs import programs
from local.temporary import temporary_server

CLIENTS = 8
QUANTILE = 0.99
FULL, QUICK = Size(100_000, 10_000), Size(10_000, 1_000)
ROUNDS, FULL_SECONDS, QUICK_SECONDS = 3, 15, 4
PEER = "primary_key"
DRAWN = r"""\set {name}_root random(0, 999999)
\set {name} 1 + :{name}_root * :{name}_root / 1000000 * {products} / 1000000
"""
"""A product as partners are drawn in the shop: popular ones more often."""
CUSTOMER = "\\set customer random(1, {customers})\n"
COMPLETE = r"""\set is_known random(0, 1)
select * from serve.complete_basket(
    array[{a}, {b}, {c}], 3000, 3, case when :is_known = 1 then 'c' || :customer end
);
"""
LOOK_UP = "select title, price_cents from raw.products where product_id = {a};\n"
READ_BUNDLES = "select * from marts.fct_bundles where customer_id = 'c' || :customer;\n"


@dataclass(frozen=True)
class Question:
    """What pgbench asks, as which role; {a}, {b} and {c} are drawn products, :customer is a drawn number."""

    name: str
    role: str
    text: str
    is_prepared: bool = True

    def script(self, size: Size) -> str:
        """Return the script that draws and asks."""
        names = [name for name in "abc" if f"{{{name}}}" in self.text]
        drawn = [DRAWN.format(name=name, products=size.products) for name in names]
        products = {name: f"'p' || lpad(:{name}::text, 7, '0')" for name in names}
        return "".join([*drawn, CUSTOMER.format(customers=size.customers), self.text.format(**products)])


LOOK = Question(PEER, "bundles_owner", LOOK_UP)
BUNDLES = Question("customer_bundles", "bundles_analyst", READ_BUNDLES)
UNPREPARED = Question("customer_bundles_unprepared", "bundles_analyst", READ_BUNDLES, is_prepared=False)
QUESTIONS = (LOOK, Question("complete_basket", "bundles_analyst", COMPLETE), BUNDLES, UNPREPARED)


def main() -> None:
    """Plant, ask and report."""
    options = arguments(__doc__)
    size, seconds = (QUICK, QUICK_SECONDS) if options.quick else (FULL, FULL_SECONDS)
    parts: dict[str, list[NDArray[np.float64]]] = {question.name: [] for question in QUESTIONS}
    with tempfile.TemporaryDirectory() as folder, temporary_server(Path(folder), is_durable=True) as server:
        pairs = plant(server, size)
        for _ in range(ROUNDS):
            for question in QUESTIONS:
                parts[question.name].append(ask(server, question, size, seconds))
    took = {name: np.concatenate(rounds) for name, rounds in parts.items()}
    data = f"{size.products:,} products, {pairs:,} pairs, {size.customers:,} customers, {CLIENTS} clients"
    write_report("serving", data, rows(took, ROUNDS * seconds), options.json)


def ask(
    server: Server, question: Question, size: Size, seconds: int, clients: int = CLIENTS, per_second: int | None = None
) -> NDArray[np.float64]:
    """Let pgbench ask for some seconds, and return the (calls,) milliseconds that each answer took.

    Without a pause, or ``per_second`` times in all whether or not answers have come: then each answer's time counts
    from when its question was due, and no queue hides.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.sql"
        script.write_text(question.script(size), "utf-8")
        how = ["--no-vacuum", "--log", f"--client={clients}", "--jobs=2", f"--time={seconds}", f"--file={script}"]
        how += ["--failures-detailed", f"--protocol={'prepared' if question.is_prepared else 'simple'}"]
        how += [f"--rate={per_second}"] if per_second else []
        done = subprocess.run(
            [programs() / "pgbench", *how],
            cwd=folder,
            env=server.client_environment(question.role, "shop"),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or "aborted" in done.stderr:
            raise SystemExit(f"pgbench {question.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        # Where a time stands otherwise, pgbench writes why there was no answer.
        told = [np.loadtxt(log, usecols=2, ndmin=1, dtype=str) for log in sorted(Path(folder).glob("pgbench_log.*"))]
    times = np.concatenate(told)
    failed = times[~np.char.isdecimal(times)]
    if failed.size:
        raise SystemExit(
            f"pgbench {question.name}: {failed.size} of {times.size} answers failed: {set(failed.tolist())}"
        )
    return times.astype(float) / 1000


def rows(took: dict[str, NDArray[np.float64]], seconds: int) -> list[Row]:
    """Return the quantile and the median of each question against those of the look-up, and its answers a second."""
    found = []
    for name, milliseconds in took.items():
        for metric, share in (("p99_ms", QUANTILE), ("p50_ms", 0.5)):
            value, low, high = quantile(milliseconds, share)
            peer = float(np.quantile(took[PEER], share))
            against = (None, None) if name == PEER else (PEER, value / peer)
            found.append(Row(f"serving/{name}/{metric}", value, "ms", low, high, *against))
        found.append(Row(f"serving/{name}/answers_per_second", len(milliseconds) / seconds, "1/s"))
    return found


def quantile(values: NDArray[np.float64], share: float) -> tuple[float, float, float]:
    """Return a quantile and its 95 % interval without an assumption on the distribution: two order statistics."""
    ordered, count = np.sort(values), len(values)
    spread = 1.96 * np.sqrt(count * share * (1 - share))
    low, high = (int(np.clip(count * share + side * spread, 0, count - 1)) for side in (-1, 1))
    return float(np.quantile(values, share)), float(ordered[low]), float(ordered[high])


if __name__ == "__main__":
    main()
