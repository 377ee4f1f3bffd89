"""What a folder may hold for a trial: the raw contract with fewer duties, and three tables of questions.

A trial needs no prices, units or clocks, so that research data sets can be judged; loading a shop does.
"""

from dataclasses import replace

from ml.sources.contract import TABLES, Column, RawTable

OPTIONAL = {
    "orders": ("ordered_at",),
    "order_items": ("line_number", "quantity", "unit_price_cents"),
    "events": ("event_type", "occurred_at"),
    "sessions": ("started_at",),
}
"""Required by the contract, not by a trial."""

PART = Column("choice", choices=("train", "validation", "test"), default="test")
KEY = Column("id", required=True)


def _relaxed(table: RawTable) -> RawTable:
    freed = OPTIONAL.get(table.name, ())
    columns = {name: replace(rule, required=False) if name in freed else rule for name, rule in table.columns.items()}
    # Without line numbers the products of an order are told apart by themselves.
    key = ("order_id", "line_number", "product_id") if table.name == "order_items" else table.key
    return replace(table, columns=columns, key=key)


TRIAL_TABLES: dict[str, RawTable] = {name: _relaxed(table) for name, table in TABLES.items()} | {
    table.name: table
    for table in (
        RawTable(
            "partial_baskets",
            {"basket_id": KEY, "product_id": KEY, "part": PART},
            ("basket_id", "product_id"),
            parents={"product_id": "products"},
        ),
        RawTable(
            "basket_candidates",
            {"basket_id": KEY, "product_id": KEY, "is_answer": Column("flag", default=False)},
            ("basket_id", "product_id"),
            parents={"product_id": "products", "basket_id": "partial_baskets"},
        ),
        RawTable(
            "session_bundles",
            {"session_id": KEY, "bundle_id": KEY, "part": PART},
            ("session_id", "bundle_id"),
            parents={"bundle_id": "given_bundles"},
        ),
    )
}
