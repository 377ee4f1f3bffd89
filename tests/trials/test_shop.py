"""A folder becomes frames, and what is refused is counted."""

from datetime import date
from pathlib import Path

import pytest

from ml.errors import DataError
from ml.trials.shop import LAST_DAY, baskets_of, products_of, read_files
from tests.trials.folders import read, write, write_catalogue, write_orders


def test_a_basket_is_a_customers_day_and_an_order_of_nobody_known(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "abc")
    write_orders(tmp_path, [("x", "2020-01-01", "a"), ("x", "2020-01-01", "b"), (None, "2020-01-01", "c")])
    found = baskets_of(read(tmp_path)).select("customer_id", "basket_on", "product_ids").rows()
    assert found == [(None, date(2020, 1, 1), ["c"]), ("x", date(2020, 1, 1), ["a", "b"])]


def test_what_is_given_back_the_same_day_was_not_bought_and_cancelled_orders_are_none(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "abc")
    orders = ["1,x,2020-01-01,completed", "2,x,2020-01-02,cancelled", "3,x,2020-01-03,completed"]
    write(tmp_path, "orders", "order_id,customer_id,ordered_at,status", orders)
    lines = ["1,1,a,2,100,0", "1,2,b,1,300,50", "1,3,a,-2,100,0", "2,1,c,1,100,0", "3,1,b,-1,300,0"]
    write(tmp_path, "order_items", "order_id,line_number,product_id,quantity,unit_price_cents,discount_cents", lines)
    found = baskets_of(read(tmp_path)).select("product_ids", "quantities", "paid_cents").rows()
    assert found == [(["b"], [1], [250])]


def test_without_times_the_last_order_of_every_customer_falls_on_one_day(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "abc")
    write_orders(tmp_path, [("x", None, "a"), ("y", None, "b"), ("x", None, "c"), (None, None, "c")])
    found = {(who, *held): LAST_DAY - on for who, on, held in
             baskets_of(read(tmp_path)).select("customer_id", "basket_on", "product_ids").rows()}  # fmt: skip
    assert {key: days.days for key, days in found.items()} == {
        ("x", "a"): 1, ("x", "c"): 0, ("y", "b"): 0, (None, "c"): 1}  # fmt: skip


def test_an_order_without_a_time_among_timed_ones_is_set_aside(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "a")
    write(tmp_path, "orders", "order_id,ordered_at", ["1,2020-01-01", "2,"])
    write(tmp_path, "order_items", "order_id,product_id", ["1,a", "2,a"])
    files = read_files(tmp_path, 0.5)
    assert files.refused == {"orders": {"missing_ordered_at": 1}, "order_items": {"orphan_order": 1}}
    assert baskets_of(files)["basket_on"].to_list() == [date(2020, 1, 1)]
    with pytest.raises(DataError, match=r"orders: 1 of 2 records are bad \(missing_ordered_at 1\)"):
        read(tmp_path)


def test_bad_records_are_counted_by_reason_and_too_many_refuse_the_table(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "ab")
    write_orders(tmp_path, [("x", "2020-01-01", "a" + "z"), ("x", "2020-01-02", "ab")])
    assert read_files(tmp_path, 0.5).refused == {"order_items": {"orphan_product": 1}}
    with pytest.raises(DataError, match=r"order_items: 1 of 4 records are bad \(orphan_product 1\)"):
        read(tmp_path)


def test_a_folder_without_tables_and_a_child_without_its_parent_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file is named after a table"):
        read(tmp_path)
    write(tmp_path, "order_items", "order_id,product_id", ["1,a"])
    with pytest.raises(DataError, match="needs table orders"):
        read(tmp_path)


def test_a_missing_table_is_named_with_what_is_there(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "ab")
    with pytest.raises(DataError, match=r"next_basket: needs table orders .* the folder has: products"):
        read(tmp_path).need("next_basket", "products", "orders")


def test_levels_of_the_category_path_become_department_and_category(tmp_path: Path) -> None:
    write(tmp_path, "products", "product_id,category_path", ["a,Home > Kitchen > Mugs", "b,Home", "c,"])
    found = products_of(read(tmp_path)).select("department", "category").rows()
    assert found == [("Home", "Kitchen"), ("Home", None), (None, None)]


def test_days_and_instants_without_an_offset_are_those_of_the_shops_zone(tmp_path: Path) -> None:
    """Half past midnight in Berlin is of the day that has begun there, and of the day before in UTC."""
    write_catalogue(tmp_path, "ab")
    at = ["1,x,2020-06-02 00:30:00", "2,x,2020-06-01T22:30:00Z", "3,x,2020-06-01 23:30:00"]
    write(tmp_path, "orders", "order_id,customer_id,ordered_at", at)
    write(tmp_path, "order_items", "order_id,product_id", ["1,a", "2,b", "3,a"])
    found = baskets_of(read_files(tmp_path, 0.0, "Europe/Berlin")).select("basket_on", "product_ids").rows()
    assert found == [(date(2020, 6, 1), ["a"]), (date(2020, 6, 2), ["a", "b"])]
    assert baskets_of(read_files(tmp_path, 0.0))["product_ids"].to_list() == [["a", "b"], ["a"]]
    strict = read_files(tmp_path, 1.0, "required")
    assert strict.refused["orders"] == {"tz_missing": 2}
    assert baskets_of(strict)["basket_on"].to_list() == [date(2020, 6, 1)]
