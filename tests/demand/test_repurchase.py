"""Whether something is bought again: described by hand, calibrated on a planted world, blind to what comes later."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.demand.repurchase import bought_again, describe_products, fit_repurchase

LAST = date(2024, 6, 30)


def baskets(*rows: tuple[str, int, list[str]]) -> pl.DataFrame:
    """Return baskets by customer, days before the morning after ``LAST``, and products."""
    data = [(who, LAST + timedelta(days=1 - ago), products) for who, ago, products in rows]
    schema = {"customer_id": pl.String, "basket_on": pl.Date, "product_ids": pl.List(pl.String)}
    return pl.DataFrame(data, schema, orient="row")


def world(seed: int) -> pl.DataFrame:
    """Return a hundred customers who buy each of twenty products at rates of their own, for 200 days."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(100):
        rate = rng.gamma(0.5, 0.12, 20).clip(0, 0.9)
        for ago in np.flatnonzero(rng.random(215) < 0.4):
            held = np.flatnonzero(rng.random(20) < rate)
            if len(held):
                rows.append((f"c{number:02d}", int(ago) - 14, [f"p{k:02d}" for k in held]))
    return baskets(*rows)


def test_what_is_described_is_what_happened_before_the_morning() -> None:
    sold = baskets(("ann", 31, ["jam", "tea"]), ("ann", 21, ["jam"]), ("ann", 1, ["jam", "tea"]), ("ann", -2, ["jam"]))
    (row,) = describe_products(sold, LAST).iter_rows(named=True)
    assert (row["product_id"], row["baskets"], row["mean_gap_days"]) == ("jam", 3, 15.0), "tea has one gap only"
    assert (row["days_since_last"], row["days_since_first"], row["last_on"]) == (1, 31, LAST)
    assert (row["visits"], row["days_since_visit"]) == (3, 1)
    assert row["decayed_30"] == pytest.approx(sum(np.exp(-day / 30) for day in (31, 21, 1)))
    assert bought_again(sold, describe_products(sold, LAST), LAST).tolist() == [1.0]


def test_what_comes_later_changes_nothing() -> None:
    sold = world(1)
    before = sold.filter(pl.col("basket_on") <= LAST)
    assert before.height < sold.height
    assert describe_products(sold, LAST).equals(describe_products(before, LAST))
    one, other = fit_repurchase(sold, LAST), fit_repurchase(before, LAST)
    assert one is not None and other is not None
    assert np.array_equal(one.weights, other.weights)


def test_the_probability_is_calibrated_and_ranks_better_than_counts() -> None:
    sold = world(2)
    model = fit_repurchase(sold, LAST)
    assert model is not None
    described = describe_products(sold, LAST)
    probability, came = model.probability(described), bought_again(sold, described, LAST)
    assert probability.mean() == pytest.approx(came.mean(), abs=0.05)
    high = probability > np.median(probability)
    assert came[high].mean() > came[~high].mean() + 0.15


def test_too_little_teaches_nothing() -> None:
    assert fit_repurchase(baskets(("ann", 31, ["jam"]), ("ann", 21, ["jam"]), ("ann", 1, ["jam"])), LAST) is None
    assert fit_repurchase(baskets(), LAST) is None
