"""Slates under a change budget: what may stay, what it costs, what the certificates say."""

from itertools import combinations, product

import numpy as np
import pytest

from ml.optimizer.limits import Limits
from ml.scenarios.live import Live
from ml.scenarios.slates import options, within_change_budget
from tests.scenarios.shop import customers, desk

LIMITS = Limits(max_size=2)


def test_options_say_what_each_number_of_replaced_bundles_is_worth() -> None:
    rng = np.random.default_rng(1)
    shop = desk(rng, LIMITS)
    for slate in customers(rng, shop, 20):
        problem = slate.problem(shop)
        live = [(0, 1), (2, 3)]
        found = options(problem, slate.solutions, live, shop)
        assert [option.replaced for option in found] == sorted({option.replaced for option in found})
        assert max(option.value for option in found) == pytest.approx(sum(one.objective for one in slate.solutions))
        for option in found:
            assert option.replaced == sum(items not in option.bundles for items in live)
            assert option.value == pytest.approx(sum(problem.value(items) for items in option.bundles))
            assert len(option.bundles) <= shop.bundles
            assert all(problem.is_feasible(items) for items in option.bundles)


def test_a_live_bundle_that_is_not_allowed_today_cannot_stay() -> None:
    rng = np.random.default_rng(2)
    shop = desk(rng, LIMITS, available_units=[0] + [None] * 11)
    (slate,) = customers(rng, shop, 1, candidates=12)
    gone = slate.positions(["p00", "p01"])
    found = options(slate.problem(shop), slate.solutions, [gone, None], shop)
    assert {option.replaced for option in found} == {2}


def test_live_bundles_that_are_worth_nothing_or_overlap_too_much_do_not_stay() -> None:
    rng = np.random.default_rng(6)
    shop = desk(rng, Limits(max_size=2, cost_per_product=0.02))
    (slate,) = customers(rng, shop, 1)
    problem = slate.problem(shop)
    poor = next(pair for pair in combinations(range(8), 2) if problem.is_feasible(pair) and problem.value(pair) <= 0)
    assert all(poor not in option.bundles for option in options(problem, slate.solutions, [poor], shop))
    rich = sorted(combinations(range(8), 2), key=lambda pair: -problem.value(pair))
    one, other = next((a, b) for a in rich for b in rich if a != b and set(a) & set(b) and problem.value(b) > 0)
    for option in options(problem, slate.solutions, [one, other], shop):
        held = slate.held_to(option.bundles, shop, "change_budget", [one, other])
        assert not {one, other} <= set(option.bundles)
        assert all(solution.items for solution in held.solutions)


def test_the_change_budget_is_kept_and_the_choice_is_the_best_of_all() -> None:
    rng = np.random.default_rng(3)
    shop = desk(rng, LIMITS)
    slates = customers(rng, shop, 5)
    live = [[(0, 1), (2, 3)]]
    choices = [options(slate.problem(shop), slate.solutions, live[0], shop) for slate in slates]
    for budget in range(11):
        chosen, result = within_change_budget(choices, budget)
        every = [combination for combination in product(*choices) if sum(one.replaced for one in combination) <= budget]
        if not every:
            assert result.forced > budget
            continue
        best = max(sum(one.value for one in combination) for combination in every)
        assert sum(option.replaced for option in chosen) == result.replaced <= budget
        assert sum(option.value for option in chosen) == pytest.approx(best)


def test_a_slate_held_to_live_bundles_says_so_unless_they_are_the_best() -> None:
    rng = np.random.default_rng(4)
    shop = desk(rng, LIMITS)
    (slate,) = customers(rng, shop, 1)
    best, worst = slate.bundles[0], (6, 7)
    held = slate.held_to([worst, best], shop, "change_budget", [worst])
    assert held.bundles[0] == best
    assert (held.solutions[0].status, held.held_back_by[0]) == ("optimal", None)
    assert (held.solutions[1].status, held.held_back_by[1]) == ("feasible", "change_budget")
    assert held.solutions[1].upper_bound >= held.solutions[1].objective
    assert held.is_kept == [False, True]


def test_live_bundles_are_found_among_the_candidates_or_not() -> None:
    rng = np.random.default_rng(5)
    shop = desk(rng, LIMITS)
    (slate,) = customers(rng, shop, 1)
    names = slate.candidates["product_id"].to_list()
    live = Live({slate.customer_id: [[names[3], names[1]], [names[0], "p99"]]})
    assert live.positions(slate) == [(1, 3), None]
    assert live.products().height == 4
