"""The policy benchmark reports each policy against the usual widget."""

import numpy as np
import polars as pl
import pytest

from benchmarks.bundles import _quality
from benchmarks.rules import best_disjoint, personal_pairs, popular_pairs
from ml.association.baskets import index_baskets
from ml.association.cooccurrence import CooccurrenceParams, fit_cooccurrence
from ml.association.symmetric import SymmetricPairs
from ml.evaluation.bundle_metrics import BundleScores
from ml.policies.backtest import HeldOut
from ml.policies.named import COMPARED
from ml.policies.shelf import Shelf


def test_our_policy_is_reported_against_the_usual_widget() -> None:
    hits = np.array([1.0, 0.0, 1.0, 1.0])
    scores = {
        (name, is_cross_sell): BundleScores(hits, hits / 5, hits * 0.3, hits)
        for name in COMPARED
        for is_cross_sell in (False, True)
    }
    rows = {row.name: row for row in _quality(scores, "")}
    assert rows["bundles/ours/hit_5"].peer == "frequently_bought_together"
    assert rows["bundles/ours/hit_5"].ratio == 1.0
    assert rows["bundles/ours/hit_5_over_frequently_bought_together"].value == 0.0
    assert rows["bundles/ours/cross_sell_predicted_over_actual"].value == pytest.approx(0.3)


def test_disjoint_pairs_are_taken_best_first_and_worthless_ones_not_at_all() -> None:
    values = np.array([[0, 9, 8, 0], [9, 0, 7, 1], [8, 7, 0, 2], [0, 1, 2, 0]], float)
    assert best_disjoint(values, 5) == [(0, 1), (2, 3)]
    assert best_disjoint(values, 1) == [(0, 1)]
    assert best_disjoint(np.zeros((3, 3)), 5) == []


def test_rules_of_shops_offer_what_sells_and_what_the_customer_already_buys() -> None:
    products = pl.DataFrame({"product_id": list("abcd"), "is_bundleable": True, "price_cents": 100, "category": None,
                             "margin_cents": pl.Series([None] * 4, dtype=pl.Int32),
                             "available_units": pl.Series([None] * 4, dtype=pl.Int32)})  # fmt: skip
    baskets = pl.DataFrame({
        "customer_id": ["ann", "ann", "bob", "bob", "bob"],
        "product_ids": [["a", "b"], ["a", "b", "c"], ["c", "d"], ["c", "d"], ["c", "d"]],
    })  # fmt: skip
    counts = fit_cooccurrence(index_baskets(baskets), CooccurrenceParams(min_pair_baskets=1))
    shelf = Shelf.of(products, counts.frame(), counts.params)
    ann = HeldOut(np.arange(4), np.full(4, 0.5), np.array([True, True, True, False]), np.zeros(4, bool))
    together = SymmetricPairs.of(shelf.first, shelf.second, counts.all_pair_baskets.astype(float), 4)
    assert list(popular_pairs(together, [ann], False, 5)) == [[(2, 3), (0, 1)]]
    assert list(popular_pairs(together, [ann], True, 5)) == [[(2, 3)]]
    assert list(personal_pairs(baskets, ["ann"], shelf, [ann], False, 5)) == [[(0, 1)]]
    assert list(personal_pairs(baskets, ["ann"], shelf, [ann], True, 5)) == [[]]
