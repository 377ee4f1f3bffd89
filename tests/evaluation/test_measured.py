"""What a model showed in a window, worked out by hand on three customers."""

from datetime import date

import polars as pl
import pytest

from ml.evaluation.measured import Asked, Measured, measured, paired, paired_by_segment

ORIGIN = date(2017, 6, 30)


def asked(origin: date = ORIGIN) -> Asked:
    targets = pl.DataFrame({"customer_id": ["a", "b", "n"], "product_ids": [["p", "q"], ["q"], ["p"]]})
    customers = pl.DataFrame({"customer_id": ["a", "b", "n"], "segment": ["many", "few", "new customers"]})
    products = pl.DataFrame(
        {"product_id": ["p", "q", "r", "s"], "segment": ["warm products"] * 2 + ["new products"] * 2}
    )
    return Asked(origin, targets.with_columns(cut=pl.lit(date(2017, 7, 1))), customers, products)


def scores(p: float, q: float) -> pl.DataFrame:
    """Each customer is asked for p and q; r and s are nobody's candidates."""
    rows = []
    for customer, own in (("a", ["p", "q"]), ("b", ["q"]), ("n", ["p"])):
        for product, score in (("p", p), ("q", q)):
            rows.append((customer, product, score, product in own, ["bought"]))
    columns = ["customer_id", "product_id", "preference", "is_bought", "sources"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def result(p: float, q: float, origin: date = ORIGIN) -> Measured:
    return measured(scores(p, q), asked(origin), draws=100, seed=1)


def test_facts_are_means_over_the_customers_that_are_not_new() -> None:
    found = result(p=0.9, q=0.1)
    assert found.facts["recall_1"] == pytest.approx((0.5 + 0.0) / 2)
    assert found.facts["recall_20"] == 1.0
    assert found.facts["brier"] == pytest.approx((0.1**2 + 0.9**2 + 0.9**2 + 0.9**2) / 4)
    assert found.facts["new_customers_recall_20"] == 1.0
    assert found.facts["customer_coverage"] == 1.0
    assert found.facts["product_coverage_20"] == 0.5, "p and q of four products are shown"


def test_scores_of_zero_are_not_shown_to_anybody() -> None:
    found = result(p=0.9, q=0.0)
    assert found.facts["product_coverage_20"] == 0.25


def test_segments_hold_customers_and_what_they_bought_of_each_kind_of_products() -> None:
    rows = {row["segment"]: row for row in result(0.9, 0.1).segments.iter_rows(named=True)}
    assert set(rows) == {"many", "few", "new customers", "warm products"}
    assert rows["few"]["customers"] == 1 and rows["few"]["ndcg_10"] == pytest.approx(1 / 1.584962500721156)
    assert rows["few"]["ece"] == pytest.approx(0.9)
    assert rows["warm products"]["recall_20"] == 1.0 and rows["warm products"]["ece"] is None


def test_differences_are_paired_by_customer_over_all_windows_and_new_ones_do_not_count() -> None:
    second = date(2017, 7, 28)
    ours, theirs = [result(0.9, 0.1), result(0.9, 0.1, second)], [result(0.1, 0.9), result(0.9, 0.1, second)]
    gain = paired(ours, theirs, "recall_1", 100, 1)
    assert gain.value == pytest.approx((0 + (-1 + 0) / 2) / 2), "b loses its hit in one window of two; a wins nothing"
    assert set(paired_by_segment(ours, theirs, "recall_1", 1, 100, 1)) == {"few", "many"}
    assert paired_by_segment(ours, theirs, "recall_1", 2, 100, 1) == {}


def test_windows_that_only_one_was_measured_in_do_not_count() -> None:
    gain = paired([result(0.9, 0.1)], [result(0.1, 0.9, date(2017, 7, 28))], "recall_1", 100, 1)
    assert gain.value != gain.value
