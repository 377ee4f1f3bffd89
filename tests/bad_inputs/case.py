"""One bad input: what a shop delivers, and what must become of it."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ml.sources.contract import TABLES

Row = dict[str, object]
Folder = dict[str, bytes]
Verdict = Literal["F", "Q", "N", "A", "D"]
PERSON = "mallory-7f3a"
"""The customer of all good records; no message may name her."""


@dataclass(frozen=True)
class Case:
    """A bad input that goes through the loader.

    Attributes
    ----------
    number
        Line of the catalogue.
    what
        The input, in words.
    verdict
        F: the file is refused. Q: the record is set aside. N: mended and accepted. A: accepted. D: a duplicate.
    table
        Which table the file is for.
    rows
        The bad records; empty where ``folders`` builds the files.
    reason, column
        Code and column of a refusal or of each quarantine row.
    folders
        Builds the folder of each load in turn from the good records; the last load is judged.
    records
        How many records beside the good ones there are, where ``folders`` builds them.
    set_aside
        How many of these are bad, for Q.
    again
        How many records repeat what an earlier load brought, by the number of good ones; of D it is every bad one.
    lands
        Columns and values of a row that must be in schema raw afterwards, for N and A.
    notes
        What the manifest must count, for N.
    settings
        Settings of the source that differ from their defaults.
    instead
        Where the verdict is another one than in the list that the catalogue was written from: why.
    """

    number: int
    what: str
    verdict: Verdict
    table: str = "customers"
    rows: Sequence[Row] = ()
    reason: str = ""
    column: str | None = None
    folders: Callable[[list[Row]], list[Folder]] | None = None
    records: int = 1
    set_aside: int = 1
    again: Callable[[int], int] = lambda good: 0
    lands: Row | None = None
    notes: dict[str, int] | None = None
    settings: dict[str, object] = field(default_factory=dict)
    instead: str = ""

    @property
    def bad(self) -> int:
        """Return how many records of the last file are not good ones."""
        return len(self.rows) or self.records

    @property
    def title(self) -> str:
        """Return a name for the test."""
        return f"{self.number:02d} {self.what}"

    def built(self, good: list[Row]) -> list[Folder]:
        """Return the folder of each load."""
        if self.folders is not None:
            return self.folders(good)
        return [{f"{self.table}.csv": csv_of(self.table, [*good, *self.rows])}]


@dataclass(frozen=True)
class Elsewhere:
    """A bad input that a test beside its code shows.

    Attributes
    ----------
    number, what
        As in ``Case``.
    ends
        How it must end, in words.
    tests
        Where that is shown, ``path::name``; empty where nothing of the kind can be delivered.
    """

    number: int
    what: str
    ends: str
    tests: tuple[str, ...] = ()


def good_rows(table: str, count: int) -> list[Row]:
    """Return good records, with keys that no bad record uses."""
    day, product = "2017-11-01T10:00:00Z", "p1"
    build: dict[str, Callable[[int], Row]] = {
        "customers": lambda n: {"customer_id": f"g{n}", "segment": PERSON},
        "products": lambda n: {"product_id": f"g{n}", "title": f"Good {n}", "price_cents": 100 + n},
        "orders": lambda n: {"order_id": f"g{n}", "customer_id": PERSON, "ordered_at": day},
        "order_items": lambda n: {
            "order_id": "o1", "line_number": n + 100, "product_id": product, "quantity": 1, "unit_price_cents": 500,
        },
        "events": lambda n: {
            "event_id": f"g{n}", "customer_id": PERSON, "event_type": "view", "product_id": product, "occurred_at": day,
        },
        "reviews": lambda n: {
            "review_id": f"g{n}", "product_id": product, "customer_id": PERSON, "rating": 5, "reviewed_at": day,
        },
        "stock_levels": lambda n: {
            "product_id": product, "warehouse_id": f"g{n}", "counted_at": day, "on_hand_units": n,
        },
        "promotions": lambda n: {
            "promotion_id": f"g{n}", "product_id": product, "kind": "mailer", "starts_on": "2017-11-01",
            "ends_on": "2017-11-07",
        },
        "market_signals": lambda n: {
            "signal_id": f"g{n}", "signal_on": "2017-11-01", "kind": "competitor_price", "value": 100 + n,
        },
    }  # fmt: skip
    return [build[table](number) for number in range(count)]


def csv_of(table: str, rows: Sequence[Row], header: Sequence[str] | None = None) -> bytes:
    """Return records as a file of the contract, with the columns that any of them has."""
    used = [name for name in TABLES[table].columns if any(name in row for row in rows)]
    extra = [name for row in rows for name in row if name not in TABLES[table].columns]
    names = list(header or [*used, *dict.fromkeys(extra)])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([row.get(name, "") for name in names] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")
