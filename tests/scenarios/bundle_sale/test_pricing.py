"""What a discount brings, against a case worked out by hand, and the prices that may be asked."""

from dataclasses import replace
from math import e, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.demand.deal import Deal
from ml.demand.quantity import Quantity
from ml.scenarios.bundle_sale.pricing import MOST_PRICES, Demand, Parts, best_price, outcomes, price_grid
from ml.scenarios.bundle_sale.sets import mean_sets, sets_growth

CERTAIN = Parts(
    list_cents=np.array([200, 200]),
    cost_cents=np.array([80.0, 80.0]),
    floor_cents=np.array([0, 0]),
    missing_units=np.array([1000.0, 1000.0]),
    elasticity=np.array([-2.0, -2.0]),
    elasticity_error=np.zeros(2),
    diverted_share=np.zeros(2),
    diverted_error=np.zeros(2),
    rival_margin_cents=np.zeros(2),
    pulled_share=np.zeros(2),
    pulled_error=np.zeros(2),
    units_per_basket=np.ones(2),
    quantity=Quantity(0.0),
)
SURE = Demand(shape=1e9, mean=10.0, stock_units=np.inf)
"""Ten bundles without any sale, all but certain."""


def priced(parts: Parts, price: int, demand: Demand = SURE):  # type: ignore[no-untyped-def]
    (found,) = outcomes(parts, demand, np.array([price]), (1,))
    return found


def test_a_discount_is_worth_its_extra_units_less_what_it_gives_away() -> None:
    # 40 cents off: who lacks one part pays 160 instead of 200 for it, so (0.8 ** -2 - 1) x 10 = 5.625 more of each take
    # it, at 160 - 80 = 80 cents; ten pay 40 less.
    found = priced(CERTAIN, 360)
    assert found.units_at_list == pytest.approx(10, rel=1e-3)
    assert found.units == pytest.approx(10 + 2 * 5.625, rel=1e-3)
    assert found.margin_cents == pytest.approx(2 * 5.625 * 80 - 10 * 40, rel=1e-2)


def test_what_rivals_and_later_weeks_lose_is_subtracted() -> None:
    # Half of the extra units would have earned 60 with a rival, a quarter 120 later.
    parts = replace(
        CERTAIN,
        diverted_share=np.full(2, 0.5),
        rival_margin_cents=np.full(2, 60.0),
        pulled_share=np.full(2, 0.25),
    )
    found = priced(parts, 360)
    assert found.diverted_units == pytest.approx(5.625, rel=1e-2)
    assert found.pulled_units == pytest.approx(2.8125, rel=1e-2)
    assert found.margin_cents == pytest.approx(2 * 5.625 * (80 - 30 - 30) - 10 * 40, rel=1e-2)


def test_buyers_who_take_more_pay_the_list_price_for_what_is_no_whole_bundle() -> None:
    # All response is quantity, .75 felt as .5: each of the ten baskets holds 2 of each part, 1 + Poisson(1) of them.
    # Whole bundles a basket: P(both >= 1) + P(both >= 2) + ... = 1 + (1 - 1/e)^2 + (1 - 2/e)^2 + (1 - 2.5/e)^2 + ...
    deal = Deal(1.0, 0.5, 0.1)
    parts = replace(CERTAIN, elasticity=np.full(2, -1.0), quantity=Quantity(1.0, deal))
    sets = sum((1 - sum(1 / factorial(n) for n in range(j)) / e) ** 2 for j in range(1, 12))
    found = priced(parts, 300)
    assert found.units == pytest.approx(10 * (1 + sets), rel=1e-2)
    loose = 10 * 2 * (1 - sets)
    assert found.margin_cents == pytest.approx(10 * sets * (300 - 160) + loose * 120 - 10 * 100, rel=1e-2)


def test_a_deal_is_not_believed_below_the_smallest_discount_seen() -> None:
    parts = replace(CERTAIN, elasticity=np.full(2, -1.0), quantity=Quantity(1.0, Deal(1.0, 0.5, 0.1)))
    assert priced(parts, 364).units < 10.7
    assert priced(parts, 360).units == pytest.approx(priced(parts, 300).units, rel=1e-6)


def test_what_later_weeks_lose_is_first_of_all_what_buyers_took_more() -> None:
    usual = replace(CERTAIN, elasticity=np.full(2, -1.0), quantity=Quantity(1.0, Deal(1.0, 0.5, 0.1)))
    free, pulled = priced(usual, 300), priced(replace(usual, pulled_share=np.full(2, 0.25)), 300)
    # Twenty units more, a quarter of which would have earned 120 later.
    assert free.margin_cents - pulled.margin_cents == pytest.approx(20 * 0.25 * 120, rel=1e-2)


@given(
    st.lists(st.floats(1, 4), min_size=2, max_size=4),
    st.lists(st.floats(1, 4), min_size=1, max_size=3),
)
def test_whole_bundles_grow_with_units_and_are_those_of_drawn_baskets(units: list[float], ratios: list[float]) -> None:
    own, ratio = np.array(units), np.sort(np.array(ratios))
    growth = sets_growth(own, ratio, 4.0)
    assert (np.diff(growth) >= -1e-9).all() and growth[0] >= 1 - 1e-9
    assert mean_sets(own[None, :])[0] <= own.min() + 1e-9
    drawn = 1 + np.random.default_rng(0).poisson(own - 1, (20_000, len(own)))
    assert mean_sets(own[None, :])[0] == pytest.approx(drawn.min(axis=1).mean(), rel=0.03)


def test_no_more_take_a_part_than_lack_it() -> None:
    assert priced(replace(CERTAIN, missing_units=np.array([1.0, 2.0])), 300).units == pytest.approx(13, rel=1e-3)


def test_the_list_price_brings_nothing_and_gives_nothing_away() -> None:
    found = priced(CERTAIN, 400)
    assert (found.margin_cents, found.low, found.high, found.diverted_units) == (0, 0, 0, 0)
    assert found.units == found.units_at_list


def test_where_nobody_cares_for_prices_the_best_is_the_list_price() -> None:
    parts = replace(CERTAIN, elasticity=np.zeros(2))
    best = best_price(outcomes(parts, SURE, price_grid(parts, 0.3, 0.05), (1,)), np.inf)
    assert best is not None and best.price_cents == 400


def test_a_price_is_refused_where_stock_does_not_last() -> None:
    options = outcomes(CERTAIN, SURE, np.array([320, 360, 400]), (1,))
    assert best_price(options, 1e9).price_cents < 400  # type: ignore[union-attr]
    assert best_price(options, 12).price_cents == 400  # type: ignore[union-attr]
    assert best_price(options, 5) is None


def test_the_interval_comes_from_what_is_not_known() -> None:
    unsure = replace(CERTAIN, elasticity_error=np.full(2, 0.5))
    wide, narrow = priced(unsure, 360), priced(CERTAIN, 360)
    assert wide.high - wide.low > 10 * (narrow.high - narrow.low)
    assert wide.low <= wide.margin_cents <= wide.high
    assert priced(unsure, 360) == wide, "the draws are seeded"


@given(
    st.lists(st.tuples(st.integers(2, 9000), st.floats(0.1, 0.99), st.integers(0, 9000)), min_size=2, max_size=5),
    st.floats(0, 0.9),
    st.floats(0, 0.9),
)
def test_no_price_of_the_grid_breaks_a_floor(
    parts: list[tuple[int, float, int]], max_discount: float, min_margin: float
) -> None:
    full = np.array([price for price, _, _ in parts])
    own = replace(
        CERTAIN,
        list_cents=full,
        cost_cents=full * np.array([share for _, share, _ in parts]),
        floor_cents=np.array([floor for _, _, floor in parts]),
    )
    grid = price_grid(own, max_discount, min_margin)
    whole = full.sum()
    assert grid[-1] == whole and (np.diff(grid) > 0).all() and len(grid) <= MOST_PRICES + 1
    for price in grid[:-1]:
        assert price >= whole * (1 - max_discount) - 1e-3
        assert price - own.cost_cents.sum() >= min_margin * price - 1e-3
        assert (full * price / whole >= own.floor_cents - 1e-3).all()
        assert price >= len(parts)
