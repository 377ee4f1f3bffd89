"""Metrics against cases worked in the head and against scikit-learn."""

import math

import numpy as np
import polars as pl
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, ndcg_score, recall_score

from ml.evaluation.metrics import (
    base_rate_brier,
    brier,
    by_customer,
    expected_calibration_error,
    reliability,
    repeat_and_explore,
)


def scored(**customers: list[tuple[str, float, bool]]) -> pl.DataFrame:
    rows = [(customer, *row) for customer, found in customers.items() for row in found]
    return pl.DataFrame(
        rows,
        schema={"customer_id": pl.String, "product_id": pl.String, "preference": pl.Float64, "is_bought": pl.Boolean},
        orient="row",
    )


ANN = [("a", 0.9, True), ("b", 0.8, False), ("c", 0.7, True), ("d", 0.1, True)]
BOB = [("a", 0.9, False), ("b", 0.8, False)]


def test_recall_ndcg_and_hits_by_hand() -> None:
    # Ann bought 5 products, one of which (e) was never a candidate; Bob bought one that was none
    targets = pl.DataFrame({"customer_id": ["ann", "bob"], "products": [5, 1]})
    table = by_customer(scored(ann=ANN, bob=BOB), targets, ks=(1, 3))
    ann, bob = table.rows(named=True)
    assert ann["recall_1"] == pytest.approx(1 / 5) and ann["recall_3"] == pytest.approx(2 / 5)
    assert ann["ndcg_1"] == 1
    perfect = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ann["ndcg_3"] == pytest.approx((1 + 1 / math.log2(4)) / perfect)
    assert ann["phr_1"] == 1
    assert [bob[name] for name in ("recall_3", "ndcg_3", "phr_3")] == [0, 0, 0]


def test_repeats_and_first_purchases_are_ranked_apart_and_what_was_never_proposed_is_missed() -> None:
    sources = [["bought"], ["popular"], ["bought", "popular"], []]
    found = scored(ann=ANN).with_columns(sources=pl.Series(sources))
    # Ann's basket of five: the repeats a and c, the proposed first purchase d, two more that nobody proposed
    apart = repeat_and_explore(found, pl.DataFrame({"customer_id": ["ann"], "products": [5]}), ks=(1,))
    assert apart["repeat"]["recall_1"].to_list() == [1 / 2]
    assert apart["explore"]["recall_1"].to_list() == [0]
    assert repeat_and_explore(found, pl.DataFrame({"customer_id": ["ann"], "products": [5]}), ks=(2,))["explore"][
        "recall_2"
    ].to_list() == [1 / 3]
    only_repeats = repeat_and_explore(found[:3], pl.DataFrame({"customer_id": ["ann"], "products": [2]}))
    assert only_repeats["explore"].is_empty()


def test_a_short_basket_can_be_perfect() -> None:
    table = by_customer(scored(ann=ANN[:1]), pl.DataFrame({"customer_id": ["ann"], "products": [1]}), ks=(10,))
    assert table.rows() == [("ann", 1.0, 1.0, 1.0)]


def test_ties_are_broken_by_product_and_not_by_the_order_of_rows() -> None:
    tied = scored(ann=[("b", 0.5, True), ("a", 0.5, False), ("c", 0.5, False)])
    targets = pl.DataFrame({"customer_id": ["ann"], "products": [1]})
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        table = by_customer(tied[order], targets, ks=(1, 2))
        assert (table["phr_1"][0], table["phr_2"][0]) == (0, 1)


def test_ndcg_equals_scikit_learn_where_all_that_was_bought_is_a_candidate() -> None:
    rng = np.random.default_rng(0)
    p, bought = rng.random((30, 50)), rng.random((30, 50)) < 0.2
    frame = pl.DataFrame(
        {
            "customer_id": np.repeat([f"c{k:02d}" for k in range(30)], 50),
            "product_id": np.tile([f"p{k:02d}" for k in range(50)], 30),
            "preference": p.ravel(),
            "is_bought": bought.ravel(),
        }
    )
    targets = frame.group_by("customer_id").agg(products=pl.col("is_bought").sum())
    for k in (1, 10, 20):
        ours = by_customer(frame, targets, ks=(k,))[f"ndcg_{k}"].mean()
        assert ours == pytest.approx(ndcg_score(bought, p, k=k))


def test_recall_and_hit_ratio_equal_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    p, bought = rng.random((30, 50)), rng.random((30, 50)) < 0.1
    bought[:, 0] = True
    frame = pl.DataFrame(
        {
            "customer_id": np.repeat([f"c{k:02d}" for k in range(30)], 50),
            "product_id": np.tile([f"p{k:02d}" for k in range(50)], 30),
            "preference": p.ravel(),
            "is_bought": bought.ravel(),
        }
    )
    table = by_customer(frame, frame.group_by("customer_id").agg(products=pl.col("is_bought").sum()), ks=(10,))
    is_listed = p >= np.sort(p, axis=1)[:, [-10]]
    np.testing.assert_allclose(
        table["recall_10"], [recall_score(y, listed) for y, listed in zip(bought, is_listed, strict=True)]
    )
    np.testing.assert_array_equal(table["phr_10"], (bought & is_listed).any(axis=1))


def test_calibration_error_equals_that_of_scikit_learns_curve() -> None:
    rng = np.random.default_rng(5)
    p = rng.permutation(np.linspace(0.01, 0.9, 1000))
    y = (rng.random(1000) < p**2).astype(float)
    observed, predicted = calibration_curve(y, p, n_bins=20, strategy="quantile")
    assert expected_calibration_error(p, y) == pytest.approx(np.abs(observed - predicted).mean(), rel=1e-9)


def test_brier_equals_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    p, y = rng.random(500), (rng.random(500) < 0.3).astype(float)
    assert brier(p, y) == pytest.approx(brier_score_loss(y, p))
    assert base_rate_brier(y) == pytest.approx(brier_score_loss(y, np.full(500, y.mean())))


def test_calibration_error_by_hand() -> None:
    p, y = np.array([0.1, 0.1, 0.1, 0.1, 0.8, 0.8, 0.8, 0.8]), np.array([0, 0, 0, 1, 1, 1, 1, 0.0])
    assert expected_calibration_error(p, y, bins=2) == pytest.approx((abs(0.1 - 0.25) + abs(0.8 - 0.75)) / 2)


def test_honest_probabilities_have_a_small_error_and_inflated_ones_a_large_one() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(50_000)
    y = (rng.random(50_000) < p).astype(float)
    assert expected_calibration_error(p, y) < 0.01
    assert expected_calibration_error(np.sqrt(p), y) > 0.1


def test_reliability_has_equal_bins_that_add_up_and_intervals_around_what_was_seen() -> None:
    rng = np.random.default_rng(3)
    p = rng.random(1003)
    y = (rng.random(1003) < p).astype(float)
    table = reliability(p, y, bins=10)
    assert table["rows"].sum() == 1003 and table["rows"].max() - table["rows"].min() <= 1
    assert (table["predicted"].diff().drop_nulls() >= 0).all()
    assert (table["low"] <= table["observed"]).all() and (table["observed"] <= table["high"]).all()
    within = ((table["low"] <= table["predicted"]) & (table["predicted"] <= table["high"])).sum()
    assert within >= 8


def test_wilson_interval_by_hand() -> None:
    table = reliability(np.full(10, 0.5), np.array([1.0] * 5 + [0.0] * 5), bins=1)
    assert table["low"][0] == pytest.approx(0.2366, abs=1e-4)
    assert table["high"][0] == pytest.approx(0.7634, abs=1e-4)
