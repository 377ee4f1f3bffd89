"""Lift of categories within customers: worked by hand, steadied by the level above, silent on what has no category."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest

from ml.association.baskets import index_baskets
from ml.association.counting import count_pairs, expected_pairs
from ml.association.habits import SHRINKAGE, HabitualCategories, at_level

RNG = np.random.default_rng(0)
PRODUCTS = ["a1", "a2", "b1", "b2", "c1", "n"]
PATHS = pl.Series(["top > a", "top > a", "top > b", "top > b", "other > c", None])
ROWS = [(f"u{k % 5}", sorted(set(RNG.choice(PRODUCTS, 3).tolist()))) for k in range(120)]
FRAME = pl.DataFrame(ROWS, schema=["customer_id", "product_ids"], orient="row")


def sums(left: set[int], right: set[int]) -> tuple[float, float]:
    """Return counts and expectations of all pairs between two sets of products, one pair at a time."""
    baskets = index_baskets(FRAME, PRODUCTS)
    pairs = [(i, j) for i, j in combinations(range(6), 2) if (i in left and j in right) or (i in right and j in left)]
    first, second = (np.array(side, np.int32) for side in zip(*pairs, strict=True))
    counted = {(i, j): n for i, j, n, _ in zip(*count_pairs(baskets, 1), strict=True)}
    return sum(counted.get(pair, 0) for pair in pairs), float(expected_pairs(baskets, first, second).sum())


def test_the_lift_of_two_categories_is_that_of_all_their_pairs_drawn_to_the_level_above() -> None:
    habits = HabitualCategories(index_baskets(FRAME, PRODUCTS), PATHS)
    # Within "top" the level above counts each pair of products from both ends, as a category with itself does.
    count, expected = sums({0, 1, 2, 3}, {0, 1, 2, 3})
    above = (2 * count + SHRINKAGE) / (2 * expected + SHRINKAGE)
    count, expected = sums({0, 1}, {2, 3})
    worked = (count + SHRINKAGE * above) / (expected + SHRINKAGE)
    assert habits.between(np.array([0]), np.array([2])) == pytest.approx([worked])
    assert habits.summed(np.array([2, 4]))[0] == pytest.approx(habits.between(np.array([0, 0]), np.array([2, 4])).sum())


def test_where_a_category_is_not_known_chance_is_all_there_is() -> None:
    habits = HabitualCategories(index_baskets(FRAME, PRODUCTS), PATHS)
    assert habits.between(np.array([5, 5, 0]), np.array([0, 5, 5])).tolist() == [1.0, 1.0, 1.0]
    nothing = HabitualCategories(index_baskets(FRAME, PRODUCTS), pl.Series([None] * 6, dtype=pl.String))
    assert nothing.between(np.array([0]), np.array([1])).tolist() == [1.0]


def test_baskets_of_nobody_known_change_nothing() -> None:
    strangers = pl.DataFrame({"customer_id": [None] * 50, "product_ids": [["a1", "b1"]] * 50}, schema=FRAME.schema)
    with_them = HabitualCategories(index_baskets(pl.concat([FRAME, strangers]), PRODUCTS), PATHS)
    assert np.allclose(with_them.log_lift, HabitualCategories(index_baskets(FRAME, PRODUCTS), PATHS).log_lift)


def test_a_path_is_found_by_its_longest_known_beginning() -> None:
    names = ("other", "top > a", "top > b")
    asked = pl.Series(["top > a > deep", "top > b", "top", "other > c", None])
    assert at_level(asked, names).tolist() == [1, 2, 3, 0, 3]
