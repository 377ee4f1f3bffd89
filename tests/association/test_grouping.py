"""Groups of products that go together."""

import numpy as np
import polars as pl
import pytest

from ml.association.grouping import Likeness, grouped

CHAIN = np.array([[1, 0.8, 0.1, 0], [0.8, 1, 0.6, 0], [0.1, 0.6, 1, 0], [0, 0, 0, 1]])


def parts(method: str, least: float) -> list[list[int]]:
    return [group.tolist() for group in grouped(CHAIN, least, method)]  # type: ignore[arg-type]


def test_components_follow_a_chain_and_averages_do_not() -> None:
    assert parts("single", 0.5) == [[0, 1, 2]]
    # 2 meets the group of 0 and 1 by 0.35 on average.
    assert parts("average", 0.5) == [[0, 1]]
    assert parts("average", 0.3) == [[0, 1, 2]]


def test_where_no_two_are_alike_enough_all_stay_together() -> None:
    assert parts("single", 0.9) == [[0, 1, 2, 3]]
    assert [group.tolist() for group in grouped(np.ones((1, 1)), 0.5, "single")] == [[0]]


def test_likeness_is_the_mean_of_baskets_titles_and_paths() -> None:
    baskets = pl.DataFrame(
        {"customer_id": [None], "product_ids": [["a", "b"]]}, schema_overrides={"customer_id": pl.String}
    )
    products = pl.DataFrame(
        {"product_id": ["a", "b", "c"], "title": ["mug", "lamp", "mug"], "category_path": ["X", "Y", "X"]}
    )
    found = Likeness(baskets, products).among(np.arange(3))
    assert found[0, 1] == pytest.approx(1 / 4) and found[0, 2] == pytest.approx(3 / 4) and found[1, 2] == 0


def test_without_baskets_titles_and_paths_still_tell() -> None:
    nothing = pl.DataFrame(schema={"customer_id": pl.String, "product_ids": pl.List(pl.String)})
    products = pl.DataFrame({"product_id": ["a", "b"], "title": ["mug", "mug"], "category_path": [None, None]},
                            schema_overrides={"category_path": pl.String})  # fmt: skip
    assert Likeness(nothing, products).among(np.arange(2))[0, 1] == pytest.approx(2 / 4)
