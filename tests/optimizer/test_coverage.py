"""Lists for everybody against all lists, against plain greedy choice and against a case worked by hand."""

from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

from ml.errors import DataError
from ml.optimizer.coverage import cover

GREEDY_SHARE = 1 - 1 / np.e


def random_worths(rng: np.random.Generator) -> np.ndarray:
    """Return up to 10 bundles by up to 25 customers, half of them 0, in few distinct numbers so that gains tie."""
    shape = int(rng.integers(2, 11)), int(rng.integers(1, 26))
    worths = rng.random(shape) if rng.random() < 0.5 else rng.integers(0, 4, shape).astype(float)
    return worths * (rng.random(shape) < 0.5)


def larger_problems() -> list[np.ndarray]:
    """Return problems in which several exchanges pay."""
    rng = np.random.default_rng(4)
    return [rng.random((30, 40)) * (rng.random((30, 40)) < 0.3) for _ in range(60)]


def value_of(worths: np.ndarray, chosen: tuple[int, ...]) -> float:
    """Return the coverage of a list, straight from its definition."""
    return float(worths[list(chosen)].max(axis=0, initial=0.0).sum())


def best_value(worths: np.ndarray, bundles: int) -> float:
    """Return the largest coverage of any list."""
    size = min(bundles, len(worths))
    return max(value_of(worths, chosen) for chosen in combinations(range(len(worths)), size))


def plain_greedy(worths: np.ndarray, bundles: int) -> list[int]:
    """Return greedy choice with every gain computed anew, the lowest row among equals; stop where nothing is gained."""
    level, chosen = np.zeros(worths.shape[1]), []
    for _ in range(bundles):
        gains = np.zeros(len(worths))
        for customer in range(worths.shape[1]):  # the order of summation decides ties
            gains += np.maximum(worths[:, customer] - level[customer], 0.0)
        if gains.max() <= 0:
            break
        chosen.append(int(gains.argmax()))
        level = np.maximum(level, worths[chosen[-1]])
    return chosen


# Greedy takes the bundle that is fair for all first; the best two are those that are good for one half each.
FAIR_FOR_ALL = np.array([[3.0, 3.0, 3.0, 3.0], [5.0, 5.0, 0.0, 0.0], [0.0, 0.0, 5.0, 5.0]])


def test_an_exchange_mends_what_greedy_choice_got_wrong() -> None:
    greedy = cover(FAIR_FOR_ALL, 2, max_exchanges=0)
    assert greedy.chosen.tolist() == [0, 1]
    assert greedy.gains.tolist() == [12.0, 4.0]
    better = cover(FAIR_FOR_ALL, 2)
    assert better.chosen.tolist() == [1, 2]
    assert better.gains.tolist() == [10.0, 10.0]
    assert (better.value, better.upper_bound, better.gap_pct, better.exchanges) == (20.0, 20.0, 0.0, 1)


def test_without_steps_the_bound_is_the_least_over_the_greedy_lists() -> None:
    # Nothing chosen: 12 + 10. Row 0: 12 + 4 + 4. Rows 0 and 1: 16 + 4.
    greedy = cover(FAIR_FOR_ALL, 2, max_exchanges=0, bound_steps=0)
    assert greedy.upper_bound == 20.0
    assert greedy.gap_pct == pytest.approx(20.0)


@pytest.mark.parametrize("bound_steps", [0, 100])
def test_value_and_bound_enclose_the_optimum(bound_steps: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(150):
        worths, bundles = random_worths(rng), int(rng.integers(1, 6))
        best = best_value(worths, bundles)
        found = cover(sparse.csr_array(worths), bundles, bound_steps=bound_steps)
        assert found.value == pytest.approx(value_of(worths, tuple(found.chosen)))
        assert found.gains.sum() == pytest.approx(found.value)
        assert GREEDY_SHARE * best - 1e-9 <= found.value <= best + 1e-9
        assert found.upper_bound >= best - 1e-9
        assert found.gap_pct == pytest.approx(100 * (1 - found.value / found.upper_bound) if best else 0.0)


def test_lazy_choice_is_plain_greedy_choice() -> None:
    rng = np.random.default_rng(2)
    for _ in range(150):
        worths, bundles = random_worths(rng), int(rng.integers(1, 8))
        assert cover(worths, bundles, max_exchanges=0).chosen.tolist() == plain_greedy(worths, bundles)


def test_exchanges_never_lower_the_value_and_leave_none_that_pays() -> None:
    rng = np.random.default_rng(3)
    problems = [(random_worths(rng), int(rng.integers(2, 5))) for _ in range(150)]
    exchanges = 0
    for worths, bundles in problems + [(worths, 6) for worths in larger_problems()]:
        greedy, found = cover(worths, bundles, max_exchanges=0), cover(worths, bundles)
        assert found.value > greedy.value if found.exchanges else found.value == greedy.value
        exchanges += found.exchanges
        for out in range(len(found.chosen)):
            rest = tuple(np.delete(found.chosen, out))
            assert max(value_of(worths, (*rest, into)) for into in range(len(worths))) <= found.value + 1e-6
    assert exchanges, "no case in which greedy choice left anything to exchange"


def test_exchanges_stop_at_their_cap() -> None:
    problems = larger_problems()
    assert max(cover(worths, 6).exchanges for worths in problems) > 1
    assert max(cover(worths, 6, max_exchanges=1).exchanges for worths in problems) == 1


def test_each_of_the_list_adds_most_to_those_before_it() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        worths = random_worths(rng)
        found = cover(worths, 4)
        before = [value_of(worths, tuple(found.chosen[:size])) for size in range(len(found.chosen) + 1)]
        assert np.diff(before) == pytest.approx(found.gains)
        assert (found.gains > 0).all()
        assert (np.diff(found.gains) <= 1e-12).all()


def test_steps_tighten_the_bound() -> None:
    worths = sparse.random_array((200, 2000), density=0.02, rng=np.random.default_rng(6), format="csr")
    loose, tight = cover(worths, 10, bound_steps=0), cover(worths, 10)
    assert tight.value == loose.value
    assert tight.gap_pct < 0.2 * loose.gap_pct


def test_more_bundles_than_candidates_lists_all_that_add_something() -> None:
    worths = np.array([[1.0, 0.0], [0.0, 2.0], [0.5, 1.0], [0.0, 0.0]])
    found = cover(worths, 10)
    assert found.chosen.tolist() == [1, 0]
    assert (found.value, found.upper_bound, found.gap_pct) == (3.0, 3.0, 0.0)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (4, 3)])
def test_where_nothing_is_worth_anything_nothing_is_listed(shape: tuple[int, int]) -> None:
    found = cover(sparse.csr_array(shape), 3)
    assert (len(found.chosen), found.value, found.upper_bound, found.gap_pct) == (0, 0.0, 0.0, 0.0)


def test_the_lowest_of_equal_rows_is_listed_every_time() -> None:
    worths = np.ones((6, 4))
    assert [cover(worths, 3).chosen.tolist() for _ in range(3)] == [[0]] * 3


def test_every_sparse_format_gives_the_same_list_and_is_left_as_it_was() -> None:
    entries = (np.array([1.0, 1.0, 3.0]), (np.array([0, 0, 1]), np.array([0, 0, 1])))  # the first entry stands twice
    for worths in (sparse.coo_array(entries, shape=(2, 2)), sparse.csr_matrix([[2, 0], [0, 3]])):
        assert cover(worths, 2).gains.tolist() == [3.0, 2.0]
    twice = sparse.csr_array((np.array([1.0, 1.0, 1.5]), np.array([0, 0, 0]), np.array([0, 2, 3])), shape=(2, 1))
    assert cover(twice[::-1], 2).gains.tolist() == [2.0]
    assert cover(twice, 2).value == 2.0
    assert twice.nnz == 3


@pytest.mark.parametrize("worth", [-1.0, np.nan, np.inf])
def test_worths_that_are_negative_or_not_finite_are_refused(worth: float) -> None:
    with pytest.raises(DataError, match="worths must be finite and >= 0"):
        cover(np.array([[1.0, worth]]), 1)


def test_a_customer_outside_the_matrix_is_refused() -> None:
    worths = sparse.csr_array(np.ones((2, 2)))
    worths.indices[0] = 7
    with pytest.raises(DataError, match="no valid sparse matrix"):
        cover(worths, 1)


def test_a_single_row_without_customers_by_bundles_is_refused() -> None:
    with pytest.raises(DataError, match="must be a matrix"):
        cover(np.ones(3), 1)


@pytest.mark.parametrize("changes", [{"bundles": 0}, {"max_exchanges": -1}, {"bound_steps": -1}])
def test_counts_out_of_range_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(DataError, match=next(iter(changes))):
        cover(np.ones((2, 2)), **{"bundles": 1, **changes})
