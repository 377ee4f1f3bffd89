"""Promotions and reviews, worked out by hand; what a day does not know yet changes nothing."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.preference.history import days
from ml.preference.offers import PROMOTION_FEATURES, RATING_FEATURES, Offers

CUT = date(2017, 6, 5)
AT = int(days(pl.Series([CUT]))[0])


def promoted(*promotions: tuple[str, int, int, float]) -> pl.DataFrame:
    """Return product 0 with promotions of a kind, from and to days after the cut, of a size; product 1 without."""
    kinds, starts, ends, sizes = (list(values) for values in zip(*promotions, strict=True))
    return pl.DataFrame(
        {
            "promotion_kinds": [kinds, None],
            "promotion_starts_on": [[CUT + timedelta(days=day) for day in starts], None],
            "promotion_ends_on": [[CUT + timedelta(days=day) for day in ends], None],
            "promotion_sizes": [sizes, None],
        }
    )


def of(catalogue: pl.DataFrame) -> list[dict[str, float]]:
    matrix = Offers.of(catalogue).promotions_at(AT, 2)
    return [dict(zip(PROMOTION_FEATURES, row, strict=True)) for row in matrix.tolist()]


def test_now_last_week_and_usually() -> None:
    milk, jam = of(promoted(("display", -10, 0, 40.0), ("mailer", -14, -8, 13.0), ("discount", -7, -7, 0.25)))
    assert milk["display_now"] == milk["display_last_week"] == 40
    assert milk["display_usually"] == pytest.approx(40 * 10 / 91)
    assert (milk["mailer_now"], milk["mailer_last_week"]) == (0, 0)  # it ended the day before those seven began
    assert milk["mailer_usually"] == pytest.approx(13 * 7 / 91)
    assert (milk["discount_now"], milk["discount_last_week"]) == (0, 0.25)
    assert set(jam.values()) == {0}


def test_of_several_promotions_the_largest_counts() -> None:
    assert of(promoted(("display", -1, 5, 3.0), ("display", 0, 5, 8.0), ("display", 0, 9, 2.0)))[0]["display_now"] == 8


def test_what_starts_after_the_cut_and_what_is_older_than_the_window_is_not_looked_at() -> None:
    assert set(of(promoted(("display", 1, 7, 50.0), ("mailer", -200, -92, 9.0)))[0].values()) == {0}


def test_unknown_kinds_are_passed_over() -> None:
    assert set(of(promoted(("skywriting", -1, 1, 50.0), ("display", 1, 1, 1.0)))[0].values()) == {0}


def test_reviews_count_from_the_day_after_and_a_few_say_little() -> None:
    """Three reviews of 12 stars, all of the shop: its mean is 4, so is theirs and that of a product without any."""
    written = [CUT - timedelta(days=9), CUT - timedelta(days=1), CUT]
    catalogue = pl.DataFrame(
        {"reviewed_on": [written, None], "review_counts": [[2, 1, 1], None], "review_stars": [[9, 3, 1], None]}
    )
    milk, jam = (dict(zip(RATING_FEATURES, row, strict=True)) for row in Offers.of(catalogue).ratings_at(AT, 2))
    assert milk == {"rating_mean": 4, "rating_count": 3}
    assert jam == {"rating_mean": 4, "rating_count": 0}


def test_the_mean_of_a_product_moves_from_that_of_the_shop_as_reviews_come_in() -> None:
    """Ten of 3 stars and thirty of 5 are 4.5 in the mean: (30 + 45) / 20 and (150 + 45) / 40."""
    yesterday = [CUT - timedelta(days=1)]
    catalogue = pl.DataFrame(
        {"reviewed_on": [yesterday] * 2, "review_counts": [[10], [30]], "review_stars": [[30], [150]]}
    )
    matrix = Offers.of(catalogue).ratings_at(AT, 2)
    assert matrix.tolist() == [[3.75, 10], [4.875, 30]]
    assert np.isnan(Offers.of(catalogue).ratings_at(AT - 1, 2)[:, 0]).all(), "nobody has written anything yet"


def test_a_shop_without_promotions_and_reviews_knows_nothing() -> None:
    offers = Offers.of(pl.DataFrame({"product_id": ["a", "b"]}))
    assert np.isnan(offers.promotions_at(AT, 2)).all() and np.isnan(offers.ratings_at(AT, 2)).all()
