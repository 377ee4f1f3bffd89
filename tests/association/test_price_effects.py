"""Demand that follows the other's price is found, what moves for other reasons is not taken for it."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.association.price_effects import LEAST_WEEKS, cross_effects

FIRST = date(2024, 1, 1)
NAMES = ("cola", "cups", "lemonade", "water")


def sales(weeks: int, seed: int = 1) -> pl.DataFrame:
    """Return a line a basket: cola is dear in some weeks, then lemonade sells more and cups less; water just sells."""
    rng = np.random.default_rng(seed)
    rows = []
    for week in range(weeks):
        is_dear = rng.random() < 0.4
        price = {"cola": 150 if is_dear else 100, "lemonade": int(rng.choice([90, 110])), "cups": 50, "water": 30}
        rate = {"cola": 20, "lemonade": 40 if is_dear else 20, "cups": 15 if is_dear else 30, "water": 25}
        for name in NAMES:
            for _ in range(rng.poisson(rate[name])):
                rows.append((FIRST + timedelta(days=7 * week + int(rng.integers(7))), [name], [2], [2 * price[name]]))
    return pl.DataFrame(rows, schema=["basket_on", "product_ids", "quantities", "paid_cents"], orient="row")


def effects(baskets: pl.DataFrame, *pairs: tuple[str, str]) -> list[float]:
    first, second = (np.array([NAMES.index(pair[side]) for pair in pairs], np.int32) for side in (0, 1))
    return cross_effects(baskets, NAMES, first, second).tolist()


def test_who_sells_more_while_the_other_is_dear_stands_in_for_it() -> None:
    found = effects(sales(60), ("cola", "lemonade"), ("cola", "cups"), ("cola", "water"), ("cups", "water"))
    assert found[0] > 3 and found[1] < -3
    assert abs(found[2]) < 2.5
    assert found[3] == 0, "neither price ever moved"


def test_the_order_of_a_pair_does_not_matter() -> None:
    baskets = sales(30)
    assert effects(baskets, ("cola", "lemonade")) == pytest.approx(effects(baskets, ("lemonade", "cola")))


def test_of_unrelated_products_it_is_spread_around_zero() -> None:
    rng = np.random.default_rng(2)
    names = tuple(f"p{number:02d}" for number in range(40))
    days = [FIRST + timedelta(days=7 * week) for week in range(60) for _ in names]
    baskets = pl.DataFrame({"basket_on": days, "product_ids": [[name] for _ in range(60) for name in names]})
    baskets = baskets.with_columns(
        quantities=pl.lit([1], pl.List(pl.Int64)),
        paid_cents=pl.Series([[int(price)] for price in rng.choice([80, 100], len(days))]),
    )
    baskets = pl.concat([baskets, baskets.filter(pl.Series(rng.random(len(days)) < 0.5))])
    first, second = np.triu_indices(len(names), 1)
    found = cross_effects(baskets, names, first.astype(np.int32), second.astype(np.int32))
    assert found.mean() == pytest.approx(0, abs=0.1)
    assert 0.9 < found.std() < 1.35, "changes of a series without memory hang together by -1/2: sqrt(3/2) = 1.22"


def test_too_few_weeks_say_nothing() -> None:
    assert effects(sales(LEAST_WEEKS - 1), ("cola", "lemonade")) == [0.0]
    assert effects(sales(LEAST_WEEKS).clear(), ("cola", "lemonade")) == [0.0]
