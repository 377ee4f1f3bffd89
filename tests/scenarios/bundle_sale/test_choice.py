"""The choice of bundles equals brute force, and its certificate holds."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
