"""Features, worked out by hand on three baskets."""

import math
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.errors import ColumnError
from ml.preference.features import FEATURES, GROUPS, features_of
from ml.preference.history import History
from tests.preference.conftest import World, basket, catalogue, everything

DAY = date(2017, 6, 1)
BASKETS = pl.DataFrame(
    [
        basket("ann", DAY - timedelta(days=30), ["a", "b"], 100),
        basket("ann", DAY - timedelta(days=20), ["a"], 200),
        basket("ann", DAY - timedelta(days=4), ["c"], 300),
        basket("bob", DAY - timedelta(days=40), ["a"], 100),
        basket(None, DAY - timedelta(days=3), ["a", "d"], 50),
    ]
)


def row(customer: str, product: str, baskets: pl.DataFrame = BASKETS, cut: date = DAY) -> dict[str, float]:
    history = History.of(baskets, catalogue("a", "b", "c", "d"))
    return dict(zip(FEATURES, features_of(history, everything([customer], [product], cut))[0].tolist(), strict=True))


def test_personal_counts_and_clocks() -> None:
    ann = row("ann", "a")
    weights = [math.exp(-age / 30) for age in (30, 20, 4)]
    expected = {
        "baskets": 2, "units": 2, "basket_share": 2 / 3, "last_5_share": 2 / 3, "baskets_28_days": 1,
        "days_since_last": 20, "days_since_first": 30, "baskets_since_last": 1, "mean_gap_days": 10,
        "overdue_ratio": 2, "in_last_basket": 0, "paid_cents": 150,
        "decayed_30_share": sum(weights[:2]) / sum(weights),
    }  # fmt: skip
    assert {name: ann[name] for name in expected} == pytest.approx(expected)


def test_category_and_brand_of_what_was_bought() -> None:
    ann = row("ann", "c")  # a and c share a category: 3 of 4 lines; c's brand is its own
    assert ann["category_share"] == pytest.approx(3 / 4)
    assert ann["category_days_since_last"] == 4
    assert ann["category_loyalty_share"] == pytest.approx(1 / 3)
    assert ann["brand_share"] == pytest.approx(1 / 4)


def test_the_customer_as_such() -> None:
    ann = row("ann", "d")
    expected = {
        "customer_baskets": 3, "customer_days_since_last": 4, "customer_mean_gap_days": 13,
        "customer_overdue_ratio": 4 / 13, "customer_basket_products": 4 / 3, "customer_last_products": 1,
        "customer_products": 3, "customer_repeat_share": 1 / 4, "customer_basket_cents": 700 / 3,
        "customer_unit_cents": 175, "baskets": 0,
    }  # fmt: skip
    assert {name: ann[name] for name in expected} == pytest.approx(expected)
    assert math.isnan(ann["days_since_last"])


def test_the_product_among_all_customers() -> None:
    product = row("ann", "a")
    expected = {
        "product_share_7": 1 / 2, "product_share_28": 2 / 3, "product_share_ever": 4 / 5, "product_buyers": 2,
        "product_reorder_share": 1 / 3, "product_days_since_first": 40, "product_days_since_last": 3,
        "product_price_cents": 450 / 4, "product_price_ratio": 125 / 112.5,
        "price_to_usual_ratio": 112.5 / 175, "price_to_paid_ratio": 125 / 150,
    }  # fmt: skip
    assert {name: product[name] for name in expected} == pytest.approx(expected)
    # 2 of the last 28 days against 2 of the 28 before; the shop sold 4 and 3 lines, over 4 products
    assert product["product_trend_ratio"] == pytest.approx((2 + 1) / (2 + 1) * (3 + 4) / (4 + 4))


def test_a_stranger_and_an_unheard_of_product_are_unknown_not_zero() -> None:
    stranger = row("stranger", "a")
    assert stranger["customer_baskets"] == 0 and stranger["product_buyers"] == 2
    assert math.isnan(stranger["customer_days_since_last"])
    unheard = row("ann", "unheard of")
    assert unheard["customer_baskets"] == 3 and math.isnan(unheard["product_buyers"])


def test_one_customer_leaves_no_trace_in_the_next(world: World) -> None:
    history = History.of(world.baskets, world.products)
    together = features_of(history, world.examples)
    alone = features_of(history, world.examples[-20:])
    assert np.array_equal(together[-20:], alone, equal_nan=True)


def test_the_day_of_the_cut_and_later_are_not_looked_at() -> None:
    planted = pl.concat([BASKETS, pl.DataFrame([basket("ann", DAY, ["a"]), basket("bob", DAY, ["a", "b"])])])
    assert row("ann", "a", planted) == pytest.approx(row("ann", "a"), nan_ok=True)
    assert row("ann", "a", BASKETS, DAY - timedelta(days=25))["baskets"] == 1


def test_groups_cover_all_features_once() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(FEATURES)
    assert len(set(FEATURES)) == len(FEATURES)


def test_absent_categories_and_brands_are_unknown() -> None:
    bare = catalogue("a").with_columns(category=pl.lit(None, pl.String), brand=pl.lit(None, pl.String)).clear()
    values = features_of(History.of(BASKETS, bare), everything(["ann"], ["a"], DAY))[0]
    assert math.isnan(values[FEATURES.index("category_share")]) and values[FEATURES.index("baskets")] == 2


def test_missing_scores_are_named() -> None:
    with pytest.raises(ColumnError, match="co_purchase"):
        features_of(History.of(BASKETS, catalogue("a")), everything(["ann"], ["a"], DAY).drop("co_purchase"))
