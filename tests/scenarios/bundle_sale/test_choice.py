"""The choice of bundles equals brute force, and its certificate holds."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import DataError
from ml.scenarios.bundle_sale import choice
from ml.scenarios.bundle_sale.choice import choose

BUNDLES = st.lists(
    st.tuples(st.frozensets(st.sampled_from("abcdefg"), min_size=2, max_size=3), st.integers(0, 50)),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one[0],
)


def brute_force(bundles: list[tuple[frozenset[str], int]], most: int, pinned: set[str]) -> tuple[int, int]:
    """Return the most pinned products that disjoint bundles hold, and the highest worth with as many."""
    best = (0, 0)
    for size in range(most + 1):
        for some in combinations(bundles, size):
            held = [product for own, _ in some for product in own]
            if len(held) == len(set(held)):
                best = max(best, (len(set(held) & pinned), sum(worth for _, worth in some)))
    return best


@settings(max_examples=60, deadline=None)
@given(BUNDLES, st.integers(1, 3), st.sets(st.sampled_from("abz"), max_size=2))
def test_the_choice_is_as_good_as_the_best_of_all(
    bundles: list[tuple[frozenset[str], int]], most: int, pinned: set[str]
) -> None:
    found = choose([sorted(own) for own, _ in bundles], [float(worth) for _, worth in bundles], most, pinned)
    held = [product for b in found.chosen for product in bundles[b][0]]
    met, worth = brute_force(bundles, most, pinned)
    assert len(found.chosen) <= most and len(held) == len(set(held))
    assert len(set(held) & pinned) == met and set(found.unmet) == pinned - set(held)
    assert found.objective == pytest.approx(worth)
    assert found.upper_bound >= found.objective and found.gap_pct == pytest.approx(0, abs=1e-6)


def test_no_bundle_is_no_choice() -> None:
    assert choose([], [], 3, ["a"]).unmet == ("a",)


def test_one_that_adds_nothing_has_no_place() -> None:
    assert choose([["a", "b"], ["c", "d"]], [5.0, 0.0], 2).chosen == (0,)


def hard() -> tuple[list[list[str]], list[float]]:
    """Return bundles of three of thirty products, of which the best choice is not seen at once."""
    rng = np.random.default_rng(4)
    bundles = [sorted(f"p{product:02}" for product in rng.choice(30, 3, replace=False)) for _ in range(70)]
    return bundles, [float(worth) for worth in rng.integers(100, 200, 70)]


def test_a_search_that_is_long_ends_and_says_what_it_left_unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    bundles, worth = hard()
    proven = choose(bundles, worth, 20)
    monkeypatch.setattr(choice, "MOST_NODES", 1)
    ended = choose(bundles, worth, 20)
    assert proven.gap_pct == pytest.approx(0, abs=1e-6)
    assert ended.objective <= proven.objective < ended.upper_bound
    assert ended.gap_pct > 1


def test_no_pinned_product_is_said_to_have_no_place_without_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    bundles, worth = hard()
    pinned = sorted({product for bundle in bundles for product in bundle})
    assert len(choose(bundles, worth, 20, pinned).unmet) <= 3
    monkeypatch.setattr(choice, "MOST_NODES", 1)
    with pytest.raises(DataError, match="27 pinned products find a place together, and whether more do is not found"):
        choose(bundles, worth, 20, pinned)
