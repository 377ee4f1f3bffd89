"""What bundles bring on top, worked by hand; which products complete a slow mover."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.scenarios.replenishment.known import induced_units, partners

CUSTOMERS = pl.DataFrame(
    {
        "customer_id": ["ann", "bob", "new"],
        "mean_gap_days": [4.0, None, None],
        "days_since_last": [2, 10, None],
    }
)


def induced(*bundles: tuple[str, str, float, dict[str, float]]) -> dict[str, float]:
    offers = pl.DataFrame(
        [row[:3] for row in bundles], schema=["bundle_id", "customer_id", "joint_probability"], orient="row"
    )
    items = [
        {"bundle_id": row[0], "product_id": product, "preference": p}
        for row in bundles
        for product, p in row[3].items()
    ]
    return dict(induced_units(offers, pl.DataFrame(items), CUSTOMERS).iter_rows())


def test_a_bundle_brings_what_would_not_have_been_bought_anyway() -> None:
    found = induced(("b1", "ann", 0.1, {"jam": 0.2, "tea": 0.5}), ("b2", "bob", 0.2, {"jam": 0.5, "rum": 1.0}))
    assert found == pytest.approx({"jam": 0.1 * 0.8 / 4 + 0.2 * 0.5 / 10, "tea": 0.1 * 0.5 / 4})


def test_a_customer_counts_once_a_product_and_not_without_a_basket() -> None:
    found = induced(
        ("b1", "ann", 0.1, {"jam": 0.2}), ("b2", "ann", 0.3, {"jam": 0.2}), ("b3", "new", 0.9, {"jam": 0.1})
    )
    assert found == pytest.approx({"jam": 0.3 * 0.8 / 4})


@given(joint=st.floats(0, 1), preference=st.floats(0, 1))
def test_never_more_than_the_customer_would_not_buy_anyway(joint: float, preference: float) -> None:
    units = induced(("b", "ann", joint, {"jam": preference})).get("jam", 0.0)
    assert 0 <= units <= (1 - preference) / 4 + 1e-12


def test_complements_are_told_or_bought_together_beyond_chance() -> None:
    names = ("told", "often", "maybe", "rival")
    pairs = pl.DataFrame(
        {
            "product_a": ["jam"] * 4,
            "product_b": names,
            "pair_baskets": [30, 30, 30, 30],
            "expected_baskets": [10.0, 20.0, 29.0, 10.0],
            "lift_low": [0.9, 1.2, 0.8, 2.0],
            "association": [2.0, 3.0, 1.0, 4.0],
            "relation": ["complement", "undecided", "undecided", "substitute"],
        }
    )
    products = pl.DataFrame({"product_id": ["jam", *names], "baskets": [50, 100, 200, 100, 100]})
    found = partners(pairs, products)
    assert found.filter(pl.col("product_id") == "jam").select("partner_id", "extra_share").rows() == [
        ("often", 0.05),
        ("told", 0.2),
    ]
    assert found.filter(pl.col("product_id") == "told").select("partner_id", "extra_share").rows() == [("jam", 0.4)]
