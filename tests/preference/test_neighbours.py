"""Neighbours of products and of customers, against numbers worked by hand."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from ml.errors import ConfigError
from ml.preference.neighbours import ItemCosine, TifuKnn, TifuKnnParams
from tests.preference.conftest import basket, catalogue, everything

CUT = date(2020, 2, 1)


def scores(model: ItemCosine | TifuKnn, baskets: pl.DataFrame, customer: str, names: str) -> np.ndarray:
    asked = everything([customer], list(names), CUT)
    return model.fit(baskets, catalogue(*names), asked).score(baskets, catalogue(*names), asked)


def test_item_cosine_sums_over_the_customers_products_and_leaves_out_the_product_itself() -> None:
    days = [date(2020, 1, day) for day in range(1, 5)]
    baskets = pl.DataFrame([
        basket("x", days[0], ["a"]), basket("x", days[1], ["a", "b"]),
        basket(None, days[2], ["a", "c"]), basket(None, days[3], ["b", "c"]),
    ])  # fmt: skip
    # a lies in 3 baskets, b and c in 2; x holds a in 2 of 2 and b in 1 of 2.
    ab, bc = 1 / np.sqrt(6), 1 / 2
    summed = np.array([ab / 2, ab, ab + bc / 2])
    assert scores(ItemCosine(), baskets, "x", "abc") == pytest.approx(summed / (1 + summed))


def test_tifu_cuts_the_past_into_groups_that_end_with_the_last_basket() -> None:
    model = TifuKnn(TifuKnnParams(1, 2, 0.5, 0.1, 1.0))
    baskets = pl.DataFrame([basket("x", date(2020, 1, day), [name]) for day, name in enumerate("abc", start=1)])
    # Three baskets in two groups of at most two: (a), (b c). b is one step back in the newer group of two.
    assert scores(model, baskets, "x", "abc") == pytest.approx([0.1 / 2, 0.5 / 2 / 2, 1 / 2 / 2])


def test_tifu_asks_the_nearest_customer() -> None:
    model = TifuKnn(TifuKnnParams(1, 1, 1.0, 1.0, 0.25))
    day = date(2020, 1, 1)
    baskets = pl.DataFrame([basket("x", day, ["a"]), basket("far", day, ["c", "d"]), basket("near", day, ["a", "b"])])
    assert scores(model, baskets, "x", "abcd") == pytest.approx([1.0, 0.75, 0.0, 0.0])


@pytest.mark.parametrize("wrong", [{"neighbours": 0}, {"groups": 0}, {"own_share": 1.5}, {"basket_decay": -0.1}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="tifu_knn"):
        TifuKnnParams(**wrong)  # type: ignore[arg-type]
