"""The catalogue, second part: texts and keys as texts (28 to 42)."""

from tests.bad_inputs.case import Case, csv_of
from tests.bad_inputs.records import after, customer, line, order, product, review, taken, wrong

HOSTILE = ("1'; drop table x;--", "${jndi:ldap://x}", "{{ 7*7 }}", "$(id)")
PATHS = ("../../etc/passwd", "a/b", "%2f")
FORMULAS = ("=1+1", "+1", "-2+3", "@SUM(A1)", "\uff1d1+1")
NOON = "2017-11-01T12:00:00Z"
NOTHING = ("NULL", "None", "nan", "N/A", "-")


def broken(text: bytes) -> Case:
    """Return a case of bytes that are UTF-8 of a broken text."""
    return Case(
        29,
        f"the bytes {text.hex()}",
        "Q",
        reason="encoding",
        column="segment",
        records=1,
        folders=lambda good: (
            [{"customers.csv": csv_of("customers", good or customer("b1", segment="x")) + b"b2," + text + b"\n"}]
            if good
            else [{"customers.csv": b"customer_id,segment\nb2," + text + b"\n"}]
        ),
    )


TEXTS = [
    wrong(28, "a NUL byte in a key", "customers", customer("b\0"), "nul_byte", "customer_id"),
    wrong(28, "a NUL byte in a text", "customers", customer("b1", segment="a\0b"), "nul_byte", "segment"),
    *map(broken, (b"\xed\xa0\x80", b"\xc0\xaf", b"\xf0\x82\x82\xac")),
    taken(30, "emoji and Chinese", "products", product(title="🍓 寿司"), lands={"title": "🍓 寿司"}),
    taken(31, "Hebrew", "products", product(title="שלום"), lands={"title": "שלום"}),
    taken(
        31,
        "a turned direction in a name",
        "products",
        product(title="ab\u202ecd\u200b"),
        "N",
        lands={"title": "abcd"},
        notes={"mended:title": 1},
    ),
    taken(
        31,
        "an isolated direction, an Arabic mark and a soft hyphen in a name",
        "products",
        product(title="a\u2066b\u2069c\u061cd\u00ade"),
        "N",
        lands={"title": "abcde"},
        notes={"mended:title": 1},
    ),
    taken(31, "a name of hidden characters alone", "products", product(title="\u200b\u2066 "), lands={"title": None}),
    *[
        wrong(31, f"{what} in a key", "products", [{"product_id": f"b{mark}1"}], "hidden_character", "product_id")
        for what, mark in (
            ("a turned direction", "\u202e"),
            ("an isolated direction", "\u2066"),
            ("the end of one", "\u2069"),
            ("an Arabic mark", "\u061c"),
            ("a soft hyphen", "\u00ad"),
        )
    ],
    wrong(
        32,
        "two keys equal but for their composition",
        "customers",
        [],
        "ambiguous_id",
        "customer_id",
        folders=lambda good: [
            {"customers.csv": csv_of("customers", [*good, *customer("caf\u00e9"), *customer("cafe\u0301")])}
        ],
        records=2,
    ),
    wrong(
        32,
        "a key that landed in another composition",
        "products",
        [],
        "ambiguous_id",
        "product_id",
        folders=after([{"product_id": "caf\u00e9"}], [{"product_id": "cafe\u0301"}], "products"),
    ),
    wrong(
        32,
        "an order of a customer who landed in another composition",
        "orders",
        [],
        "ambiguous_id",
        "customer_id",
        folders=lambda good: [
            {"customers.csv": csv_of("customers", customer("caf\u00e9"))},
            {"orders.csv": csv_of("orders", [*good, *order(NOON, customer_id="cafe\u0301")])},
        ],
    ),
    wrong(
        32,
        "orders of one customer in two compositions",
        "orders",
        [],
        "ambiguous_id",
        "customer_id",
        folders=lambda good: [
            {
                "orders.csv": csv_of(
                    "orders",
                    [
                        *good,
                        *order(NOON, order_id="b1", customer_id="caf\u00e9"),
                        *order(NOON, order_id="b2", customer_id="cafe\u0301"),
                        *order(NOON, order_id="b3", customer_id="caf\u00e9"),
                    ],
                )
            }
        ],
        records=3,
    ),
    wrong(
        32,
        "an order of a customer whose order landed in another composition",
        "orders",
        [],
        "ambiguous_id",
        "customer_id",
        folders=after(
            order(NOON, order_id="b1", customer_id="caf\u00e9"),
            order(NOON, order_id="b2", customer_id="cafe\u0301"),
            "orders",
        ),
    ),
    taken(32, "an order of a customer in parts", "orders", order(NOON, customer_id="cafe\u0301")),
    taken(
        32,
        "a name in parts",
        "products",
        product(title="Cafe\u0301"),
        "N",
        lands={"title": "Caf\u00e9"},
        notes={"mended:title": 1},
    ),
    taken(
        32,
        "full-width digits and a Turkish i",
        "customers",
        [*customer("\uff11"), *customer("\u0130d"), *customer("id")],
        lands={"customer_id": "\uff11"},
    ),
    taken(
        33,
        "blanks around a key, one of them not breaking",
        "customers",
        customer(" b1\u00a0"),
        "N",
        lands={"customer_id": "b1"},
        notes={"mended:customer_id": 1},
    ),
    taken(
        33,
        "wide, narrow and thin blanks around a key and a name",
        "products",
        [{"product_id": "\u3000b1\u2009", "title": "\u202fTea\u2003\u3000"}],
        "N",
        lands={"product_id": "b1", "title": "Tea"},
        notes={"mended:product_id": 1, "mended:title": 1},
    ),
    taken(33, "a blank within a key", "customers", customer("b\u30001"), lands={"customer_id": "b\u30001"}),
    wrong(
        34,
        "an empty key, and some of blanks",
        "customers",
        [*customer("", segment="x"), *customer(" ", segment="x"), *customer("\u3000\u2002", segment="x")],
        "missing_id",
        "customer_id",
    ),
    taken(34, "an empty text", "customers", customer("b1", segment=""), lands={"customer_id": "b1", "segment": None}),
    *[wrong(35, f"{word} for a key", "customers", customer(word), "missing_id", "customer_id") for word in NOTHING],
    taken(35, "N/A for a text", "customers", customer("b1", segment="N/A"), "N", lands={"segment": None}),
    wrong(36, "a megabyte in a field", "products", product(title="x" * 2**20), "too_long", None),
    wrong(36, "twenty megabytes in a field", "products", product(title="x" * 20 * 2**20), "too_long", None),
    wrong(36, "a name of 5,000 bytes", "products", product(title="x" * 5000), "too_long", "title"),
    wrong(36, "a key of 129 bytes", "products", [{"product_id": "x" * 129}], "too_long", "product_id"),
    *[taken(37, f"the key {text}", "customers", customer(text), lands={"customer_id": text}) for text in HOSTILE],
    *[taken(38, f"the key {text}", "customers", customer(text), lands={"customer_id": text}) for text in PATHS],
    *[taken(39, f"the name {text}", "products", product(title=text), lands={"title": text}) for text in FORMULAS],
    taken(
        40,
        "a script in a review",
        "reviews",
        review(body="<script>alert(1)</script>"),
        lands={"body": "<script>alert(1)</script>"},
    ),
    taken(
        41,
        "keys that differ by case and by zeros",
        "customers",
        [row for key in ("ab", "AB", "007", "7") for row in customer(key)],
        lands={"customer_id": "007"},
    ),
    *[
        taken(42, f"{key} for a key", "customers", customer(key), lands={"customer_id": key})
        for key in (str(2**63), str(2**64), "-1", "1e3", "1.0")
    ],
    *[
        wrong(42, f"{number} for a number", "order_items", line(quantity=number), "quantity_range", "quantity")
        for number in (2**63, 2**64)
    ],
    wrong(42, "1e3 for a number", "order_items", line(quantity="1e3"), "integer_format", "quantity"),
    taken(
        42,
        "1.0 for a number",
        "order_items",
        line(quantity="1.0"),
        "N",
        lands={"order_id": "o2", "quantity": 1},
        instead="other tools write every number so",
    ),
]
