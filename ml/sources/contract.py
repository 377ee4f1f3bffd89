"""The raw contract: which tables a shop may deliver, with the rule of each column.

The same tables stand in ``database/migrations``; ``docs/raw_contract.md`` explains them to a shop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "integer", "real", "instant", "day", "flag", "choice", "vector"]


@dataclass(frozen=True)
class Column:
    """The rule of one column: what it holds, whether it must be there, its bounds.

    ``unknown_is_zero``: a value that is not given lands as 0 and is counted, since an older value would hold on.
    """

    kind: Kind
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    default: str | int | bool | None = None
    unknown_is_zero: bool = False


@dataclass(frozen=True)
class RawTable:
    """One table of the contract.

    Attributes
    ----------
    name
        Its name in schema ``raw``.
    columns
        Rule by column.
    key
        Columns that identify a record.
    is_entity
        True for customers, products and rules, of which a newer delivery replaces the row. Facts never change, save
        for what ``state`` says: another record under the same key is quarantined.
    parents
        Column to the table in which its value must exist already.
    state
        Column of a fact in which a newer delivery may say ``cancelled`` where ``completed`` landed.
    namesakes
        Column to the table that may know its value too: it need not stand there, but must not be spelt otherwise.
    """

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    is_entity: bool = False
    parents: Mapping[str, str] | None = None
    state: str | None = None
    namesakes: Mapping[str, str] | None = None


def _id(required: bool = True) -> Column:
    return Column("id", required)


TEXT = Column("text")
MONEY = Column("integer", low=0, high=100_000_000)
INSTANT = Column("instant", required=True)
VECTORS = ("image_vector", "text_vector", "audio_vector")
"""Embeddings of any origin, which enter the graph of products as they are."""
UNITS = 10_000
"""More units than this in one line are an error of the till, not a purchase."""
LINE_CENTS = 2_000_000_000
"""So is more money than this in one line, before the discount, though units and price may each be possible."""

RULE_KINDS = ("pin", "veto", "must_include", "exclude_category", "price_floor")
SCENARIOS = ("personal", "cross_category", "bundle_sale", "replenishment", "launch", "customer_care")

TABLES = {
    table.name: table
    for table in (
        RawTable(
            "customers",
            {
                "customer_id": _id(),
                **dict.fromkeys(("segment", "age_band", "gender", "region", "income_band", "household_size"), TEXT),
                "signed_up_on": Column("day"),
            },
            ("customer_id",),
            is_entity=True,
        ),
        RawTable(
            "products",
            {
                "product_id": _id(),
                **dict.fromkeys(("title", "brand", "category_path"), TEXT),
                "price_cents": MONEY,
                "cost_cents": MONEY,
                "launched_on": Column("day"),
                "is_active": Column("flag", default=True),
                **dict.fromkeys(VECTORS, Column("vector")),
            },
            ("product_id",),
            is_entity=True,
        ),
        RawTable(
            "orders",
            {
                "order_id": _id(),
                "customer_id": _id(required=False),
                "ordered_at": INSTANT,
                "store_id": TEXT,
                "channel": TEXT,
                "status": Column("choice", choices=("completed", "cancelled"), default="completed"),
            },
            ("order_id",),
            state="status",
            namesakes={"customer_id": "customers"},
        ),
        RawTable(
            "order_items",
            {
                "order_id": _id(),
                "line_number": Column("integer", required=True, low=1, high=1_000_000),
                "product_id": _id(),
                "quantity": Column("integer", required=True, low=-UNITS, high=UNITS),
                "unit_price_cents": Column("integer", required=True, low=0, high=100_000_000),
                "discount_cents": Column("integer", low=0, high=100_000_000, default=0),
            },
            ("order_id", "line_number"),
            parents={"order_id": "orders", "product_id": "products"},
        ),
        RawTable(
            "events",
            {
                "event_id": _id(),
                "customer_id": _id(required=False),
                "session_id": TEXT,
                "event_type": Column("choice", required=True, choices=("view", "search", "cart", "purchase")),
                "product_id": _id(required=False),
                "query_text": TEXT,
                "occurred_at": INSTANT,
            },
            ("event_id",),
        ),
        RawTable(
            "reviews",
            {
                "review_id": _id(),
                "product_id": _id(),
                "customer_id": _id(required=False),
                "rating": Column("integer", required=True, low=1, high=5),
                "body": TEXT,
                "reviewed_at": INSTANT,
            },
            ("review_id",),
            parents={"product_id": "products"},
        ),
        RawTable(
            "stock_levels",
            {
                "product_id": _id(),
                "warehouse_id": Column("text", default="all"),
                "counted_at": INSTANT,
                "on_hand_units": Column("integer", required=True, low=0, high=100_000_000, unknown_is_zero=True),
                "reserved_units": Column("integer", low=0, high=100_000_000, default=0),
            },
            ("product_id", "warehouse_id", "counted_at"),
            parents={"product_id": "products"},
        ),
        RawTable(
            "promotions",
            {
                "promotion_id": _id(),
                "product_id": _id(),
                "kind": Column("choice", required=True, choices=("discount", "display", "mailer")),
                "discount_share": Column("real", low=0, high=1),
                "store_count": Column("integer", low=0, high=1_000_000),
                "starts_on": Column("day", required=True),
                "ends_on": Column("day", required=True),
            },
            ("promotion_id",),
            parents={"product_id": "products"},
        ),
        RawTable(
            "market_signals",
            {
                "signal_id": _id(),
                "signal_on": Column("day", required=True),
                "kind": Column("text", required=True),
                "category": TEXT,
                "product_id": _id(required=False),
                "value": Column("real", required=True),
            },
            ("signal_id",),
        ),
        RawTable(
            "bundle_feedback",
            {
                "feedback_id": _id(),
                "bundle_id": _id(),
                "customer_id": _id(required=False),
                "kind": Column("choice", required=True, choices=("impression", "click", "add", "purchase", "return")),
                "occurred_at": INSTANT,
                "policy": TEXT,
                "propensity": Column("real", low=1e-12, high=1),
                "variant": TEXT,
                "order_id": _id(required=False),
            },
            ("feedback_id",),
        ),
        RawTable(
            "sessions",
            {"session_id": _id(), "customer_id": _id(required=False), "started_at": INSTANT, "channel": TEXT},
            ("session_id",),
        ),
        RawTable(
            "given_bundles",
            {
                "bundle_id": _id(),
                "product_id": _id(),
                "position": Column("integer", low=1, high=1000, default=1),
            },
            ("bundle_id", "product_id"),
            parents={"product_id": "products"},
        ),
        RawTable(
            "merch_rules",
            {
                "rule_id": _id(),
                "kind": Column("choice", required=True, choices=RULE_KINDS),
                "product_id": _id(required=False),
                "category": TEXT,
                "scenario": Column("choice", choices=SCENARIOS),
                "floor_cents": MONEY,
                "starts_on": Column("day"),
                "ends_on": Column("day"),
                "author": Column("text", required=True),
                "reason": Column("text", required=True),
            },
            ("rule_id",),
            is_entity=True,
        ),
        RawTable(
            "lead_times",
            {"product_id": _id(), "lead_days": Column("integer", required=True, low=1, high=3650), "supplier": TEXT},
            ("product_id",),
            parents={"product_id": "products"},
        ),
    )
}
