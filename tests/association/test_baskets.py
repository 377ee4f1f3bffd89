"""Baskets as arrays: order, known customers, what is left out."""

import numpy as np
import polars as pl
import pytest

from ml.association.baskets import NO_CUSTOMER, index_baskets
from ml.errors import ColumnError


def frame(rows: list[tuple[str | None, list[str]]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"customer_id": pl.String, "product_ids": pl.List(pl.String)}, orient="row")


def test_rows_are_ordered_by_customer_with_unknown_ones_first() -> None:
    indexed = index_baskets(frame([("b", ["milk", "bread"]), (None, ["tea"]), ("a", ["milk"])]))
    assert indexed.product_ids == ("bread", "milk", "tea")
    assert indexed.customers.tolist() == [NO_CUSTOMER, 0, 1]
    assert indexed.items.tolist() == [2, 1, 0, 1]
    assert indexed.starts.tolist() == [0, 1, 2, 4]
    assert indexed.product_baskets().tolist() == [1, 2, 1]


def test_known_customers_keep_their_baskets() -> None:
    known = index_baskets(frame([(None, ["x", "y"]), ("a", ["y"]), ("b", ["x", "y"])])).of_known_customers()
    assert known.customers.tolist() == [0, 1]
    assert known.items.tolist() == [1, 0, 1]
    assert known.starts.tolist() == [0, 1, 3]


def test_products_outside_the_list_are_left_out_and_empty_baskets_with_them() -> None:
    indexed = index_baskets(frame([("a", ["x", "z"]), ("a", ["z"])]), ["x", "y"])
    assert indexed.product_ids == ("x", "y")
    assert indexed.baskets_total == 1
    assert indexed.product_baskets().tolist() == [1, 0]


def test_a_giant_basket_is_no_evidence() -> None:
    baskets = frame([("a", ["x", "y"]), ("b", ["x", "y"])]).with_columns(is_giant=pl.Series([False, True]))
    assert index_baskets(baskets).baskets_total == 1


def test_no_baskets_give_an_empty_index() -> None:
    indexed = index_baskets(frame([]))
    assert indexed.baskets_total == 0
    assert indexed.of_known_customers().baskets_total == 0


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ColumnError, match="customer_id"):
        index_baskets(pl.DataFrame({"product_ids": [["x"]]}))


def test_baskets_of_a_mask_keep_products_and_customers() -> None:
    frame = pl.DataFrame({"customer_id": ["x", "y", "z"], "product_ids": [["a", "b"], ["b"], ["a", "c"]]})
    whole = index_baskets(frame)
    kept = whole.where(np.array([True, False, True]))
    assert (kept.starts.tolist(), kept.items.tolist(), kept.customers.tolist()) == ([0, 2, 4], [0, 1, 0, 2], [0, 2])
    assert kept.product_ids == whole.product_ids
