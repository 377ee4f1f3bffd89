"""The catalogue, fifth part: keys and what they point at (70 to 77)."""

from tests.bad_inputs.case import Case, csv_of
from tests.bad_inputs.records import after, line, order, product, review, stock, taken, wrong

KEYS = [
    Case(
        70,
        "an event delivered twice",
        "D",
        "events",
        (),
        records=1,
        folders=after(
            [{"event_id": "b1", "event_type": "view", "occurred_at": "2017-11-01"}],
            [{"event_id": "b1", "event_type": "view", "occurred_at": "2017-11-01"}],
            "events",
        ),
    ),  # type: ignore[arg-type]
    wrong(
        71,
        "an event delivered twice with other content",
        "events",
        [],
        "conflicting_duplicate",
        "event_id",
        folders=after(
            [{"event_id": "b1", "event_type": "view", "occurred_at": "2017-11-01"}],
            [{"event_id": "b1", "event_type": "cart", "occurred_at": "2017-11-01"}],
            "events",
        ),
    ),
    wrong(
        72,
        "a product twice in a file",
        "products",
        [],
        "conflicting_duplicate",
        "product_id",
        records=2,
        folders=lambda good: [{"products.csv": csv_of("products", [*good, *product(title="a"), *product(title="b")])}],
    ),
    wrong(
        72,
        "an order twice",
        "orders",
        [],
        "conflicting_duplicate",
        "order_id",
        records=1,
        folders=after(order("2017-11-01"), order("2017-11-02"), "orders"),
        instead="a file is refused when too much of it is bad for any reasons together, not for this one at 1 %",
    ),
    taken(
        72,
        "an order that is cancelled later",
        "orders",
        [],
        "N",
        folders=after(order("2017-11-01"), order("2017-11-01", status="cancelled"), "orders"),
        lands={"order_id": "b1", "status": "cancelled"},
        notes={"cancelled_later": 1},
    ),
    wrong(
        72,
        "a cancelled order that is completed later",
        "orders",
        [],
        "conflicting_duplicate",
        "order_id",
        folders=after(order("2017-11-01", status="cancelled"), order("2017-11-01", status="completed"), "orders"),
    ),
    wrong(
        72,
        "an order that is cancelled later and has another day",
        "orders",
        [],
        "conflicting_duplicate",
        "order_id",
        folders=after(order("2017-11-01"), order("2017-11-02", status="cancelled"), "orders"),
    ),
    wrong(73, "a line of an unknown order", "order_items", line(order_id="nobody"), "orphan_order", "order_id"),
    wrong(73, "a line of an unknown product", "order_items", line(product_id="p9"), "orphan_product", "product_id"),
    wrong(73, "a review of an unknown product", "reviews", review(product_id="p9"), "orphan_product", "product_id"),
    taken(
        73,
        "an event of an unknown customer",
        "events",
        [{"event_id": "b1", "customer_id": "zoe", "event_type": "view", "occurred_at": "2017-11-01"}],
        lands={"customer_id": "zoe"},
        instead="a shop need not deliver its customers",
    ),
    taken(
        74,
        "a product of an unknown category, or of one that contains itself",
        "products",
        [*product(category_path="A > B > A"), {"product_id": "b2", "category_path": "new"}],
        lands={"category_path": "A > B > A"},
        instead="a category is a path here, in which no circle can close",
    ),
    wrong(
        74,
        "a category of 10,000 levels",
        "products",
        product(category_path=" > ".join("abc" * 3400)),
        "too_long",
        "category_path",
    ),
    taken(
        76,
        "stock in an unknown warehouse",
        "stock_levels",
        stock(),
        lands={"warehouse_id": "w"},
        instead="there is no list of warehouses: each name is one",
    ),
    *[
        taken(
            77, f"{word} for a flag", "products", product(is_active=word), lands={"product_id": "b1", "is_active": flag}
        )
        for word, flag in (("yes", True), ("Y", True), ("1", True), ("t", True), ("No", False), ("0", False))
    ],
    wrong(77, "maybe for a flag", "products", product(is_active="maybe"), "flag_format", "is_active"),
    wrong(77, "an unknown state", "orders", order("2017-11-01", status="lost"), "unknown_enum", "status"),
]
