"""Elasticities against planted ones, and what they rest on."""

import numpy as np
import polars as pl
import pytest

from ml.demand.price_response import MOST_UNITS_RATIO, elasticities, units_ratio
from ml.demand.shrinkage import below_zero, shrink
from tests.demand.shop import THROUGH, catalogue, planted


def test_planted_elasticities_lie_in_their_intervals_and_keep_their_order() -> None:
    truth = {f"p{n:02d}": -0.5 - 0.15 * n for n in range(20)}
    found = elasticities(planted(truth), catalogue(*truth), THROUGH)
    asked = np.array([truth[product] for product in found["product_id"]])
    is_inside = (found["low"].to_numpy() <= asked) & (asked <= found["high"].to_numpy())
    assert is_inside.mean() >= 0.85
    assert np.corrcoef(found["elasticity"].to_numpy(), asked)[0, 1] > 0.9
    assert set(found["level"]) == {"product"}


def test_a_display_is_not_read_as_a_price() -> None:
    truth = {f"p{n:02d}": -1.0 for n in range(12)}
    shown = planted(truth, shown=0.7)
    with_control = elasticities(shown, catalogue(*truth), THROUGH)["elasticity"].mean()
    without = elasticities(shown.with_columns(is_promoted=pl.lit(False)), catalogue(*truth), THROUGH)
    assert abs(with_control + 1.0) < 0.2  # type: ignore[operator]
    assert without["elasticity"].mean() < -1.5  # type: ignore[operator]


def test_a_thin_product_is_drawn_to_its_category_and_a_silent_one_gets_it_whole() -> None:
    strong, weak = {f"a{n}": -3.0 for n in range(8)}, {f"b{n}": -0.6 for n in range(8)}
    days = pl.concat([planted(strong | weak, mean=60.0), planted({"a-thin": -3.0}, mean=0.4)])
    products = pl.concat([catalogue(*strong, "a-thin", "a-silent"), catalogue(*weak, category="JAM")])
    found = elasticities(days, products, THROUGH)
    by_product = {row["product_id"]: row for row in found.iter_rows(named=True)}
    assert by_product["a-silent"]["level"] == by_product["a-thin"]["level"] == "category"
    assert by_product["a-silent"]["weeks"] == 0 and by_product["a-silent"]["own_estimate"] is None
    assert abs(by_product["a-thin"]["elasticity"] + 3.0) < 0.6
    assert by_product["b0"]["elasticity"] > -1.2


def test_weeks_without_a_sale_count() -> None:
    """Sold only when cheap: weeks at the full price are all zero, and would not be seen without them."""
    truth = {f"p{n}": -6.0 for n in range(10)}
    found = elasticities(planted(truth, mean=0.3, weeks=100), catalogue(*truth), THROUGH)
    assert found["elasticity"].mean() < -2.0  # type: ignore[operator]


def test_without_any_change_of_price_there_is_no_estimate() -> None:
    days = planted({"p": -2.0}).with_columns(revenue_cents=pl.col("units") * 200, discount_cents=pl.lit(0))
    assert elasticities(days, catalogue("p"), THROUGH).is_empty()
    assert elasticities(days.clear(), catalogue("p"), THROUGH).is_empty()


def test_later_days_change_nothing() -> None:
    truth = {"p": -2.0, "q": -1.0}
    early = THROUGH.replace(month=9)
    days = planted(truth)
    assert elasticities(days, catalogue(*truth), early).equals(
        elasticities(days.filter(pl.col("sold_on") <= early), catalogue(*truth), early)
    )


def test_every_number_is_finite_and_ordered_and_never_above_zero() -> None:
    truth = {f"p{n}": value for n, value in enumerate([-8.0, -1.0, 0.0, 2.5, 4.0])}
    found = elasticities(planted(truth), catalogue(*truth), THROUGH)
    low, middle, high = (found[name].to_numpy() for name in ("low", "elasticity", "high"))
    assert np.isfinite([low, middle, high]).all()
    assert (low <= middle).all() and (middle <= high).all() and (high <= 0).all()


def test_values_far_above_zero_are_still_numbers() -> None:
    found = below_zero(np.array([9.0, 0.0, -9.0]), np.array([0.1, 1.0, 0.1]))
    assert np.isfinite(found).all() and (np.array(found) <= 0).all()
    assert found[0][2] == pytest.approx(-9.0)


def test_a_unit_without_an_estimate_gets_its_groups_mean() -> None:
    estimate, variance = np.array([-2.0, -2.2, 0.0, -1.0]), np.array([0.01, 0.01, np.inf, 0.01])
    found = shrink(estimate, variance, np.array([0, 0, 0, 1]))
    assert found.own_weight[2] == 0.0
    assert found.mean[2] == pytest.approx(-2.0, abs=0.2)
    assert found.spread[2] > found.spread[0]


@pytest.mark.parametrize(("elasticity", "ratio", "units"), [(-2.0, 0.5, 4.0), (-1.0, 0.8, 1.25), (0.0, 0.3, 1.0)])
def test_units_follow_the_price_by_its_power(elasticity: float, ratio: float, units: float) -> None:
    assert units_ratio(elasticity, ratio) == pytest.approx(units)


def test_units_are_capped_either_way() -> None:
    assert units_ratio(-9.0, 0.5) == MOST_UNITS_RATIO
    assert units_ratio(-9.0, 2.0) == 1 / MOST_UNITS_RATIO
