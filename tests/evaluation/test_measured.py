"""What a model showed in a window, worked out by hand on three customers."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from ml.evaluation.measured import Asked, Measured, measured

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
    own = result(0.9, 0.1).products
    assert own.rows() == [("a", "warm products", 1.0), ("b", "warm products", 1.0)], "the new customer apart"


def test_who_bought_nothing_counts_in_calibration_and_coverage_but_not_in_the_order() -> None:
    """Within 28 days everybody is asked; b did not come."""
    questions = asked()
    gone = questions.targets.with_columns(
        product_ids=pl.when(customer_id=pl.lit("b")).then(pl.lit([], pl.List(pl.String))).otherwise("product_ids")
    )
    rows = scores(0.9, 0.1).with_columns(is_bought=pl.col("is_bought") & (pl.col("customer_id") != "b"))
    found = measured(rows, replace(questions, targets=gone), draws=100, seed=1)
    assert found.known["customer_id"].to_list() == ["a"]
    assert found.facts["recall_1"] == 0.5 and found.facts["customer_coverage"] == 1.0
    assert found.facts["brier"] == pytest.approx((0.1**2 + 0.9**2 + 0.9**2 + 0.1**2) / 4)
