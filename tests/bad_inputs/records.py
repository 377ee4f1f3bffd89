"""Builders of the records in the catalogue."""

from collections.abc import Callable

from tests.bad_inputs.case import Case, Folder, Row, csv_of


def customer(key: str, **more: object) -> list[Row]:
    """Return a customer."""
    return [{"customer_id": key, **more}]


def product(**more: object) -> list[Row]:
    """Return a product."""
    return [{"product_id": "b1", **more}]


def order(at: str, **more: object) -> list[Row]:
    """Return an order."""
    return [{"order_id": "b1", "ordered_at": at, **more}]


def line(**more: object) -> list[Row]:
    """Return an order line."""
    known: Row = {"order_id": "o2", "line_number": 1, "product_id": "p1", "quantity": 1, "unit_price_cents": 500}
    return [known | more]


def review(**more: object) -> list[Row]:
    """Return a review."""
    return [{"review_id": "b1", "product_id": "p1", "rating": 5, "reviewed_at": "2017-11-01"} | more]


def stock(**more: object) -> list[Row]:
    """Return a count of stock."""
    return [{"product_id": "p1", "warehouse_id": "w", "counted_at": "2017-11-01", "on_hand_units": 1} | more]


def promotion(key: str = "b1", **more: object) -> Row:
    """Return a promotion of a week."""
    week = {"starts_on": "2017-11-01", "ends_on": "2017-11-07"}
    return {"promotion_id": key, "product_id": "p1", "kind": "mailer"} | week | more


def after(first: list[Row], then: list[Row], table: str) -> Callable[[list[Row]], list[Folder]]:
    """Return a builder of two loads: the second is judged."""

    def build(good: list[Row]) -> list[Folder]:
        return [{f"{table}.csv": csv_of(table, first)}, {f"{table}.csv": csv_of(table, [*good, *then])}]

    return build


def wrong(number: int, what: str, table: str, rows: list[Row], reason: str, column: str | None, **more: object) -> Case:
    """Return a case of records that are set aside; the column is None where they could not be split."""
    return Case(number, what, "Q", table, rows, reason, column, **more)  # type: ignore[arg-type]


def taken(number: int, what: str, table: str, rows: list[Row], verdict: str = "A", **more: object) -> Case:
    """Return a case of records that land."""
    return Case(number, what, verdict, table, rows, **more)  # type: ignore[arg-type]
