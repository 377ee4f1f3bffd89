"""The compiled counters against the definitions, written out in plain Python."""

from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.association.baskets import NO_CUSTOMER, IndexedBaskets, index_baskets
from ml.association.counting import (
    by_product,
    count_pairs,
    customer_products,
    expected_of,
    expected_pairs,
    heaviest_customers,
)

BASKET = st.tuples(st.sampled_from(["ann", "bob", "cy", None]), st.sets(st.sampled_from("abcdefg"), min_size=1))
BASKETS = st.lists(BASKET, max_size=25)


def indexed(baskets: list[tuple[str | None, set[str]]]) -> IndexedBaskets:
    rows = [(customer, sorted(products)) for customer, products in baskets]
    schema = {"customer_id": pl.String, "product_ids": pl.List(pl.String)}
    return index_baskets(pl.DataFrame(rows, schema=schema, orient="row"))


@settings(max_examples=150, deadline=None)
@given(BASKETS, st.integers(1, 4))
def test_counts_equal_the_plain_definition(baskets: list[tuple[str | None, set[str]]], least: int) -> None:
    everyone: Counter[tuple[str, str]] = Counter()
    known: Counter[tuple[str, str]] = Counter()
    for customer, products in baskets:
        for pair in combinations(sorted(products), 2):
            everyone[pair] += 1
            known[pair] += customer is not None
    index = indexed(baskets)
    first, second, counts, known_counts = count_pairs(index, least)
    names = index.product_ids
    found = {(names[i], names[j]): (n, k) for i, j, n, k in zip(first, second, counts, known_counts, strict=True)}
    assert found == {pair: (n, known[pair]) for pair, n in everyone.items() if n >= least}
    assert list(zip(first, second, strict=True)) == sorted(zip(first, second, strict=True))


@settings(max_examples=150, deadline=None)
@given(BASKETS)
def test_expectation_equals_the_plain_definition(baskets: list[tuple[str | None, set[str]]]) -> None:
    of: dict[str, list[set[str]]] = defaultdict(list)
    for customer, products in baskets:
        if customer is not None:
            of[customer].append(products)
    index = indexed(baskets)
    pairs = list(combinations(range(len(index.product_ids)), 2))
    first, second = (np.array(side, np.int32) for side in zip(*pairs, strict=True)) if pairs else ([], [])
    if not pairs:
        return
    wanted = []
    for i, j in pairs:
        total = 0.0
        for own in of.values():
            sizes = [len(basket) for basket in own]
            counts = Counter(product for basket in own for product in basket)
            weight = sum(size * (size - 1) for size in sizes) / sum(sizes) ** 2
            total += counts[index.product_ids[i]] * counts[index.product_ids[j]] * weight
        wanted.append(total)
    assert expected_pairs(index, first, second) == pytest.approx(wanted, rel=1e-12)


@settings(max_examples=150, deadline=None)
@given(BASKETS)
def test_the_heaviest_customer_of_a_pair_is_the_one_with_most_of_its_baskets(
    baskets: list[tuple[str | None, set[str]]],
) -> None:
    index = indexed(baskets)
    first, second, _, known = count_pairs(index, 1)
    names = sorted({customer for customer, _ in baskets if customer is not None})
    customers, most = heaviest_customers(index, first, second)
    for pair, customer in enumerate(customers):
        both = {index.product_ids[first[pair]], index.product_ids[second[pair]]}
        counts = [sum(who == name and both <= held for who, held in baskets) for name in names]
        if not known[pair]:
            assert (customer, most[pair]) == (NO_CUSTOMER, 0)
            continue
        assert (customer, most[pair]) == (int(np.argmax(counts)), max(counts))
        alone = indexed([(who, held) for who, held in baskets if who == names[customer]])
        codes = ([alone.product_ids.index(name)] for name in sorted(both))
        left, right = (np.array(code, np.int32) for code in codes)
        one = slice(pair, pair + 1)
        theirs = expected_of(index, customers[one], first[one], second[one])
        assert theirs == pytest.approx(expected_pairs(alone, left, right))


def test_expectation_does_not_depend_on_the_order_of_the_pairs() -> None:
    index = indexed([("ann", {"a", "b"}), ("ann", {"b", "c"}), ("bob", {"a", "c"}), ("bob", {"a", "b", "c"})])
    first, second = np.array([0, 0, 1], np.int32), np.array([1, 2, 2], np.int32)
    back = expected_pairs(index, first[::-1].copy(), second[::-1].copy())
    assert expected_pairs(index, first, second) == pytest.approx(back[::-1])


def test_what_a_customer_always_buys_together_by_habit_is_fully_expected() -> None:
    """Ten baskets of the same two products: C = 10, and habits alone explain 10 x 10 x (10 x 2) / 20^2 = 5."""
    index = indexed([("ann", {"a", "b"})] * 10)
    expected = expected_pairs(index, np.array([0], np.int32), np.array([1], np.int32))
    assert expected.tolist() == [5.0]


def test_unknown_customers_add_to_the_counts_but_not_to_the_expectation() -> None:
    index = indexed([(None, {"a", "b"})] * 3)
    first, second, counts, known = count_pairs(index, 1)
    assert (counts.tolist(), known.tolist()) == ([3], [0])
    assert expected_pairs(index, first, second).tolist() == [0.0]


def test_more_pairs_than_the_first_allocation_are_all_kept() -> None:
    names = [f"p{number:03d}" for number in range(80)]
    index = index_baskets(pl.DataFrame({"customer_id": ["ann"], "product_ids": [names]}))
    first, _, counts, _ = count_pairs(index, 1)
    assert len(first) == 80 * 79 // 2
    assert set(counts.tolist()) == {1}


def test_customer_rows_hold_counts_and_the_weight_of_their_basket_sizes() -> None:
    starts, items, counts, weights = customer_products(indexed([("ann", {"a", "b"}), ("ann", {"a"}), ("bob", {"b"})]))
    assert starts.tolist() == [0, 2, 3]
    assert items.tolist() == [0, 1, 1]
    assert counts.tolist() == [2.0, 1.0, 1.0]
    assert weights == pytest.approx([2 / 9, 0.0])


def test_the_transpose_lists_the_baskets_of_each_product() -> None:
    starts, holders = by_product(indexed([("a", {"x", "y"}), ("a", {"y"}), ("b", {"x"})]))
    assert starts.tolist() == [0, 2, 4]
    assert holders.tolist() == [0, 2, 0, 1]
