"""Differences of two models, worked out by hand on the three customers of the results' own test."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from ml.evaluation.paired import paired, paired_by_segment
from tests.evaluation.test_measured import result

SECOND = date(2017, 7, 28)


def test_differences_are_paired_by_customer_over_all_windows_and_new_ones_do_not_count() -> None:
    ours, theirs = [result(0.9, 0.1), result(0.9, 0.1, SECOND)], [result(0.1, 0.9), result(0.9, 0.1, SECOND)]
    gain = paired(ours, theirs, "recall_1", 100, 1)
    assert gain.value == pytest.approx((0 + (-1 + 0) / 2) / 2), "b loses its hit in one window of two; a wins nothing"


def test_windows_that_only_one_was_measured_in_do_not_count() -> None:
    gain = paired([result(0.9, 0.1)], [result(0.1, 0.9, SECOND)], "recall_1", 100, 1)
    assert gain.value != gain.value


def test_segments_with_too_few_customers_are_left_out() -> None:
    same = [result(0.9, 0.1)]
    assert set(paired_by_segment(same, same, 1, 100, 1)) == {"few", "many", "new customers"}
    assert paired_by_segment(same, same, 2, 100, 1) == {}


def test_new_customers_and_new_products_are_segments_of_their_own() -> None:
    """Ours finds nothing for the new customer n, and the one new product that a bought."""
    good = result(0.9, 0.1)
    blind = good.customers.with_columns(recall_20=pl.when(customer_id=pl.lit("n")).then(0.0).otherwise("recall_20"))
    fresh = pl.DataFrame({"customer_id": ["a"], "segment": ["new products"], "recall_20": [1.0]})
    ours = replace(good, customers=blind, products=pl.concat([good.products, fresh]))
    theirs = replace(good, products=pl.concat([good.products, fresh.with_columns(recall_20=pl.lit(0.25))]))
    found = {name: gain.value for name, gain in paired_by_segment([ours], [theirs], 1, 100, 1).items()}
    assert found == {"few": 0, "many": 0, "new customers": -1, "new products": 0.75}
    assert paired([ours], [theirs], "recall_20", 100, 1).value == 0
