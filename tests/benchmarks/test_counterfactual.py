"""Customers played with and without a promotion: worlds differ by it alone."""

from datetime import timedelta

import numpy as np
import pytest

from benchmarks.counterfactual import AlignedShoppers, PromotedMarket, continued, lived
from ml.sources.simulated_shop import FIRST_AS_OF, SimulatedShop, Size
from ml.sources.simulated_shop.market import Market
from ml.sources.simulated_shop.shopping import Shoppers

FIRST = FIRST_AS_OF + timedelta(days=1)
TRUTH = SimulatedShop(Size(120, 20, 60), 5).truth
MARKET = Market(TRUTH)


@pytest.fixture(scope="module")
def shoppers() -> Shoppers:
    return lived(TRUTH, MARKET, FIRST_AS_OF)


def promoted(share: float) -> PromotedMarket:
    off = np.where(np.arange(len(TRUTH.need_of)) < 3, share, 0.0)
    return PromotedMarket(TRUTH, off, FIRST + timedelta(days=7), FIRST + timedelta(days=13))


def test_a_promotion_of_nothing_changes_nothing(shoppers: Shoppers) -> None:
    none = np.zeros(len(TRUTH.need_of), np.bool_)
    usual, same = (continued(shoppers, market, FIRST, 21, 0, none) for market in (MARKET, promoted(0.0)))
    assert usual.margin_cents.tolist() == same.margin_cents.tolist() and usual.margin_cents.sum() > 0
    assert continued(shoppers, MARKET, FIRST, 21, 1, none).margin_cents.tolist() != usual.margin_cents.tolist()


def test_days_before_a_promotion_are_as_they_were_and_its_own_are_not(shoppers: Shoppers) -> None:
    is_ours = np.arange(len(TRUTH.need_of)) < 3
    usual, cheap = (continued(shoppers, market, FIRST, 21, 0, is_ours) for market in (MARKET, promoted(0.3)))
    assert usual.margin_cents[:7].tolist() == cheap.margin_cents[:7].tolist()
    assert (usual.margin_cents[7:14] != cheap.margin_cents[7:14]).all()
    assert cheap.discount_cents[7:14].sum() > usual.discount_cents[7:14].sum()


def test_more_of_what_is_cheaper_is_sold(shoppers: Shoppers) -> None:
    def sold(market: Market) -> int:
        world = AlignedShoppers(shoppers, market, 0)
        days = [world.day(FIRST + timedelta(days=n)) for n in range(14)]
        return int(sum(one.units[one.product < 3].sum() for one in days[7:]))

    assert sold(promoted(0.3)) > 1.2 * sold(MARKET)


def test_who_is_continued_stays_as_they_were(shoppers: Shoppers) -> None:
    before = shoppers._lasts_until.copy()
    continued(shoppers, MARKET, FIRST, 7, 0, np.zeros(len(TRUTH.need_of), np.bool_))
    assert np.array_equal(before, shoppers._lasts_until)
