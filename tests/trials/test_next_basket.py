"""Next basket: all products are ranked for each customer's last basket, from what was known before."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml.errors import DataError
from ml.preference.load import DEEP
from ml.trials.next_basket import MODELS, compare, run
from ml.trials.outcome import Wishes
from tests.trials.folders import SETTINGS, read, write_catalogue, write_habits, write_orders

ORDERS = [
    ("x", "2020-01-01", "ab"),
    ("x", "2020-01-02", "a"),
    ("y", "2020-01-02", "c"),
    ("y", "2020-01-03", "cd"),
    ("x", "2020-01-05", "ae"),
    ("y", "2020-01-05", "d"),
    ("new", "2020-01-06", "f"),
]
CUT = date(2020, 1, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_catalogue(tmp_path, "abcdefghijklmnop")
    write_orders(tmp_path, ORDERS)
    return tmp_path


def ranked(predictions: pl.DataFrame, who: str) -> list[str]:
    return predictions.filter(pl.col("question_id") == who).sort("place")["product_id"].to_list()


def test_personal_frequency_ranks_and_scores_as_worked_by_hand(folder: Path) -> None:
    found = run(read(folder), CUT, "personal_frequency", 0, SETTINGS)
    # Of 4 baskets a and c lie in two, b and d in one. x: a 2/2, b 1/2, then c, d; y: c 2/2, d 1/2, then a, b.
    assert ranked(found.predictions, "x")[:6] == ["a", "b", "c", "d", "e", "f"]
    assert ranked(found.predictions, "y")[:4] == ["c", "d", "a", "b"]
    # x bought a (place 1) and e (5), y bought d (2), new bought f, which nobody had bought: place 6 by its id.
    assert found.metrics["recall_10"]["value"] == pytest.approx(1.0)
    ideal_two, gains = 1 + 1 / 1.584963, (1 + 1 / 2.584963, 1 / 1.584963, 1 / 2.807355)
    assert found.metrics["ndcg_10"]["value"] == pytest.approx(
        (gains[0] / ideal_two + gains[1] + gains[2]) / 3, rel=1e-6
    )
    assert found.counts == {"customers": 3, "judged": 3, "customers_without_past": 1, "products": 16}


@pytest.mark.parametrize(
    "model",
    sorted(set(MODELS) - {"ranker", "lambdarank", "rolling_trees", "two_tower_additive", "dense_network", *DEEP}),
)
def test_nothing_from_the_cut_on_changes_a_ranking(tmp_path: Path, model: str) -> None:
    rankings = []
    for name, later in (("a", "d"), ("b", "ijk")):
        write_catalogue(tmp_path / name, "abcdefghijklmnop")
        write_orders(tmp_path / name, [*ORDERS[:4], *((who, on, later) for who, on, _ in ORDERS[4:])])
        rankings.append(run(read(tmp_path / name), CUT, model, 0, SETTINGS).predictions)
    assert rankings[0].equals(rankings[1])


def test_a_customer_nobody_knows_gets_the_best_sellers(folder: Path) -> None:
    for model in ("personal_decayed", "item_cosine", "tifu_knn"):
        assert ranked(run(read(folder), CUT, model, 0, SETTINGS).predictions, "new")[:4] == ["a", "c", "b", "d"]


def test_without_a_cut_each_last_basket_is_asked_for_as_of_its_own_day(folder: Path) -> None:
    found = run(read(folder), None, "popularity", 0, SETTINGS)
    assert (found.counts["customers"], found.counts["judged"]) == (3, 2)
    # Who came once is predicted too, as of that day, and judged by nothing.
    assert found.predictions["question_id"].unique().sort().to_list() == ["new", "x", "y"]


def test_without_times_the_order_of_the_file_is_the_order_of_the_baskets(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "abc")
    write_orders(tmp_path, [("x", None, "a"), ("x", None, "a"), ("y", None, "b"), ("y", None, "b"), ("x", None, "a")])
    found = run(read(tmp_path), None, "personal_frequency", 0, SETTINGS)
    assert (ranked(found.predictions, "x")[0], ranked(found.predictions, "y")[0]) == ("a", "b")


def test_the_best_model_is_chosen_on_what_lies_before_the_cut(tmp_path: Path) -> None:
    # Everybody keeps to their own product until the cut and buys the best seller after it.
    days = ["2020-01-01", "2020-01-03", "2020-01-05", "2020-01-07"]
    loyal = [(f"c{k}", day, "abcdef"[k]) for day in days for k in range(6)]
    write_catalogue(tmp_path, "abcdefghijklmnopqrstuvwxyz")
    later = [(f"c{k}", "2020-01-09", "z") for k in range(6)]
    write_orders(tmp_path, [*loyal, *((None, days[0], "z") for _ in range(9)), *later])
    found = run(read(tmp_path), date(2020, 1, 9), "best", 0, SETTINGS)
    assert found.model != "popularity"
    assert found.validation["personal_frequency"] == 1.0 > found.validation["popularity"]


@pytest.mark.parametrize("model", sorted(DEEP))
def test_a_sequence_model_ranks_a_planted_habit_first_and_all_products(tmp_path: Path, model: str) -> None:
    pytest.importorskip("torch")
    names = write_habits(tmp_path)
    found = run(read(tmp_path), date(2020, 6, 20), model, 0, SETTINGS)
    assert all(ranked(found.predictions, f"c{k}")[0] == names[k] for k in range(12))
    assert found.predictions.group_by("question_id").len()["len"].unique().to_list() == [20]


def test_the_ranker_learns_a_planted_habit_and_ranks_all_products(tmp_path: Path) -> None:
    names = write_habits(tmp_path)
    found = run(read(tmp_path), date(2020, 6, 20), "ranker", 0, SETTINGS)
    # It also learns what comes in turn, and calibration makes both certain.
    assert all(names[k] in ranked(found.predictions, f"c{k}")[:2] for k in range(12))
    assert found.predictions.group_by("question_id").len()["len"].unique().to_list() == [20]
    best = run(read(tmp_path), date(2020, 6, 20), "best", 0, SETTINGS)
    assert best.model == "ranker" and best.predictions.equals(found.predictions)
    again = run(read(tmp_path), date(2020, 6, 20), "ranker", 0, SETTINGS)
    assert again.predictions.equals(found.predictions)
    in_order = run(read(tmp_path), date(2020, 6, 20), "lambdarank", 0, SETTINGS)
    assert all(names[k] in ranked(in_order.predictions, f"c{k}")[:3] for k in range(12))


def test_models_compared_at_once_are_judged_as_one_by_one(folder: Path) -> None:
    best, found = compare(read(folder), CUT, ["popularity", "tifu_knn"], 0, SETTINGS)
    assert best == run(read(folder), CUT, "best", 0, SETTINGS).model
    for name, table in found.items():
        alone = run(read(folder), CUT, name, 0, SETTINGS).metrics
        assert {metric: table[metric].mean() for metric in alone} == {m: one["value"] for m, one in alone.items()}


def test_a_shop_too_small_for_the_ranker_is_judged_without_it(folder: Path) -> None:
    assert "ranker" not in run(read(folder), CUT, "best", 0, SETTINGS).validation
    with pytest.raises(DataError, match="not_enough_data"):
        run(read(folder), CUT, "ranker", 0, SETTINGS)


def test_every_known_customer_is_predicted_whether_or_not_they_bought_since(folder: Path) -> None:
    found = run(read(folder), date(2020, 1, 6), "personal_frequency", 0, SETTINGS)
    assert (found.counts["customers"], found.counts["judged"]) == (3, 1)
    assert ranked(found.predictions, "x")[:3] == ["a", "b", "e"]


@pytest.mark.parametrize("cut", [None, date(2020, 1, 2), date(2021, 1, 1)])
def test_without_anybody_to_judge_predictions_are_written_all_the_same(tmp_path: Path, cut: date | None) -> None:
    write_catalogue(tmp_path, "abc")
    write_orders(tmp_path, [("x", "2020-01-01", "b"), (None, "2020-01-02", "c")])
    found = run(read(tmp_path), cut, "best", 0, SETTINGS)
    assert found.metrics == {} and ranked(found.predictions, "x")[0] == "b"


@pytest.mark.parametrize("model", ["best", "popularity", "item_cosine", "tifu_knn"])
def test_without_times_and_with_one_order_each_what_comes_next_is_predicted(tmp_path: Path, model: str) -> None:
    write_catalogue(tmp_path, "abc")
    write_orders(tmp_path, [("x", None, "a"), ("y", None, "bc"), ("z", None, "b")])
    found = run(read(tmp_path), date(2020, 1, 1), model, 0, SETTINGS)
    assert found.metrics == {}
    assert found.predictions.group_by("question_id").len()["len"].to_list() == [3, 3, 3]


@pytest.mark.parametrize("model", ["best", "item_cosine", "tifu_knn", "personal_decayed"])
def test_a_past_of_nobody_known_is_enough_to_predict_from(tmp_path: Path, model: str) -> None:
    write_catalogue(tmp_path, "abc")
    for orders in ([(None, "2020-01-01", "b"), (None, "2020-01-02", "b"), ("x", "2020-01-03", "a")],
                   [(None, None, "b"), ("x", None, "a"), ("y", None, "c")]):  # fmt: skip
        write_orders(tmp_path, orders)
        cut = date(2020, 1, 3) if orders[0][1] else None
        assert ranked(run(read(tmp_path), cut, model, 0, SETTINGS).predictions, "x")[0] in ("a", "b")


def test_as_many_places_are_written_as_are_asked_for(folder: Path) -> None:
    found = run(read(folder), CUT, "popularity", 0, SETTINGS, Wishes(places=3))
    assert found.predictions.group_by("question_id").len()["len"].to_list() == [3, 3, 3]


def test_a_shop_that_knows_no_customer_is_refused(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "ab")
    write_orders(tmp_path, [(None, "2020-01-01", "a"), (None, "2020-01-02", "b")])
    with pytest.raises(DataError, match="no order that holds a product names its customer"):
        run(read(tmp_path), None, "popularity", 0, SETTINGS)
