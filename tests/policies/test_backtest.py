"""Policies on held-out baskets: what they offer, and what counts as a hit."""

import numpy as np
import polars as pl
import pytest

from ml.policies.backtest import HeldOut, backtest, choose_pairs, held_out_customers
from ml.policies.named import OURS, POLICIES
from ml.policies.shelf import Shelf
from tests.policies.shop import PAIRS, products

SHELF = Shelf.of(products(category=["same"] * 4), PAIRS)


def customer(bought_before: list[bool], in_basket: list[bool]) -> HeldOut:
    return HeldOut(np.arange(4), np.array([0.5, 0.4, 0.2, 0.1]), np.array(bought_before), np.array(in_basket))


def test_a_pair_that_lies_wholly_in_the_basket_is_a_hit() -> None:
    buys_both = customer([True] * 4, [True, True, False, False])
    buys_one = customer([True] * 4, [True, False, False, False])
    scores = backtest(SHELF, POLICIES[OURS], [buys_both, buys_one])
    assert scores.hit.tolist() == [1.0, 0.0]
    assert scores.precision.tolist() == [0.2, 0.0]
    assert scores.predicted == pytest.approx([0.4, 0.4])
    assert scores.bought.tolist() == [1.0, 0.0]


def test_the_comparison_has_no_constraint_but_the_size() -> None:
    ((first, *_),) = list(choose_pairs(SHELF, POLICIES[OURS], [customer([True] * 4, [True] * 4)], False, 5, 1))
    assert first.items == (0, 1), "both of one category, out of stock or not"


def test_cross_sell_asks_for_a_product_never_bought_before() -> None:
    """Bread and butter are staples: the best pair left holds jam."""
    one = customer([True, True, False, True], [True, True, True, False])
    ((first,),) = list(choose_pairs(SHELF, POLICIES[OURS], [one], True, 5, 1))
    assert first.items == (0, 2)
    nothing_new = customer([True] * 4, [True] * 4)
    scores = backtest(SHELF, POLICIES[OURS], [one, nothing_new], is_cross_sell=True)
    assert scores.hit.tolist() == [1.0, 0.0]
    assert scores.predicted == pytest.approx([0.1, 0.0])


def test_policies_that_are_no_probability_claim_ours() -> None:
    scores = backtest(SHELF, POLICIES["pairwise_sum"], [customer([True] * 4, [False] * 4)])
    assert scores.predicted == pytest.approx([0.4])


def test_customers_come_in_order_with_the_products_that_are_on_the_shelf() -> None:
    rows = [
        ("bob", "jam", 0.2, True, False, 0.8),
        ("ann", "bread", 0.5, True, True, 1.5),
        ("ann", "caviar", 0.9, False, True, 1.5),
    ]
    names = ["customer_id", "product_id", "preference", "is_bought_before", "is_bought", "basket_spread"]
    ann, bob = held_out_customers(SHELF, pl.DataFrame(rows, schema=names, orient="row").sort("customer_id"))
    assert (ann.codes.tolist(), ann.in_basket.tolist()) == ([0], [True])
    assert (ann.spread, bob.spread) == (1.5, 0.8)
    assert (bob.codes.tolist(), bob.preference.tolist()) == ([2], [0.2])
