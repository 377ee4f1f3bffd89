"""Replacements within a budget against all choices, against dynamic programming and against cases worked by hand."""

from itertools import pairwise, product

import numpy as np
import pytest

from ml.errors import DataError
from ml.optimizer.change_budget import Replacements, choose_replacements

Options = tuple[np.ndarray, np.ndarray, np.ndarray]


def options(*customers: dict[int, float]) -> Options:
    """Return the arrays of customers that are given as value by number replaced."""
    starts = np.cumsum([0, *(len(one) for one in customers)])
    replaced = np.array([count for one in customers for count in one], np.int64)
    return starts, replaced, np.array([value for one in customers for value in one.values()], np.float64)


def random_options(rng: np.random.Generator, customers: int, is_tied: bool = False) -> Options:
    """Return customers with 1 to 5 options of 0 to 6 replacements, values in any order, some forced to replace."""
    drawn = []
    for _ in range(customers):
        counts = np.sort(rng.choice(7, int(rng.integers(1, 6)), replace=False))
        if rng.random() < 0.7:
            counts[0] = 0
        values = rng.integers(0, 5, len(counts)) if is_tied else rng.gamma(2, 1, len(counts)) * (1 + counts)
        drawn.append(dict(zip(counts.tolist(), values.tolist(), strict=True)))
    return options(*drawn)


def best_value(data: Options, budget: int) -> float:
    """Return the largest value of any choice within the budget, or of the forced one where that exceeds it."""
    starts, replaced, values = data
    forced = replaced[starts[:-1]].sum()
    best = -np.inf
    for choice in product(*(range(first, last) for first, last in pairwise(starts))):
        if replaced[list(choice)].sum() <= max(budget, forced):
            best = max(best, values[list(choice)].sum())
    return float(best)


def assert_consistent(found: Replacements, data: Options) -> None:
    """Hold the numbers of a result against the options it names."""
    starts, replaced, values = data
    assert ((found.chosen >= starts[:-1]) & (found.chosen < starts[1:])).all()
    assert found.value == pytest.approx(values[found.chosen].sum())
    assert found.replaced == replaced[found.chosen].sum() <= max(found.budget, found.forced)
    assert found.forced == replaced[starts[:-1]].sum()
    assert found.gap >= 0


# Alone, three replacements of the first customer gain 7 each; one of the second gains 5, two of the third gain 6 each.
THREE = options({0: 10.0, 3: 31.0}, {0: 10.0, 1: 15.0}, {0: 10.0, 1: 11.0, 2: 22.0})


@pytest.mark.parametrize(
    ("budget", "chosen", "value"),
    [
        (0, [0, 2, 4], 30.0),
        (1, [0, 3, 4], 35.0),
        (2, [0, 2, 6], 42.0),
        (3, [1, 2, 4], 51.0),
        (4, [1, 3, 4], 56.0),
        (5, [1, 2, 6], 63.0),
        (6, [1, 3, 6], 68.0),
    ],
)
def test_each_budget_of_a_case_worked_by_hand(budget: int, chosen: list[int], value: float) -> None:
    found = choose_replacements(*THREE, budget)
    assert found.chosen.tolist() == chosen
    assert (found.value, found.upper_bound, found.gap) == (value, value, 0.0)


def test_without_dynamic_programming_the_bound_is_the_linear_relaxation() -> None:
    found = choose_replacements(*THREE, 4, most_states=0)
    assert found.chosen.tolist() == [1, 3, 4]  # one replacement is left for a step of two: filled up from the second
    assert (found.value, found.upper_bound) == (56.0, 57.0)


@pytest.mark.parametrize("most_states", [0, 10**6])
@pytest.mark.parametrize("is_tied", [False, True])
def test_value_and_bound_enclose_the_optimum(most_states: int, is_tied: bool) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        data, budget = random_options(rng, int(rng.integers(1, 6)), is_tied), int(rng.integers(0, 20))
        best = best_value(data, budget)
        found = choose_replacements(*data, budget, most_states)
        assert_consistent(found, data)
        assert found.value <= best + 1e-9
        assert found.upper_bound >= best - 1e-9
        if most_states:
            assert found.value == pytest.approx(best)
            assert found.gap == 0


def test_hulls_miss_dynamic_programming_by_less_than_one_step() -> None:
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(30):
        data, budget = random_options(rng, 200), int(rng.integers(150, 700))
        hulls = choose_replacements(*data, budget, most_states=0)
        exact = choose_replacements(*data, budget, most_states=10**9)
        assert_consistent(hulls, data)
        assert_consistent(exact, data)
        assert hulls.value <= exact.value + 1e-9 <= hulls.upper_bound + 2e-9
        starts, _, values = data
        widest = max(np.ptp(values[first:last]) for first, last in pairwise(starts))
        assert hulls.gap < widest
        missed += exact.value > hulls.value + 1e-9
    assert missed, "no case in which dynamic programming had anything to add"


def test_steps_of_one_replacement_are_proven_without_dynamic_programming() -> None:
    rng = np.random.default_rng(3)
    falling = np.sort(rng.random((50, 4)), axis=1)[:, ::-1]
    data = options(*({0: 1.0, **{r + 1: 1.0 + row[: r + 1].sum() for r in range(4)}} for row in falling))
    for budget in (0, 1, 37, 120, 199, 200):
        found = choose_replacements(*data, budget, most_states=0)
        assert found.gap == pytest.approx(0.0, abs=1e-9)
        assert found.value == pytest.approx(50 + np.sort(falling.ravel())[::-1][:budget].sum())
        assert found.replaced == budget


def test_no_budget_keeps_every_bundle_that_can_stay() -> None:
    data = random_options(np.random.default_rng(4), 100)
    found = choose_replacements(*data, 0)
    assert found.chosen.tolist() == data[0][:-1].tolist()
    assert found.replaced == found.forced
    assert found.gap == 0


@pytest.mark.parametrize("budget", [600, 10**30])
def test_a_budget_without_effect_gives_everybody_the_best(budget: int) -> None:
    data = random_options(np.random.default_rng(5), 100)
    found = choose_replacements(*data, budget, most_states=0)
    assert found.value == pytest.approx(np.maximum.reduceat(data[2], data[0][:-1]).sum())
    assert found.gap == 0


def test_a_replacement_that_gains_nothing_is_not_made() -> None:
    found = choose_replacements(*options({0: 2.0, 1: 2.0, 2: 1.0}, {1: 3.0, 2: 3.0}), 10)
    assert found.chosen.tolist() == [0, 3]
    assert found.replaced == 1


def test_equal_gains_go_to_the_customer_who_comes_first() -> None:
    gains = np.random.default_rng(6).integers(1, 4, 1000)
    data = options(*({0: 1.0, 1: 1.0 + gain} for gain in gains))
    for budget in (2, 500, 900):
        best_first = sorted(range(1000), key=lambda customer: (-gains[customer], customer))
        replaces = np.flatnonzero(choose_replacements(*data, budget).chosen % 2)
        assert replaces.tolist() == sorted(best_first[:budget])


def test_dynamic_programming_decides_ties_the_same_way() -> None:
    too_wide = {0: 1.0, 3: 31.0}  # the best step, which does not fit: hulls prove nothing
    idle = choose_replacements(*options(too_wide, {0: 1.0, 1: 1.0}), 2)
    assert (idle.chosen.tolist(), idle.replaced, idle.gap) == ([0, 2], 0, 0.0)
    first = choose_replacements(*options(too_wide, {0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0}), 1)
    assert (first.chosen.tolist(), first.gap) == ([0, 3, 4], 0.0)


def test_forced_replacements_come_out_of_the_budget_first() -> None:
    data = options({2: 5.0, 3: 6.0}, {0: 1.0, 1: 1.5})
    found = choose_replacements(*data, 3)
    assert found.chosen.tolist() == [1, 2]
    assert (found.forced, found.replaced, found.over_budget) == (2, 3, 0)


def test_forced_replacements_beyond_the_budget_are_made_and_reported() -> None:
    data = options({2: 5.0, 3: 60.0}, {0: 1.0, 1: 15.0})
    found = choose_replacements(*data, 1)
    assert found.chosen.tolist() == [0, 2]
    assert (found.forced, found.replaced, found.over_budget, found.gap) == (2, 2, 1, 0.0)


def test_values_may_be_negative() -> None:
    found = choose_replacements(*options({0: -3.0, 1: -1.0}, {0: -2.0, 1: -1.5}), 1)
    assert (found.chosen.tolist(), found.value) == ([1, 2], -3.0)


def test_nobody_replaces_nothing() -> None:
    found = choose_replacements(*options(), 5)
    assert (len(found.chosen), found.value, found.upper_bound, found.replaced) == (0, 0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": [1.0, np.nan, 2.0]}, "values must be finite"),
        ({"values": [1.0, np.inf, 2.0]}, "values must be finite"),
        ({"values": [1.0, 2.0]}, "values: shape"),
        ({"replaced": [0, 0, 0]}, "must be >= 0 and ascend"),
        ({"replaced": [1, 0, 0]}, "must be >= 0 and ascend"),
        ({"replaced": [-1, 0, 0]}, "must be >= 0 and ascend"),
        ({"replaced": [0.0, 1.0, 0.0]}, "replaced: must be one row of whole numbers"),
        ({"starts": [0, 2, 2, 3]}, "a customer has no option"),
        ({"starts": [0, 3, 2, 3]}, "a customer has no option"),
        ({"starts": [0, 2]}, "starts must run from 0"),
        ({"starts": [1, 3]}, "starts must run from 0"),
        ({"budget": -1}, "budget: got -1"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(changes: dict[str, object], message: str) -> None:
    fits = {"starts": [0, 2, 3], "replaced": [0, 1, 0], "values": [1.0, 2.0, 3.0], "budget": 1}
    arrays = {name: np.array(value) if name != "budget" else value for name, value in {**fits, **changes}.items()}
    with pytest.raises(DataError, match=message):
        choose_replacements(**arrays)
