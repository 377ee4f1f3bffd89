"""A dirty export in small, and what lands of one."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from ml.sources.contract import TABLES
from ml.sources.online_retail import OnlineRetail
from ml.sources.validation import RECORD, sort_records

LAST = date(2009, 12, 3)
UK = "United Kingdom"
COLUMNS = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
LINES: list[tuple[object, ...]] = [
    ("489434", "85048", "GLASS BALL ", 12, "2009-12-01 07:45:00", 6.95, 13085.0, UK),
    ("489434", "85048", "GLASS BALL ", 12, "2009-12-01 07:45:00", 6.95, 13085.0, UK),
    ("489434", "POST", "POSTAGE", 1, "2009-12-01 07:46:00", 18.0, 13085.0, UK),
    ("489435", "85123a", "WHITE HEART", 6, "2009-12-01 09:00:00", 1.1, None, "EIRE"),
    ("489436", "85123A", "WHITE HEART", 1, "2009-12-02 09:00:00", 2.55, 13086.0, "France"),
    ("C489437", "85048", "GLASS BALL", -2, "2009-12-02 10:00:00", 6.95, 13085.0, UK),
    ("489438", "85123A", "damaged", -5, "2009-12-02 11:00:00", 0.0, None, UK),
    ("489438", "85123A", "damaged", -3, "2009-12-02 11:00:00", 0.0, None, UK),
    ("489438", "85123A", "damaged", -1, "2009-12-02 11:00:00", 0.0, None, UK),
    ("489439", "PADS", "PADS TO MATCH", 250, "2009-12-03 08:00:00", 0.001, 13086.0, UK),
    ("489440", "22222", None, 20000, "2009-12-03 08:00:00", 0.1, 13086.0, UK),
    ("A489441", "B", "Adjust bad debt", 1, "2009-12-03 08:10:00", -53594.36, None, UK),
    ("489442", "22223", None, 4, "2009-12-03 08:20:00", 0.0, 13086.0, UK),
    ("489443", "22223", "MUG", 4, "some day", 1.0, 13086.0, UK),
    ("489444", None, "MUG", 4, "2009-12-03 09:00:00", 1.0, 13086.0, UK),
    (None, "22223", "MUG", 4, "2009-12-03 09:00:00", 1.0, 13086.0, UK),
    ("489445", "BANK CHARGES", "Bank Charges", -1, "2009-12-03 10:00:00", 15.0, None, UK),
]
SET_ASIDE = {
    11: "quantity_range",
    12: "unit_price_cents_range",
    14: "orphan_order",
    15: "missing_id",
    16: "missing_id",
}
"""Lines of the file, counted from 1, that land nowhere; the undated one for want of its order."""


@dataclass
class Shop:
    """What has landed of a feed, by the contract's own rules, without a database."""

    tables: dict[str, list[pl.DataFrame]] = field(default_factory=lambda: {name: [] for name in TABLES})
    reasons: dict[str, dict[int, str]] = field(default_factory=lambda: {name: {} for name in TABLES})
    through: dict[str, date] = field(default_factory=dict)
    lines: int = 0

    def load(self, path: Path, as_of: date) -> "Shop":
        for delivery in OnlineRetail(path).deliveries(as_of, self.through):
            outcome = sort_records(TABLES[delivery.table], delivery.records)
            assert outcome.duplicates == 0
            accepted, refused = outcome.accepted, [outcome.quarantined]
            if delivery.refused is not None:
                refused.append(delivery.refused)
            reasons = self.reasons[delivery.table]
            for number, reason in pl.concat(refused).select("record_number", "reason").rows():
                assert number not in reasons, "set aside once"
                reasons[number] = reason
            if delivery.table == "order_items":
                self.lines += delivery.records.height + (0 if delivery.refused is None else delivery.refused.height)
                orphans = accepted.join(self["orders"], on="order_id", how="anti")
                reasons.update(dict.fromkeys(orphans[RECORD], "orphan_order"))
                accepted = accepted.join(orphans, on=RECORD, how="anti")
                assert accepted.join(self["products"], on="product_id", how="anti").is_empty()
            self.tables[delivery.table].append(accepted)
            if delivery.loaded_through:
                self.through[delivery.table] = delivery.loaded_through
        return self

    def __getitem__(self, table: str) -> pl.DataFrame:
        """Return the rows of a table, the newest of each key."""
        return pl.concat(self.tables[table]).unique(list(TABLES[table].key), keep="last", maintain_order=True)

    def row(self, table: str, **key: object) -> dict[str, object]:
        return self[table].filter(**key).row(0, named=True)
