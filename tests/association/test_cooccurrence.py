"""Lift, evidence, interval and the files of the association model."""

import json
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from ml.association.baskets import index_baskets
from ml.association.cooccurrence import (
    ARRAYS_FILE,
    FACTS_FILE,
    MOST_OF_ONE,
    Cooccurrence,
    CooccurrenceParams,
    fit_cooccurrence,
    load_cooccurrence,
)
from ml.errors import ConfigError, DataError


def fitted(rows: list[tuple[str | None, list[str]]], least: int = 1) -> Cooccurrence:
    schema = {"customer_id": pl.String, "product_ids": pl.List(pl.String)}
    return fit_cooccurrence(
        index_baskets(pl.DataFrame(rows, schema=schema, orient="row")), CooccurrenceParams(5.0, least)
    )


# Two customers: ann buys pasta with sauce each time and soap apart; bob buys only soap.
PANTRY = [("ann", ["pasta", "sauce"])] * 6 + [("ann", ["soap"])] * 6 + [("bob", ["soap", "tea"])] * 4


def test_lift_is_the_shrunk_ratio_of_count_to_expectation() -> None:
    model = fitted(PANTRY)
    row = model.frame().row(by_predicate=(pl.col("product_a") == "pasta"), named=True)
    expected = 6 * 6 * (6 * 2) / 18**2  # x_pasta x_sauce sum s(s-1) / (sum s)^2
    assert row["product_b"] == "sauce"
    assert row["pair_baskets"] == 6
    assert row["expected_baskets"] == pytest.approx(expected)
    assert row["lift"] == pytest.approx(6 / expected)
    assert row["association"] == pytest.approx((6 + 5) / (expected + 5))


def test_two_people_with_different_tastes_are_not_taken_for_an_association() -> None:
    """Each buys any three of four products: over the population their shelves look tied, within customers less so."""
    shelves = {"ann": "abcd", "bob": "wxyz"}
    rows = [(who, list(three)) for who, shelf in shelves.items() for three in combinations(shelf, 3)] * 15
    model = fitted(rows)
    expected = 45 * 45 * (60 * 6) / 180**2
    assert model.values("lift") == pytest.approx([(30 + 5) / (expected + 5)] * 12)
    assert model.values("population_lift") == pytest.approx([(30 + 5) / (45 * 45 / 120 + 5)] * 12)
    assert (model.values("lift") < model.values("population_lift")).all()


def test_a_pair_with_too_little_evidence_has_association_zero() -> None:
    rows = PANTRY + [(None, ["bread", "butter"])] * 6
    model = fitted(rows, least=5)
    assert set(model.frame()["product_a"]) == {"pasta"}, "soap with tea lies in four baskets only, butter in guests'"
    butter = model.frame("population_lift").row(by_predicate=(pl.col("product_a") == "bread"), named=True)
    assert butter["association"] > 1
    assert [butter[name] for name in ("pair_baskets", "lift", "lift_low", "lift_high")] == [0, 0, 0, 0]


def test_a_customer_who_outweighs_all_others_is_no_evidence_for_the_pair() -> None:
    """Others have pasta with sauce 6 times; a trader has it 31 times, and salt with tea as often as others."""
    others = [(f"c{number}", held) for number in range(6) for held in (["pasta", "sauce"], ["salt", "tea"])]
    bound = [("trader", ["pasta", "sauce"])] * MOST_OF_ONE + [("trader", ["salt", "tea"])] * 6
    within, beyond, alone = (fitted(others + more) for more in (bound, [("trader", ["pasta", "sauce"]), *bound], []))
    assert [model.outweighed_pairs for model in (within, beyond, alone)] == [0, 1, 0]
    assert within.pair_baskets.tolist() == [6 + MOST_OF_ONE, 12]
    assert beyond.pair_baskets.tolist() == [6, 12] and beyond.all_pair_baskets.tolist() == [7 + MOST_OF_ONE, 12]
    assert beyond.expected_baskets[0] == pytest.approx(alone.expected_baskets[0])
    assert load_cooccurrence(beyond.dump()).outweighed_pairs == 1


def test_orders_without_a_customer_count_for_the_population() -> None:
    alone, with_guests = fitted(PANTRY), fitted(PANTRY + [(None, ["pasta", "sauce"])] * 10)
    assert with_guests.baskets_total == alone.baskets_total + 10
    assert with_guests.all_pair_baskets[0] == 16 and with_guests.pair_baskets[0] == 6
    assert with_guests.values("lift")[0] == alone.values("lift")[0]


def test_cosine_is_that_of_the_basket_vectors() -> None:
    model = fitted([("ann", ["a", "b"]), ("ann", ["a"]), ("bob", ["a", "b", "c"]), ("bob", ["b"])])
    vectors = {"a": [1, 1, 1, 0], "b": [1, 0, 1, 1], "c": [0, 0, 1, 0]}
    for row, value in zip(model.frame().iter_rows(named=True), model.values("cosine"), strict=True):
        left, right = np.array(vectors[row["product_a"]]), np.array(vectors[row["product_b"]])
        assert value == pytest.approx(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def test_the_interval_holds_the_lift_and_narrows_with_evidence() -> None:
    people = [(f"{who} {copy}", held) for copy in range(50) for who, held in PANTRY]
    few, many = fitted(PANTRY), fitted(people)  # type: ignore[arg-type]
    for model in (few, many):
        lift, low, high = model.evidence()
        assert (low < lift).all() and (lift < high).all()
    spread = [np.log(high / low)[0] for _, low, high in (few.evidence(), many.evidence())]
    assert spread[1] < spread[0] / 3


def test_the_interval_of_ten_expected_and_found_is_the_tabulated_one() -> None:
    """Garwood's 95 % limits of a count of 10 are 4.795 and 18.39."""
    codes, ten = np.zeros(1, np.int32), np.array([10], np.int32)
    model = Cooccurrence(
        CooccurrenceParams(), ("a", "b"), 9, np.ones(2, np.int64), codes, codes + 1, ten, ten, np.array([10.0])
    )
    assert np.concatenate(model.evidence()) == pytest.approx([1.0, 0.4795, 1.839], abs=5e-4)


def test_the_files_give_the_same_model_and_hold_no_code() -> None:
    model = fitted(PANTRY)
    files = model.dump()
    assert set(files) == {ARRAYS_FILE, FACTS_FILE}
    assert json.loads(files[FACTS_FILE])["product_ids"] == list(model.product_ids)
    again = load_cooccurrence(files)
    assert again.frame().equals(model.frame())
    assert again.params == model.params
    assert (again.product_baskets == model.product_baskets).all()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=FACTS_FILE):
        load_cooccurrence({ARRAYS_FILE: b""})


def test_products_that_were_never_counted_have_code_minus_one() -> None:
    model = fitted(PANTRY)
    assert model.codes(pl.Series(["soap", "caviar"])).tolist() == [model.code["soap"], -1]


def test_a_shop_without_baskets_has_no_pairs() -> None:
    model = fitted([])
    assert model.frame().height == 0
    assert load_cooccurrence(model.dump()).frame().height == 0


@pytest.mark.parametrize("wrong", [{"shrinkage": 0.0}, {"min_pair_baskets": 0}])
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CooccurrenceParams(**wrong)  # type: ignore[arg-type]
