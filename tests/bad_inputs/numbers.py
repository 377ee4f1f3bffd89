"""The catalogue, third part: numbers, money and quantities (43 to 57)."""

from collections.abc import Callable

from tests.bad_inputs.case import Case, Folder, Row, csv_of
from tests.bad_inputs.records import line, order, product, promotion, review, stock, taken, wrong

CENTS = "money is whole cents here, so a part of a cent or another form is set aside, never rounded or guessed"
CURRENCY = "a shop has one currency here; a column that says otherwise refuses the file"


def paid_in(
    currency: str, *odd: Row, before: Folder | None = None, at_once: bool = False
) -> Callable[..., list[Folder]]:
    """Return a builder of order lines in a currency and odd ones, after other files or beside them."""

    def build(good: list[Row]) -> list[Folder]:
        rows = [row | {"currency": currency} for row in [*good, *line()]]
        files = {"order_items.csv": csv_of("order_items", [*rows, *odd])}
        if before is None:
            return [files]
        return [before | files] if at_once else [before, files]

    return build


EUROS = {"products.csv": csv_of("products", product(price_cents=500, currency="EUR"))}

NUMBERS = [
    wrong(
        43,
        "a paid price that is no number",
        "order_items",
        line(unit_price_cents="NaN"),
        "missing_unit_price_cents",
        "unit_price_cents",
    ),
    taken(
        43,
        "a catalogue price that is no number",
        "products",
        product(price_cents="NaN"),
        "N",
        lands={"product_id": "b1", "price_cents": None},
        instead="other tools write a missing number so; it is unknown",
    ),
    wrong(
        43,
        "a signal that is no number",
        "market_signals",
        [{"signal_id": "b1", "signal_on": "2017-11-01", "kind": "x", "value": "nan"}],
        "missing_value",
        "value",
    ),
    *[
        wrong(44, f"the price {text}", "order_items", line(unit_price_cents=text), "integer_format", "unit_price_cents")
        for text in ("inf", "-inf")
    ],
    wrong(
        44,
        "an infinite signal",
        "market_signals",
        [{"signal_id": "b1", "signal_on": "2017-11-01", "kind": "x", "value": "inf"}],
        "not_finite",
        "value",
    ),
    wrong(
        45, "no price paid", "order_items", line(unit_price_cents=""), "missing_unit_price_cents", "unit_price_cents"
    ),
    taken(
        45,
        "no price in the catalogue",
        "products",
        product(price_cents=""),
        lands={"price_cents": None},
        instead="a price that a shop does not give is what was paid lately",
    ),
    wrong(
        46, "a negative price", "order_items", line(unit_price_cents=-1), "unit_price_cents_range", "unit_price_cents"
    ),
    taken(
        47,
        "a price of 0",
        "order_items",
        line(unit_price_cents=0),
        lands={"order_id": "o2", "unit_price_cents": 0},
        notes={"free:unit_price_cents": 1},
    ),
    wrong(48, "a price of 1e12", "products", product(price_cents=10**12), "price_cents_range", "price_cents"),
    taken(
        48,
        "more than a hundred times the usual price",
        "products",
        [
            *product(price_cents=1_500_000),
            *product(product_id="b2", price_cents=500),
            *product(product_id="b3", price_cents=500),
        ],
        lands={"price_cents": 1_500_000},
        notes={"outlier:price_cents": 1},
    ),
    *[
        wrong(49, f"the price {text}", "products", product(price_cents=text), "integer_format", "price_cents")
        for text in ("1,234.56", "1.234,56", "1 234", "$12", "12 EUR", "12,5", "12.00", "12.000")
    ],
    taken(
        49,
        "the price 12.0",
        "products",
        product(price_cents="12.0"),
        "N",
        lands={"price_cents": 12},
        instead="other tools write whole cents so; two decimals are an amount in units and are set aside",
    ),
    wrong(
        50,
        "a part of a cent",
        "products",
        product(price_cents="12.345"),
        "integer_format",
        "price_cents",
        instead=CENTS,
    ),
    Case(
        51,
        "two currencies in a file",
        "F",
        "order_items",
        [*line(currency="EUR"), *line(line_number=2, currency="USD")],
        "mixed_currency: order_items has amounts in EUR and USD",
        instead=CURRENCY,
    ),
    Case(
        51,
        "another currency than that of a file before",
        "F",
        "order_items",
        reason="mixed_currency: order_items has amounts in USD, what landed before in EUR",
        folders=paid_in("USD", before=EUROS),
        instead=CURRENCY,
    ),
    Case(
        51,
        "another currency than that of a file of the same load",
        "F",
        "order_items",
        reason="mixed_currency: order_items has amounts in USD, what landed before in EUR",
        folders=paid_in("USD", before=EUROS, at_once=True),
        instead=CURRENCY,
    ),
    taken(
        51,
        "the same currency, in small letters",
        "order_items",
        [],
        "N",
        lands={"order_id": "o2"},
        folders=paid_in(" eur", before=EUROS),
    ),
    *[
        wrong(51, f"the currency {text}", "order_items", line(currency=text), "unknown_currency", "currency")
        for text in ("\u20ac", "EURO", "978")
    ],
    wrong(
        51,
        "no currency beside records that name one",
        "order_items",
        [],
        "missing_currency",
        "currency",
        folders=paid_in("EUR", *line(line_number=2, currency="N/A"), before=EUROS),
        records=2,
    ),
    taken(
        51,
        "a column of currencies that names none",
        "order_items",
        line(currency=""),
        lands={"order_id": "o2"},
        notes={},
        instead="it says as little as no column: the amounts are in the shop's currency",
    ),
    Case(
        52,
        "a product in two currencies",
        "F",
        "products",
        [*product(currency="EUR"), {"product_id": "b2", "currency": "USD"}],
        "mixed_currency",
        instead=CURRENCY,
    ),
    Case(
        52,
        "a product in another currency than before",
        "F",
        "products",
        reason="mixed_currency: products has amounts in USD, what landed before in EUR",
        folders=lambda good: [
            EUROS,
            {"products.csv": csv_of("products", [row | {"currency": "USD"} for row in [*good, *product()]])},
        ],
        instead=CURRENCY,
    ),
    wrong(53, "no unit", "order_items", line(quantity=0), "quantity_range", "quantity"),
    wrong(53, "one and a half units", "order_items", line(quantity="1.5"), "integer_format", "quantity"),
    wrong(53, "a billion units", "order_items", line(quantity=10**9), "quantity_range", "quantity"),
    wrong(53, "89,638 units", "order_items", line(quantity=89_638), "quantity_range", "quantity"),
    taken(
        53,
        "minus one unit",
        "order_items",
        line(quantity=-1),
        lands={"order_id": "o2", "quantity": -1},
        instead="a line of negative units is a return",
    ),
    taken(
        54,
        "a total that differs from the sum of the lines",
        "orders",
        order("2017-11-01", total_cents="1"),
        "N",
        lands={"order_id": "b1"},
        notes={"unknown_columns": 1},
        instead="orders have no total here: lines are what counts",
    ),
    wrong(
        55, "a discount above the line", "order_items", line(discount_cents=501), "discount_over_line", "discount_cents"
    ),
    wrong(55, "a negative discount", "order_items", line(discount_cents=-1), "discount_cents_range", "discount_cents"),
    wrong(
        55,
        "a promotion of 150 %",
        "promotions",
        [promotion(discount_share="1.5")],
        "discount_share_range",
        "discount_share",
    ),
    taken(55, "a cost above the price", "products", product(price_cents=1, cost_cents=2), lands={"cost_cents": 2}),
    wrong(56, "negative stock", "stock_levels", stock(on_hand_units=-1), "on_hand_units_range", "on_hand_units"),
    taken(
        56,
        "no stock given",
        "stock_levels",
        stock(on_hand_units=""),
        "N",
        lands={"product_id": "p1", "warehouse_id": "w", "on_hand_units": 0},
        notes={"unknown_as_zero:on_hand_units": 1},
    ),
    wrong(56, "a billion in stock", "stock_levels", stock(on_hand_units=10**9), "on_hand_units_range", "on_hand_units"),
    taken(56, "more reserved than there is", "stock_levels", stock(reserved_units=2), lands={"reserved_units": 2}),
    *[wrong(57, f"{stars} stars", "reviews", review(rating=stars), "rating_range", "rating") for stars in (0, 6)],
    *[
        wrong(57, f"the rating {text}", "reviews", review(rating=text), "integer_format", "rating")
        for text in ("4.5", "good")
    ],
]
