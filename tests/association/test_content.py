"""Titles and categories, against numbers worked by hand."""

import numpy as np
import polars as pl
import pytest

from ml.association import content
from ml.association.baskets import index_baskets
from ml.association.content import CategoryLift, category_levels, title_pieces, title_words


def likeness(rows: object) -> np.ndarray:
    return (rows @ rows.T).toarray()  # type: ignore[attr-defined,operator]


def test_titles_are_alike_by_the_words_they_share() -> None:
    found = likeness(title_words(pl.Series(["red mug", "red mug", "blue mug", "lamp", None])))
    assert found[0, 1] == pytest.approx(1.0)
    assert 0 < found[0, 2] < 1
    assert found[0, 3] == 0 and not found[4].any()


def test_pieces_see_that_a_plural_is_the_same_thing() -> None:
    titles = pl.Series(["batteries", "battery", "lamp"])
    assert likeness(title_words(titles))[0, 1] == 0
    assert likeness(title_pieces(titles))[0, 1] > 0.3


def test_paths_are_alike_from_the_top_down() -> None:
    found = likeness(category_levels(pl.Series(["A > B > C", "A > B > D", "A > E", "F > B > C", None])))
    assert found[0, 1] > found[0, 2] > 0
    assert found[0, 3] == 0 and not found[4].any()


def test_without_any_text_nothing_is_alike() -> None:
    nothing = pl.Series([None, None], dtype=pl.String)
    for vectors in (title_words, title_pieces, category_levels):
        assert likeness(vectors(nothing)).tolist() == [[0, 0], [0, 0]]


def test_category_lift_is_worked_by_hand_and_reaches_products_nobody_bought() -> None:
    held = [["c1", "l1"], ["c1", "l1"], ["c1", "m1"]]
    baskets = pl.DataFrame(
        {"customer_id": [None] * 3, "product_ids": held}, schema_overrides={"customer_id": pl.String}
    )
    names = ["c1", "l1", "l2", "m1", "x"]
    lift = CategoryLift(index_baskets(baskets, names), pl.Series(["cam", "lens", "lens", "mug", None]))
    # Of 6 ends of pairs 3 are cameras, 2 lenses, 1 mug: cameras meet lenses 2 times against 3 * 2 / 6 = 1 by chance.
    by_hand = [np.log(0.5 / 2.0), np.log(2.5 / 1.5), np.log(2.5 / 1.5), np.log(1.5 / 1.0), 0.0]
    assert lift.mean(np.array([0])) == pytest.approx(by_hand)


def test_paths_that_tell_too_many_apart_are_cut_higher(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [["a", "b"], ["a", "b"], ["c", "d"]]
    baskets = pl.DataFrame(
        {"customer_id": [None] * 3, "product_ids": held}, schema_overrides={"customer_id": pl.String}
    )
    paths, indexed = pl.Series(["X > 1", "X > 2", "Y > 3", "Y > 4"]), index_baskets(baskets)
    deep = CategoryLift(indexed, paths).mean(np.array([0]))
    assert deep[1] > deep[0] and deep[2] == deep[3]
    monkeypatch.setattr(content, "MOST_CATEGORIES", 2)
    assert len(set(CategoryLift(indexed, paths).mean(np.array([0]))[:2])) == 1
    monkeypatch.setattr(content, "MOST_CATEGORIES", 1)
    assert not CategoryLift(indexed, paths).mean(np.array([0])).any()
