"""What a discount takes from like products and later weeks, and gives to complements, in worlds worked out by hand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.demand.side_effects import Share, SideEffects, side_effects

MONDAY = date(2024, 1, 1)
WEEKS = 40
EVERY = 8
"""The product is discounted every eighth week, so that four usual weeks follow each discount and its dip."""
NONE = pl.DataFrame(schema={"product_id": pl.String, "complement_id": pl.String, "added_units": pl.Float64})
PRODUCTS = pl.DataFrame(
    {"product_id": ["cola", "lemonade", "bread", "crisps"], "category": ["SODA", "SODA", "BREAD", "SNACKS"]}
)
ALONG = pl.DataFrame({"product_id": ["cola"], "complement_id": ["crisps"], "added_units": [0.5]})


def sold(units: dict[str, np.ndarray], discounted: dict[str, np.ndarray]) -> pl.DataFrame:
    """Return one day of sales a week and product, at 100 cents, a fifth off in discounted weeks."""
    frames = [
        pl.DataFrame({"sold_on": [MONDAY + timedelta(days=7 * n) for n in range(WEEKS)], "units": count.astype(int)})
        .with_columns(product_id=pl.lit(name), price_cents=pl.lit(100), is_promoted=pl.lit(False))
        .with_columns(discount_cents=pl.Series(discounted.get(name, np.zeros(WEEKS, np.int64))) * 20 * pl.col("units"))
        .with_columns(revenue_cents=pl.col("units") * 100 - pl.col("discount_cents"))
        for name, count in units.items()
    ]
    return pl.concat(frames)


def world(taken: int, pulled: int, halo: int) -> pl.DataFrame:
    """Return a world in which a discount on cola sells 100 more, as many less of lemonade, less later, more crisps."""
    is_on = np.arange(WEEKS) % EVERY == 2
    after = np.roll(is_on, 1)
    units = {
        "cola": 200 + 100 * is_on - pulled * after,
        "lemonade": 300 - taken * is_on,
        "crisps": 150 + halo * is_on,
        # Beside so little, crisps of a promotion would move what all is measured by; beside much bread they do not.
        "bread": np.full(WEEKS, 100_000 if halo else 1_000),
    }
    return sold(units, {"cola": is_on.astype(int)})


def found(taken: int, pulled: int, halo: int) -> SideEffects:
    effects = side_effects(world(taken, pulled, halo), PRODUCTS, ALONG, MONDAY + timedelta(days=7 * WEEKS - 1), 4)
    assert effects is not None
    return effects


def test_nothing_beside_a_discount_is_found_where_there_is_nothing() -> None:
    effects = found(0, 0, 0)
    for share in (effects.taken, effects.pulled, effects.halo):
        assert share.value == pytest.approx(0, abs=0.01)
    assert effects.weeks == WEEKS // EVERY


def test_units_taken_from_like_products_are_found() -> None:
    assert found(40, 0, 0).taken.value == pytest.approx(0.4, abs=0.01)


def test_units_that_later_weeks_lack_are_found() -> None:
    assert found(0, 30, 0).pulled.value == pytest.approx(0.3, abs=0.01)
    assert found(40, 30, 0).pulled.value == pytest.approx(0.3, abs=0.01)


def test_the_share_of_the_promised_halo_that_comes_is_found() -> None:
    assert found(0, 0, 25).halo.value == pytest.approx(0.5, abs=0.01), (
        "association promises half a unit, a quarter comes"
    )


def test_what_sells_more_does_not_look_like_less_of_everything_else() -> None:
    # Without the product's own category taken out of the shop's level, crisps would seem to fall.
    assert found(40, 0, 0).halo.value == pytest.approx(0, abs=0.01)


def test_too_few_discounts_tell_nothing() -> None:
    usual = sold({name: np.full(WEEKS, 50) for name in ("cola", "lemonade", "bread")}, {})
    through = MONDAY + timedelta(days=7 * WEEKS - 1)
    assert side_effects(usual, PRODUCTS, NONE, through) is None
    assert side_effects(world(0, 0, 0), PRODUCTS, NONE, through, 20) is None
    assert side_effects(usual.clear(), PRODUCTS, NONE, through) is None


def test_nothing_after_the_cut_is_looked_at() -> None:
    cut = MONDAY + timedelta(days=7 * 20 - 1)
    whole = world(40, 0, 0)
    known = side_effects(whole.filter(pl.col("sold_on") <= cut), PRODUCTS, ALONG, cut, 2)
    assert side_effects(whole, PRODUCTS, ALONG, cut, 2) == known is not None


def test_a_share_is_bounded_and_drawn_to_nothing_by_chance() -> None:
    assert (Share(-0.3, 0.1).bounded(), Share(1.4, 0.1).bounded()) == (0.0, 1.0)
    assert Share(0.5, 0.0).shrunk() == 0.5
    assert Share(0.5, 0.25).shrunk() == pytest.approx(0.5 * 0.75)
    assert Share(0.5, 0.6).shrunk() == 0.0
    assert Share(0.0, 0.0).shrunk() == 0.0


def test_no_more_is_taken_and_pulled_than_was_sold_more() -> None:
    believed = SideEffects(Share(0.7, 0.1), Share(0.6, 0.1), Share(0.5, 0.25), 9).believed()
    assert believed == pytest.approx((0.7, 0.3, 0.375))


def test_like_products_that_are_discounted_in_the_same_weeks_are_not_taken_for_what_one_does_to_the_other() -> None:
    is_on = (np.arange(WEEKS) % EVERY == 2).astype(int)
    other = ((np.arange(WEEKS) % EVERY == 2) & (np.arange(WEEKS) % (2 * EVERY) == 2)).astype(int)
    units = {
        "cola": 200 + 100 * is_on,
        "lemonade": 300 - 40 * is_on + 200 * other,
        "bread": np.full(WEEKS, 100_000),
    }
    effects = side_effects(
        sold(units, {"cola": is_on, "lemonade": other}), PRODUCTS, NONE, MONDAY + timedelta(days=7 * WEEKS - 1), 4
    )
    # Of lemonade's discounts nothing is seen, as cola is discounted then; of cola's, those without lemonade's are.
    assert effects is not None and effects.taken.value == pytest.approx(0.4, abs=0.02)
