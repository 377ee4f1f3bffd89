"""Slates from shared stock: nobody is promised what is not there, and the rows say what held them back."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from ml.optimizer.limits import Limits
from ml.optimizer.problem import UNLIMITED
from ml.optimizer.solve import Search
from ml.optimizer.stock import StockParams
from ml.scenarios.shared_stock import capacities, couple, promised, shadow_prices
from tests.scenarios.shop import customers, desk

LIMITS = Limits(max_size=3)
PARAMS = StockParams(seed=1)


def test_scarce_stock_is_shared_and_certified() -> None:
    rng = np.random.default_rng(1)
    shop = desk(rng, LIMITS, available_units=[5] * 6 + [None] * 6)
    slates = customers(rng, shop, 40)
    capacity = capacities(shop.shelf.available_units, 0, None, np.ones(12), 80)
    assert (promised(slates, 12) > capacity).any(), "the test needs scarcity"
    coupled = couple(slates, shop, capacity, PARAMS)
    assert (promised(coupled.slates, 12) <= capacity).all()
    assert coupled.value == pytest.approx(sum(one.objective for slate in coupled.slates for one in slate.solutions))
    assert coupled.value <= coupled.upper_bound
    assert coupled.value >= 0.9 * coupled.upper_bound
    assert coupled.prices[:6].max() > 0 and (coupled.prices[6:] == pytest.approx(0.0, abs=1e-9))
    for slate, before in zip(coupled.slates, slates, strict=True):
        for solution, cause in zip(slate.solutions, slate.held_back_by, strict=True):
            assert solution.upper_bound >= solution.objective
            assert (cause == "stock") == (solution.status == "feasible")
        assert len(slate.bundles) == len({items for items in slate.bundles})
        if not slate.bundles:
            assert slate.solutions[0].fallback_reason == "no_stock_left"
            assert slate.solutions[0].upper_bound == before.solutions[0].upper_bound
        assert slate.is_assigned == (slate.bundles != before.bundles)
        assert len(slate.lost_to) == max(len(before.bundles) - len(slate.bundles), 0)
    assert {cause for slate in coupled.slates for cause in slate.lost_to} == {"stock"}, "the test needs lost bundles"


def test_enough_stock_changes_nothing_and_costs_nothing() -> None:
    rng = np.random.default_rng(2)
    shop = desk(rng, LIMITS, available_units=[200] * 12)
    slates = customers(rng, shop, 20)
    coupled = couple(slates, shop, np.full(12, 40), PARAMS)
    assert coupled.slates == slates
    assert coupled.value == pytest.approx(coupled.upper_bound)
    assert (coupled.prices == 0).all()


def test_bundles_that_stay_take_their_units_first() -> None:
    rng = np.random.default_rng(3)
    shop = desk(rng, Limits(max_size=2), bundles=1)
    slates = customers(rng, shop, 30)
    code = slates[-1].codes[slates[-1].bundles[0][0]]
    capacity = np.full(12, 60)
    capacity[code] = 1
    kept = replace(slates[-1], live=tuple(slates[-1].bundles))
    coupled = couple([*slates[:-1], kept], shop, capacity, PARAMS)
    assert coupled.slates[-1].bundles == kept.bundles
    assert promised(coupled.slates, 12)[code] == 1


def test_a_round_in_which_nobody_wants_more_ends_the_assignment() -> None:
    rng = np.random.default_rng(7)
    shop = desk(rng, Limits(max_size=2), bundles=2)
    slates = [replace(slate, live=tuple(slate.bundles)) for slate in customers(rng, shop, 3)]
    code = int(np.argmax(promised(slates, 12)))
    capacity = np.full(12, 60)
    capacity[code] = promised(slates, 12)[code] - 1
    coupled = couple(slates, shop, capacity, PARAMS)
    assert (promised(coupled.slates, 12) <= capacity).all()
    assert np.isfinite(coupled.prices).all() and np.isfinite(coupled.upper_bound)
    assert coupled.value <= coupled.upper_bound + 1e-12


def test_capacity_is_stock_less_reserve_or_as_many_offers_as_the_stock_can_bear() -> None:
    available = np.array([5, 0, UNLIMITED, 2])
    assert capacities(available, 0, None, np.ones(4), 9).tolist() == [5, 0, 9, 2]
    assert capacities(available, 3, None, np.ones(4), 9).tolist() == [2, 0, 9, 0]
    offers = capacities(available, 0, 0.95, np.full(4, 0.1), 100)
    assert offers[1:3].tolist() == [0, 100]
    for place, units in ((0, 5), (3, 2)):
        assert binom.cdf(units, offers[place], 0.1) >= 0.95 > binom.cdf(units, offers[place] + 1, 0.1)


def test_rows_tell_both_uses_of_stock_for_counted_products_alone() -> None:
    rng = np.random.default_rng(4)
    shop = desk(rng, LIMITS, available_units=[10] * 6 + [None] * 6)
    slates = customers(rng, shop, 10)
    capacity = capacities(shop.shelf.available_units, 1, None, np.ones(12), 20)
    rows = shadow_prices(couple(slates, shop, capacity, PARAMS), shop.shelf, capacity)
    assert rows.height == 6
    assert (rows["promised_units"] <= rows["capacity_units"]).all()
    assert (rows["expected_units"] <= rows["promised_units"]).all()
    assert rows["promised_share"].to_list() == pytest.approx((rows["promised_units"] / 10).to_list())


def test_customers_laid_out_in_shards_keep_to_the_stock_as_one_crowd_does() -> None:
    rng = np.random.default_rng(5)
    shop = desk(rng, LIMITS, available_units=[20] * 12)
    slates = customers(rng, shop, 120)
    capacity = np.full(12, 20)
    whole, parts = couple(slates, shop, capacity, PARAMS), couple(slates, shop, capacity, PARAMS, shard=50)
    for coupled in (whole, parts):
        assert (promised(coupled.slates, 12) <= capacity).all()
        assert coupled.value == pytest.approx(sum(one.objective for slate in coupled.slates for one in slate.solutions))
        assert coupled.value <= coupled.upper_bound
    assert parts.value >= 0.9 * whole.value


@pytest.mark.parametrize("solver", ["exact", "greedy"])
def test_what_the_form_says_of_products_holds_under_scarce_stock_too(solver: str) -> None:
    rng = np.random.default_rng(6)
    roles = (["p01", "p02", "p03"], ["p00"], ["p04", "p05"])
    limits = Limits(max_size=3, needs_wanted=True, max_overlap=1)
    shop = desk(rng, limits, roles=roles, search=Search(solver), available_units=[None] + [5] * 11)
    slates = customers(rng, shop, 30, candidates=12)
    capacity = capacities(shop.shelf.available_units, 0, None, np.ones(12), 60)
    assert (promised(slates, 12) > capacity).any(), "the test needs scarcity"
    coupled = couple(slates, shop, capacity, PARAMS)
    assert (promised(coupled.slates, 12) <= capacity).all()
    assert 0 < coupled.value <= coupled.upper_bound
    assert any(slate.is_assigned and slate.bundles for slate in coupled.slates), "the test needs assigned bundles"
    for slate, before in zip(coupled.slates, slates, strict=True):
        problem = slate.problem(shop)
        assert slate.is_assigned == (set(slate.bundles) != set(before.bundles))
        for items, solution in zip(slate.bundles, slate.solutions, strict=bool(slate.bundles)):
            assert problem.is_feasible(items), problem.violations(items)
            assert solution.upper_bound >= problem.value(items) > 0
            names = set(slate.product_ids(items))
            assert "p00" in names and names & set(roles[0]) and not names & set(roles[2])
            problem = problem.after(items)


def test_live_bundles_are_told_from_new_ones_after_stock_was_shared() -> None:
    rng = np.random.default_rng(8)
    shop = desk(rng, LIMITS, available_units=[5] * 12)
    slates = [replace(slate, live=(slate.bundles[0], None)) for slate in customers(rng, shop, 30)]
    coupled = couple(slates, shop, np.full(12, 5), PARAMS)
    told = [pair for slate in coupled.slates for pair in zip(slate.bundles, slate.is_kept, strict=bool(slate.bundles))]
    assert told == [(items, items in slate.live) for slate in coupled.slates for items in slate.bundles]
    assert {is_kept for _, is_kept in told} == {True, False}


def test_a_basket_so_far_counts_under_scarce_stock_too() -> None:
    rng = np.random.default_rng(9)
    shop = desk(rng, Limits(max_size=2), available_units=[3] * 12)
    basket = shop.shelf.basket(["p00", "p01"])
    shop = replace(shop, basket=basket, roles=shop.roles.closing(basket.is_inside))
    slates = customers(rng, shop, 30)
    coupled = couple(slates, shop, np.full(12, 3), PARAMS)
    assert (promised(coupled.slates, 12) <= 3).all() and (promised(coupled.slates, 12)[:2] == 0).all()
    assert coupled.value == pytest.approx(sum(one.objective for slate in coupled.slates for one in slate.solutions))
    assert 0.8 * coupled.upper_bound <= coupled.value <= coupled.upper_bound
    beside = sum(
        float(slate.problem(shop).product_values[list(items)].sum())  # type: ignore[index]
        for slate in coupled.slates
        for items in slate.bundles
    )
    assert beside > 0.5 * coupled.value, "the test needs a basket that matters"
