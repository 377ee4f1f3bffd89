"""A discount is split exact to the cent, and returns refund what was paid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.errors import DataError
from ml.scenarios.bundle_sale.splitting import refund, split_discount

LISTS = st.lists(st.one_of(st.integers(1, 50_000), st.integers(95, 105)), min_size=1, max_size=8)
"""Any prices, and prices so close that a cent decides which is the dearer."""


@st.composite
def bundles(draw: st.DrawFn) -> tuple[list[int], int]:
    prices = draw(LISTS)
    return prices, draw(st.integers(len(prices), sum(prices)))


def test_a_third_off_three_products_is_worked_out_by_hand() -> None:
    # Shares of 200 cents: 66.67, 66.67, 66.67: the first two get the cents that are left.
    assert split_discount([100, 100, 100], 200) == [67, 67, 66]
    # 40.5, 121.5, 108: one cent is left, and the earlier of equal remainders gets it.
    assert split_discount([45, 135, 120], 270) == [41, 121, 108]
    # 75.12 and 75.88: the larger remainder gets it.
    assert split_discount([100, 101], 151) == [75, 76]


def test_a_share_below_a_cent_is_a_cent() -> None:
    assert split_discount([1, 1000], 501) == [1, 500]


@given(bundles())
def test_the_sum_is_the_price_and_each_part_lies_within_its_bounds(bundle: tuple[list[int], int]) -> None:
    prices, price = bundle
    paid = split_discount(prices, price)
    assert sum(paid) == price
    assert all(1 <= part <= full for part, full in zip(paid, prices, strict=True))


@given(bundles())
def test_a_dearer_product_never_costs_less_than_a_cheaper_one(
    bundle: tuple[list[int], int],
) -> None:
    prices, price = bundle
    paid = dict(enumerate(split_discount(prices, price)))
    for a, full in enumerate(prices):
        for b, other in enumerate(prices):
            if full > other:
                assert paid[a] >= paid[b]


@given(bundles())
def test_each_part_is_within_a_cent_of_its_share_where_no_share_is_below_one(bundle: tuple[list[int], int]) -> None:
    prices, price = bundle
    shares = [full * price / sum(prices) for full in prices]
    if min(shares) >= 1:
        assert all(abs(part - share) < 1 for part, share in zip(split_discount(prices, price), shares, strict=True))


@given(bundles())
def test_the_same_bundle_is_always_split_alike(bundle: tuple[list[int], int]) -> None:
    assert split_discount(*bundle) == split_discount(*bundle)


@given(bundles(), st.randoms(use_true_random=False))
def test_any_sequence_of_returns_refunds_what_was_paid_and_in_the_end_the_bundle_price(
    bundle: tuple[list[int], int], draw: st.DrawFn
) -> None:
    prices, price = bundle
    paid = split_discount(prices, price)
    order = list(range(len(paid)))
    draw.shuffle(order)  # type: ignore[attr-defined]
    back = 0
    for place, returned in enumerate(order):
        part = refund(paid, returned, order[:place])
        assert part == paid[returned]
        back += part
        assert back <= price
    assert back == price


def test_nothing_is_refunded_twice_or_for_nothing() -> None:
    with pytest.raises(DataError, match="came back before"):
        refund([60, 40], 1, [1])
    with pytest.raises(DataError, match="the bundle has 2"):
        refund([60, 40], 2)


@pytest.mark.parametrize(("prices", "price"), [([], 0), ([0, 5], 4), ([5, 5], 1), ([5, 5], 11)])
def test_impossible_prices_are_refused(prices: list[int], price: int) -> None:
    with pytest.raises(DataError):
        split_discount(prices, price)
