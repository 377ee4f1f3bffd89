"""What the raw contract takes, mends and refuses, value by value."""

import json
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml.errors import DataError
from ml.sources.contract import LINE_CENTS, TABLES, UNITS
from ml.sources.validation import RECORD, Sorted, sort_records

GOOD: dict[str, dict[str, object]] = {
    "customers": {"customer_id": "c1"},
    "products": {"product_id": "p1"},
    "orders": {"order_id": "o1", "ordered_at": "2017-12-03T10:00:00Z"},
    "order_items": {"order_id": "o1", "line_number": "1", "product_id": "p1", "quantity": "1", "unit_price_cents": "5"},
    "events": {"event_id": "e1", "event_type": "view", "occurred_at": "2017-12-03 10:00:00"},
    "reviews": {"review_id": "r1", "product_id": "p1", "rating": "5", "reviewed_at": "2017-12-03"},
    "stock_levels": {"product_id": "p1", "counted_at": "2017-12-03", "on_hand_units": "0"},
    "promotions": {
        "promotion_id": "x",
        "product_id": "p1",
        "kind": "mailer",
        "starts_on": "2017-12-03",
        "ends_on": "2017-12-03",
    },
    "market_signals": {"signal_id": "m", "signal_on": "2017-12-03", "kind": "competitor_price", "value": "1.5"},
    "bundle_feedback": {"feedback_id": "f", "bundle_id": "b", "kind": "click", "occurred_at": "2017-12-03"},
    "sessions": {"session_id": "s", "started_at": "2017-12-03"},
    "given_bundles": {"bundle_id": "b", "product_id": "p1"},
    "merch_rules": {"rule_id": "r", "kind": "veto", "author": "mia", "reason": "recall"},
    "lead_times": {"product_id": "p1", "lead_days": "1"},
}


def sorted_one(table: str, **values: object) -> Sorted:
    records = pl.DataFrame([GOOD[table] | values]).with_row_index(RECORD, offset=1)
    return sort_records(TABLES[table], records)


def reason(table: str, **values: object) -> str | None:
    outcome = sorted_one(table, **values)
    assert outcome.accepted.height + outcome.quarantined.height == 1
    return None if outcome.quarantined.is_empty() else outcome.quarantined["reason"][0]


@pytest.mark.parametrize("table", list(TABLES))
def test_the_required_columns_alone_are_enough(table: str) -> None:
    assert reason(table) is None


@pytest.mark.parametrize("table", list(TABLES))
def test_each_required_column_is_missed_by_name(table: str) -> None:
    for name, rule in TABLES[table].columns.items():
        if rule.required:
            records = pl.DataFrame([GOOD[table]]).with_row_index(RECORD, offset=1).drop(name)
            with pytest.raises(DataError, match=f"schema_missing:{name}"):
                sort_records(TABLES[table], records)


@pytest.mark.parametrize(
    ("table", "column", "value", "expected"),
    [
        ("customers", "customer_id", "", "missing_id"),
        ("customers", "customer_id", " \u00a0", "missing_id"),
        *[("customers", "customer_id", word, "missing_id") for word in ("NULL", "None", "nan", "NaN", "N/A", "-")],
        ("customers", "customer_id", "a\u0000b", "nul_byte"),
        ("customers", "customer_id", "a\u202eb", "hidden_character"),
        *[
            ("customers", "customer_id", f"a{mark}b", "hidden_character")
            for mark in "\u200b\u2066\u2067\u2068\u2069\u061c\xad"
        ],
        *[("customers", "customer_id", blank, "missing_id") for blank in "\u1680\u2000\u2007\u200a\u202f\u205f\u3000"],
        ("merch_rules", "author", "\u2067", "missing_author"),
        ("customers", "customer_id", "x" * 129, "too_long"),
        ("products", "title", "x" * 4097, "too_long"),
        ("products", "price_cents", "-1", "price_cents_range"),
        ("products", "price_cents", "1000000000000", "price_cents_range"),
        *[("products", "price_cents", word, "integer_format") for word in ("1,234", "$12", "12 EUR", "1 234", "9.99")],
        *[("products", "price_cents", word, "integer_format") for word in ("inf", "12.00", "12.000", "-0.00")],
        ("order_items", "discount_cents", "1.00", "integer_format"),
        ("order_items", "unit_price_cents", "1.00", "integer_format"),
        ("products", "is_active", "maybe", "flag_format"),
        ("products", "launched_on", "03/04/2017", "day_format"),
        ("products", "launched_on", "2017-02-29", "day_format"),
        ("products", "launched_on", "1970-01-01", "time_range"),
        ("products", "image_vector", "[0.1, x]", "vector_format"),
        ("products", "image_vector", "[0.1, nan]", "vector_format"),
        ("orders", "ordered_at", "infinity", "instant_format"),
        ("orders", "ordered_at", "2017-12-03T24:30:00Z", "instant_format"),
        ("orders", "ordered_at", "1512295200", "instant_format"),
        ("orders", "ordered_at", "9999-12-31T00:00:00Z", "time_range"),
        ("orders", "status", "lost", "unknown_enum"),
        ("order_items", "quantity", "0", "quantity_range"),
        ("order_items", "quantity", "10001", "quantity_range"),
        ("order_items", "quantity", "-10001", "quantity_range"),
        ("order_items", "quantity", "1.5", "integer_format"),
        ("order_items", "quantity", "9223372036854775808", "quantity_range"),
        ("order_items", "quantity", "1e3", "integer_format"),
        ("order_items", "discount_cents", "6", "discount_over_line"),
        ("order_items", "discount_cents", "-1", "discount_cents_range"),
        ("order_items", "unit_price_cents", None, "missing_unit_price_cents"),
        ("reviews", "rating", "0", "rating_range"),
        ("reviews", "rating", "6", "rating_range"),
        ("reviews", "rating", "4.5", "integer_format"),
        ("stock_levels", "on_hand_units", "-1", "on_hand_units_range"),
        ("promotions", "ends_on", "2017-12-02", "period_reversed"),
        ("promotions", "discount_share", "1.01", "discount_share_range"),
        ("market_signals", "value", "inf", "not_finite"),
        ("market_signals", "value", "1e400", "not_finite"),
        ("market_signals", "value", "nan", "missing_value"),
        ("bundle_feedback", "propensity", "0", "propensity_range"),
        ("lead_times", "lead_days", "0", "lead_days_range"),
    ],
)
def test_a_bad_value_is_quarantined_with_its_reason(table: str, column: str, value: object, expected: str) -> None:
    outcome = sorted_one(table, **{column: value})
    assert outcome.quarantined.select("record_number", "reason", "column_name").rows() == [(1, expected, column)]
    raw = outcome.quarantined["raw_record"][0]
    assert "\0" not in raw, "Postgres text holds no NUL"
    assert json.loads(raw)[column] == value


@pytest.mark.parametrize("segment", ["a\0b", r"a\u0000b", r"a\\u0000b", "a\\\0b", "a\ufffdb", "\x01"])
def test_a_record_is_set_aside_byte_for_byte(segment: str) -> None:
    outcome = sorted_one("customers", customer_id="a\u202eb", segment=segment)
    kept = json.loads(outcome.quarantined["raw_record"][0])
    assert (kept["customer_id"], kept["segment"]) == ("a\u202eb", segment)


@settings(deadline=None)
@example(quantity=20, price=100_000_000)
@example(quantity=-20, price=100_000_000)
@example(quantity=21, price=100_000_000)
@example(quantity=-UNITS, price=100_000_000)
@given(quantity=st.integers(-UNITS, UNITS).filter(bool), price=st.integers(0, 100_000_000))
def test_a_line_is_taken_when_its_money_fits_an_integer(quantity: int, price: int) -> None:
    outcome = sorted_one("order_items", quantity=quantity, unit_price_cents=price)
    found = outcome.quarantined.select("reason", "column_name").rows()
    assert found == ([] if abs(quantity * price) <= LINE_CENTS else [("line_total_range", "unit_price_cents")])
    assert LINE_CENTS < 2**31


@pytest.mark.parametrize(
    ("table", "column", "value", "taken"),
    [
        ("customers", "customer_id", "  007\ufeff", "007"),
        ("customers", "segment", "N/A", None),
        ("products", "title", "Café\u202e 🍓 寿司", "Café 🍓 寿司"),
        ("products", "title", "=1+1", "=1+1"),
        ("products", "title", "\u3000Tea \u2069\u00ad", "Tea"),
        ("products", "title", "\u2068\u2069", None),
        ("products", "price_cents", "12.0", 12),
        ("products", "price_cents", "", None),
        ("products", "is_active", "No", False),
        ("products", "is_active", None, True),
        ("products", "image_vector", "{0.5,0.25}", [0.5, 0.25]),
        ("products", "launched_on", "2016-02-29", date(2016, 2, 29)),
        ("orders", "customer_id", "null", None),
        ("orders", "status", "", "completed"),
        ("order_items", "quantity", "-2", -2),
        ("order_items", "discount_cents", "", 0),
        ("stock_levels", "warehouse_id", "", "all"),
    ],
)
def test_a_value_is_mended_where_its_meaning_is_plain(table: str, column: str, value: object, taken: object) -> None:
    got = sorted_one(table, **{column: value}).accepted[column][0]
    assert (got.to_list() if isinstance(got, pl.Series) else got) == taken


@pytest.mark.parametrize(
    "text",
    [
        "2017-12-03T10:15:00Z",
        "2017-12-03 10:15",
        "2017-12-03t10:15:00.000z",
        "2017-12-03T11:15:00+01:00",
        "2017-12-03 04:45:00-0530",
        "2017-12-03 10:15:00 UTC",
        "2017-12-03 12:15:00+02",
    ],
)
def test_an_instant_means_the_same_however_it_is_written(text: str) -> None:
    taken = sorted_one("orders", ordered_at=text).accepted["ordered_at"][0]
    assert taken == datetime(2017, 12, 3, 10, 15, tzinfo=UTC)


def test_how_an_instant_is_read_does_not_depend_on_its_neighbours() -> None:
    texts = ["2017-12-03", "2017-12-03T10:15:00Z", "2017-12-03 10:15:00.5", "2017-12-03 11:15+01:00"]
    records = pl.DataFrame({"order_id": list("abcd"), "ordered_at": texts}).with_row_index(RECORD, offset=1)
    forwards = sort_records(TABLES["orders"], records).accepted.sort("order_id")
    backwards = sort_records(TABLES["orders"], records.reverse()).accepted.sort("order_id")
    assert forwards.height == 4 and forwards.equals(backwards)


def test_typed_columns_are_taken_as_they_are() -> None:
    records = pl.DataFrame(
        {
            "order_id": [7.0, 8.0, None],
            "ordered_at": [datetime(2017, 12, 3, 10), datetime(2017, 12, 4), datetime(2017, 12, 5)],
            "customer_id": [1, None, 2],
        }
    ).with_row_index(RECORD, offset=1)
    outcome = sort_records(TABLES["orders"], records)
    assert outcome.accepted["order_id"].to_list() == ["7", "8"]
    assert outcome.accepted["customer_id"].to_list() == ["1", None]
    assert outcome.quarantined["reason"].to_list() == ["missing_id"]


def test_not_a_number_is_a_gap_in_a_whole_number_and_a_fault_in_a_real_one() -> None:
    products = pl.DataFrame({"product_id": ["a"], "price_cents": [np.nan]}).with_row_index(RECORD, offset=1)
    assert sort_records(TABLES["products"], products).accepted["price_cents"].to_list() == [None]
    assert reason("market_signals", value=float("nan")) == "not_finite"


@pytest.mark.parametrize("values", [["", "n/a", "7", "x"], [None, float("nan"), 7.0, 7.5]], ids=["text", "typed"])
def test_a_count_without_a_number_is_zero_and_counted(values: list[object]) -> None:
    days = [f"2017-12-0{day}" for day in range(1, 5)]
    records = pl.DataFrame({"product_id": "p1", "counted_at": days, "on_hand_units": values}, strict=False)
    outcome = sort_records(TABLES["stock_levels"], records.with_row_index(RECORD, offset=1))
    assert outcome.accepted["on_hand_units"].to_list() == [0, 0, 7]
    assert outcome.notes == {"unknown_as_zero:on_hand_units": 2}
    assert outcome.quarantined["reason"].to_list() == ["integer_format"]


@pytest.mark.parametrize(("scale", "taken"), [(0, [12]), (1, [12]), (2, [])])
def test_typed_money_with_two_decimals_is_no_number_of_cents(scale: int, taken: list[int]) -> None:
    prices = pl.Series([12]).cast(pl.Decimal(10, scale))
    products = pl.DataFrame({"product_id": ["a"], "price_cents": prices}).with_row_index(RECORD, offset=1)
    outcome = sort_records(TABLES["products"], products)
    assert outcome.accepted["price_cents"].to_list() == taken
    assert outcome.quarantined["reason"].to_list() == ([] if taken else ["integer_format"])


def in_currencies(*said: str | None, name: str = "currency", **more: list[str | None]) -> Sorted:
    products = pl.DataFrame({"product_id": [f"p{n}" for n in range(len(said))], name: said, **more})
    return sort_records(TABLES["products"], products.with_row_index(RECORD, offset=1))


@pytest.mark.parametrize("name", ["currency", "currency_code"])
def test_a_delivery_has_one_currency_which_each_of_its_records_names(name: str) -> None:
    outcome = in_currencies("EUR", " eur", "N/A", "\u20ac", "EURO", None, name=name)
    assert outcome.accepted["product_id"].to_list() == ["p0", "p1"] and outcome.notes == {"currency:EUR": 2}
    assert outcome.quarantined.select("record_number", "reason", "column_name").rows() == [
        (3, "missing_currency", name),
        (4, "unknown_currency", name),
        (5, "unknown_currency", name),
        (6, "missing_currency", name),
    ]
    with pytest.raises(DataError, match="mixed_currency: products has amounts in EUR and USD"):
        in_currencies("EUR", "usd", name=name)


def test_either_column_may_name_the_currency_but_not_another_one() -> None:
    assert in_currencies("EUR", None, currency_code=[None, "EUR"]).notes == {"currency:EUR": 2}
    with pytest.raises(DataError, match="mixed_currency"):
        in_currencies("EUR", currency_code=["USD"])


def test_where_no_record_names_a_currency_none_is_missed() -> None:
    outcome = in_currencies(None, "", "?")
    assert outcome.accepted["product_id"].to_list() == ["p0", "p1"] and outcome.notes == {}


@pytest.mark.parametrize("value", [{"a": 1}, ["a"], b"\xff"])
def test_a_column_of_records_lists_or_bytes_refuses_the_delivery(value: object) -> None:
    with pytest.raises(DataError, match="schema_type:title"):
        sorted_one("products", title=value)


def test_of_repeated_keys_the_first_content_stays() -> None:
    records = pl.DataFrame(
        {"customer_id": ["a", "a", "a", "a", "b"], "segment": ["x", "x", "y", "y", None]}
    ).with_row_index(RECORD, offset=1)
    outcome = sort_records(TABLES["customers"], records)
    assert outcome.accepted.select("customer_id", "segment").rows() == [("a", "x"), ("b", None)]
    assert outcome.quarantined.select("record_number", "reason").rows() == [(3, "conflicting_duplicate")]
    assert outcome.duplicates == 2


def test_prices_of_nothing_and_above_a_hundred_times_their_likes_are_counted() -> None:
    products = pl.DataFrame(
        {
            "product_id": list("abcdef"),
            "category_path": [*"xxx", *"yyy"],
            # The median of x is 5: 500 is a hundred times as much, 501 would be more. That of y is 1,000.
            "price_cents": [5, 0, 500, 1_000, 1_000, 100_001],
        }
    ).with_row_index(RECORD, offset=1)
    assert sort_records(TABLES["products"], products).notes == {"free:price_cents": 1, "outlier:price_cents": 1}
