"""Meetings of two products against the definitions, written out in plain Python."""

from collections import Counter, defaultdict
from itertools import combinations
from math import exp

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.association.baskets import IndexedBaskets, index_baskets
from ml.association.meetings import meetings

BASKET = st.tuples(st.sampled_from(["ann", "bob", "cy", None]), st.sets(st.sampled_from("abcdef"), min_size=1))


def indexed(baskets: list[tuple[str | None, set[str]]]) -> IndexedBaskets:
    rows = [(customer, sorted(products)) for customer, products in baskets]
    schema = {"customer_id": pl.String, "product_ids": pl.List(pl.String)}
    return index_baskets(pl.DataFrame(rows, schema=schema, orient="row"))


@settings(max_examples=150, deadline=None)
@given(st.lists(BASKET, max_size=25), st.sampled_from([0.4, 1.0, 2.5]))
def test_meetings_equal_the_plain_definition(baskets: list[tuple[str | None, set[str]]], least: float) -> None:
    of: dict[str, list[set[str]]] = defaultdict(list)
    for customer, products in baskets:
        if customer is not None:
            of[customer].append(products)
    wanted = {}
    for pair in combinations(sorted({name for _, held in baskets for name in held}), 2):
        together, expected, apart, apart_expected, variance = 0, 0.0, 0, 0.0, 0.0
        for own in of.values():
            sizes = [len(basket) for basket in own]
            counts = Counter(product for basket in own for product in basket)
            if not (counts[pair[0]] and counts[pair[1]]):
                continue
            likely = counts[pair[0]] * counts[pair[1]] * sum(size * (size - 1) for size in sizes) / sum(sizes) ** 2
            met = sum(set(pair) <= basket for basket in own)
            together, expected, apart = together + met, expected + likely, apart + (met == 0)
            apart_expected, variance = apart_expected + exp(-likely), variance + exp(-likely) * (1 - exp(-likely))
        if together >= least or expected >= least:
            wanted[pair] = (together, expected, apart, apart_expected, variance)
    index = indexed(baskets)
    met = meetings(index, least)
    names = [
        (index.product_ids[one], index.product_ids[other]) for one, other in zip(met.first, met.second, strict=True)
    ]
    assert names == sorted(wanted)
    for pair, *found in zip(names, *met[2:], strict=True):
        assert found == pytest.approx(wanted[pair], rel=1e-9)


def test_more_pairs_than_the_first_allocation_are_all_kept() -> None:
    names = {f"p{number:03d}" for number in range(80)}
    met = meetings(indexed([("ann", names), ("ann", {"p000"})]), 0.5)
    assert len(met.first) == 80 * 79 // 2 and set(met.together.tolist()) == {1}
