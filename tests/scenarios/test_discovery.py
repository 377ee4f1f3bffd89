"""Repeat and discovery: the share is kept by everybody, at the least loss, and certificates say what they are about."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.optimizer.limits import Limits
from ml.optimizer.problem import Bundle, BundleProblem
from ml.optimizer.solve import Search
from ml.optimizer.stock import StockParams
from ml.scenarios.changes import options, within_change_share
from ml.scenarios.discovery import is_forced, keeps_share, mixed, needed, shortened
from ml.scenarios.shared_stock import couple, promised
from ml.scenarios.slates import Desk, Slate, solved
from tests.optimizer.problems import feasible_bundles
from tests.scenarios.shop import customers, desk

LIMITS = Limits(max_size=3)


def mixing(rng: np.random.Generator, share: float, limits: Limits = LIMITS, **more: object) -> Desk:
    return replace(desk(rng, limits, **more), discovery_share=share)  # type: ignore[arg-type]


def slates_of(rng: np.random.Generator, shop: Desk, count: int, candidates: int = 8) -> list[Slate]:
    """Return customers who know most of their candidates, so that their best bundles are seldom discoveries."""
    drawn = customers(rng, replace(shop, discovery_share=0.0), count, candidates)
    known = [replace(slate, source=slate.source | (rng.random(candidates) < 0.6).astype(np.uint8)) for slate in drawn]
    return [solved(slate, shop) for slate in known]


def found_in(slate: Slate) -> int:
    return sum(bool((~slate.is_anchor[list(items)]).any()) for items in slate.bundles)


@pytest.mark.parametrize(
    ("share", "numbers"), [(0.0, [0, 0, 0]), (0.34, [1, 1, 2]), (0.5, [1, 1, 2]), (1.0, [1, 2, 3])]
)
def test_so_many_of_one_two_and_three_bundles_are_discoveries(share: float, numbers: list[int]) -> None:
    assert [needed(share, bundles) for bundles in (1, 2, 3)] == numbers


def test_seven_of_ten_are_seven() -> None:
    assert [needed(0.7, 10), needed(0.1, 10), needed(0.3, 10)] == [7, 1, 3]


def test_a_place_is_bound_when_those_after_it_could_not_make_up_for_it() -> None:
    assert [is_forced(0.5, 0, chosen, 4) for chosen in range(4)] == [False, False, True, True]
    assert not is_forced(0.5, 2, 3, 4) and is_forced(0.5, 1, 3, 4)


def by_trying_every_order(problem: BundleProblem, bundles: int, share: float) -> float:
    """Return the best sum of any order of free and bound places, each step by trying every bundle."""
    best, wanted = -np.inf, needed(share, bundles)
    for number in range(wanted + 1):
        for places in combinations(range(bundles), number):
            here, value, left, chosen = problem, 0.0, wanted, list[Bundle]()
            for place in range(bundles):
                is_bound = place in places and left > 0
                able = [(worth, items) for worth, items in feasible_bundles(here) if worth > 0]
                able = [(w, items) for w, items in able if not is_bound or problem.is_discovery(items)]
                if not able:
                    break
                value, chosen, left = value + able[0][0], [*chosen, able[0][1]], left - problem.is_discovery(able[0][1])
                here = here.after(able[0][1])
                if keeps_share(problem, chosen, share):
                    best = max(best, value)
    return best


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_the_mix_is_worth_most_of_all_orders(share: float) -> None:
    rng, moved = np.random.default_rng(21), 0
    shop = mixing(rng, share, bundles=3)
    for slate in slates_of(rng, shop, 25):
        problem = slate.problem(shop)
        free = solved(slate, replace(shop, discovery_share=0.0))
        chosen = mixed(problem, shop.search, 3, share)
        best = by_trying_every_order(problem, 3, share)
        assert bool(chosen) == (best > -np.inf)
        if chosen:
            assert sum(map(problem.value, chosen)) == pytest.approx(best)
        if keeps_share(problem, free.bundles, share):
            assert slate.bundles == free.bundles, "a slate that keeps the share anyway stays as it is"
        else:
            moved += 1
            assert set(slate.bundles) == set(chosen or [])
    assert moved > 2, "the test needs slates that do not keep the share by themselves"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0), st.integers(1, 4), st.integers(0, 1))
def test_every_slate_keeps_the_share_and_every_certificate_holds(
    seed: int, share: float, bundles: int, overlap: int
) -> None:
    rng = np.random.default_rng(seed)
    shop = mixing(rng, share, Limits(max_size=3, max_overlap=overlap), bundles=bundles)
    for slate in slates_of(rng, shop, 3):
        free = solved(slate, replace(shop, discovery_share=0.0))
        assert found_in(slate) >= needed(share, len(slate.bundles))
        assert len(slate.bundles) + len(slate.lost_to) >= len(free.bundles)
        if not slate.bundles:
            assert slate.solutions[0].fallback_reason in (free.solutions[0].fallback_reason, "no_discovery_left")
            continue
        here, found = slate.problem(shop), 0
        for place, solution in enumerate(slate.solutions):
            is_bound = is_forced(share, found, place, len(slate.bundles))
            able = [worth for worth, items in feasible_bundles(here) if not is_bound or here.is_discovery(items)]
            assert solution.upper_bound >= able[0] - 1e-12, "no bundle of this place is worth more than the bound"
            assert (solution.status == "optimal") == (solution.objective >= able[0] - 1e-12)
            cause = slate.held_back_by[place]
            assert cause == (None if solution.status == "optimal" else "discovery")
            found += here.is_discovery(solution.items)
            here = here.after(solution.items)


def test_who_knows_every_candidate_gets_nothing_and_is_told_why() -> None:
    rng = np.random.default_rng(22)
    shop = mixing(rng, 0.1)
    (slate,) = customers(rng, replace(shop, discovery_share=0.0), 1)
    known = solved(replace(slate, source=slate.source | 1), shop)
    assert (known.bundles, known.solutions[0].fallback_reason) == ([], "no_discovery_left")
    assert known.lost_to == ("discovery",) * len(slate.bundles)
    assert known.solutions[0].upper_bound == slate.solutions[0].objective


def test_many_bundles_are_mixed_without_trying_every_order() -> None:
    rng = np.random.default_rng(23)
    shop = mixing(rng, 0.5, Limits(max_size=2, max_overlap=1), bundles=8)
    sizes = []
    for slate in slates_of(rng, shop, 4, candidates=12):
        assert found_in(slate) >= needed(0.5, len(slate.bundles))
        sizes.append(len(slate.bundles))
    assert max(sizes) == 8, "the test needs more than five bundles"


def test_no_share_changes_nothing() -> None:
    rng = np.random.default_rng(24)
    shop = mixing(rng, 0.0)
    for slate in slates_of(rng, shop, 10):
        again = solved(slate, replace(shop, discovery_share=0.0))
        assert (again.solutions, again.held_back_by) == (slate.solutions, slate.held_back_by)
        assert set(slate.held_back_by) == {None}


def test_a_slate_is_cut_where_it_costs_least() -> None:
    rng = np.random.default_rng(25)
    shop = mixing(rng, 0.0, Limits(max_size=2), bundles=3)
    slate = next(slate for slate in slates_of(rng, shop, 40) if len(slate.bundles) == 3 and found_in(slate) == 1)
    problem = slate.problem(shop)
    worth = {items: problem.value(items) for items in slate.bundles}
    kept = shortened(problem, slate.bundles, 0.5)
    (gone,) = set(slate.bundles) - set(kept)
    assert gone == min((items for items in slate.bundles if not problem.is_discovery(items)), key=worth.__getitem__)
    assert shortened(problem, [items for items in slate.bundles if not problem.is_discovery(items)], 0.5) == []


@pytest.mark.parametrize("solver", ["exact", "greedy"])
def test_live_bundles_stay_only_where_the_share_is_kept_with_them(solver: str) -> None:
    rng = np.random.default_rng(26)
    shop = mixing(rng, 0.5, Limits(max_size=2), bundles=2, search=Search(solver))
    live = ((0, 1), (2, 3))
    slates = [replace(slate, live=live) for slate in slates_of(rng, shop, 12)]
    choices = [options(slate.problem(shop), slate.solutions, live, shop) for slate in slates]
    for slate, own in zip(slates, choices, strict=True):
        problem = slate.problem(shop)
        for option in own:
            assert keeps_share(problem, option.bundles, 0.5)
            assert option.value == pytest.approx(sum(problem.value(items) for items in option.bundles))
    held, counts = within_change_share(slates, choices, shop, 24, 0.5)
    kept = sum(sum(slate.is_kept) for slate in held)
    assert kept and 24 - kept <= max(12, counts["forced_replacements"])
    assert all(found_in(slate) >= needed(0.5, len(slate.bundles)) for slate in held)


@pytest.mark.parametrize(("share", "units"), [(0.3, 5), (0.5, 3), (1.0, 5), (0.5, 1)])
def test_the_share_is_kept_under_scarce_stock_too(share: float, units: int) -> None:
    rng = np.random.default_rng(27)
    shop = mixing(rng, share, bundles=3, available_units=[units] * 12)
    slates = slates_of(rng, shop, 40)
    capacity = np.full(12, units)
    assert (promised(slates, 12) > capacity).any(), "the test needs scarcity"
    coupled = couple(slates, shop, capacity, StockParams(seed=1))
    assert (promised(coupled.slates, 12) <= capacity).all()
    assert 0 < coupled.value <= coupled.upper_bound
    assert coupled.value == pytest.approx(sum(one.objective for slate in coupled.slates for one in slate.solutions))
    for slate in coupled.slates:
        assert found_in(slate) >= needed(share, len(slate.bundles))
        here, found = slate.problem(shop), 0
        for place, solution in enumerate(slate.solutions if slate.bundles else []):
            is_bound = is_forced(share, found, place, len(slate.bundles))
            able = [worth for worth, items in feasible_bundles(here) if not is_bound or here.is_discovery(items)]
            assert solution.upper_bound >= able[0] - 1e-12
            assert (slate.held_back_by[place] is None) == (solution.status == "optimal")
            found += here.is_discovery(solution.items)
            here = here.after(solution.items)
    again = couple(slates, shop, capacity, StockParams(seed=1))
    assert [slate.bundles for slate in again.slates] == [slate.bundles for slate in coupled.slates]


def test_a_customer_cut_short_by_stock_gets_another_discovery_where_there_is_one() -> None:
    rng = np.random.default_rng(28)
    shop = mixing(rng, 0.4, Limits(max_size=2), bundles=2, available_units=[2] * 12)
    coupled = couple(slates_of(rng, shop, 30), shop, np.full(12, 2), StockParams(seed=2))
    left = np.full(12, 2) - promised(coupled.slates, 12)
    for slate in coupled.slates:
        if slate.bundles:
            continue
        able = [items for worth, items in feasible_bundles(slate.problem(shop).needing_new()) if worth > 0]
        assert all((left[slate.product[list(items)]] == 0).any() for items in able), "what is left would keep the share"
