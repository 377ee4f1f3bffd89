"""What the shop showed of its products, and what people wrote of them: promotions by period, reviews by day.

A promotion counts from the morning of its first day: shelves are laid out and mailers printed before it. One that
starts later is not looked at, as the raw contract does not say since when it is announced. A review counts from the
day after it was written; which count at all is decided in dbt (``int_reviews_counted``). A shop that delivers no
promotions, or no reviews, has NaN in their features, not zero.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

KINDS = ("display", "mailer", "discount")
WEEK_DAYS, USUAL_DAYS = 7, 91
PROMOTION_FEATURES = tuple(f"{kind}_{when}" for kind in KINDS for when in ("now", "last_week", "usually"))
"""Size of the promotion in force on the morning of the cut, in the seven days before, and the mean of the 91 days
before; sizes are stores that take part (display, mailer) or the share of the price (discount)."""
RATING_FEATURES = ("rating_mean", "rating_count")

PROMOTIONS = ("promotion_kinds", "promotion_starts_on", "promotion_ends_on", "promotion_sizes")
PRIOR_REVIEWS = 10.0
"""Reviews of the shop's mean that every product is given: its own weigh as much once it has as many, so that a handful
of five stars makes no product the best of the shop."""
REVIEWS = ("reviewed_on", "review_counts", "review_stars")


@dataclass(frozen=True)
class Offers:
    """Promotions and reviews by product number.

    Attributes
    ----------
    promoted, kind, starts, ends, size
        (promotions,) product, place in ``KINDS``, first and last day since 1970, size.
    reviewed, review_day, reviews, stars
        (product-days with reviews,) product, day since 1970, number of reviews and sum of their stars.
    """

    promoted: Ints
    kind: Ints
    starts: Ints
    ends: Ints
    size: Floats
    reviewed: Ints
    review_day: Ints
    reviews: Ints
    stars: Ints

    @classmethod
    def of(cls, catalogue: pl.DataFrame) -> "Offers":
        """Read the list columns of ``features.ftr_products``, where they are; row k is product k."""
        promotions = _exploded(catalogue, PROMOTIONS).filter(pl.col("promotion_kinds").is_in(KINDS))
        reviews = _exploded(catalogue, REVIEWS)
        kinds = promotions["promotion_kinds"].replace_strict(KINDS, range(len(KINDS)), return_dtype=pl.Int64)
        return cls(
            promoted=_whole(promotions["product"]),
            kind=_whole(kinds),
            starts=_whole(promotions["promotion_starts_on"]),
            ends=_whole(promotions["promotion_ends_on"]),
            size=promotions["promotion_sizes"].cast(pl.Float64).to_numpy(),
            reviewed=_whole(reviews["product"]),
            review_day=_whole(reviews["reviewed_on"]),
            reviews=_whole(reviews["review_counts"]),
            stars=_whole(reviews["review_stars"]),
        )

    def promotions_at(self, cut: int, products: int) -> NDArray[np.float32]:
        """Return (products, ``PROMOTION_FEATURES``); of several promotions of a kind the largest counts."""
        if not self.promoted.size:
            return np.full((products, len(PROMOTION_FEATURES)), np.nan, np.float32)
        matrix = np.zeros((products, len(KINDS), 3))
        for column, (first, last) in enumerate(((cut, cut), (cut - WEEK_DAYS, cut - 1))):
            shown = (self.starts <= last) & (self.ends >= first)
            np.maximum.at(matrix[:, :, column], (self.promoted[shown], self.kind[shown]), self.size[shown])
        shown_days = np.minimum(self.ends, cut - 1) - np.maximum(self.starts, cut - USUAL_DAYS) + 1
        share = self.size * np.maximum(shown_days, 0) / USUAL_DAYS
        np.add.at(matrix[:, :, 2], (self.promoted, self.kind), share)
        return matrix.reshape(products, -1).astype(np.float32)

    def ratings_at(self, cut: int, products: int) -> NDArray[np.float32]:
        """Return (products, ``RATING_FEATURES``): mean stars shrunk to the mean of the shop, and number of reviews.

        Source
        ------
        The posterior mean under a prior worth so many observations: Gelman et al. (2013), Bayesian Data Analysis,
        3rd ed., section 2.5.
        """
        if not self.reviewed.size:
            return np.full((products, len(RATING_FEATURES)), np.nan, np.float32)
        seen = self.review_day < cut
        counts = np.bincount(self.reviewed[seen], self.reviews[seen], products)
        stars = np.bincount(self.reviewed[seen], self.stars[seen], products)
        usual = stars.sum() / counts.sum() if counts.sum() else np.nan
        means = (stars + PRIOR_REVIEWS * usual) / (counts + PRIOR_REVIEWS)
        return np.column_stack([means, counts]).astype(np.float32)


def _exploded(catalogue: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return one row an entry of the lists, with its product's number; none where a column is absent."""
    if not set(columns) <= set(catalogue.columns):
        return pl.DataFrame(schema={"product": pl.Int64} | dict.fromkeys(columns, pl.Null)).with_columns(
            pl.col(columns[0]).cast(pl.String)
        )
    return catalogue.select(*columns).with_row_index("product").explode(columns).drop_nulls()


def _whole(column: pl.Series) -> Ints:
    return column.to_physical().cast(pl.Int64).to_numpy()
