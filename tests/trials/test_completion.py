"""Completion: the hidden product is looked for among all others, or among those the folder lists."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml.errors import DataError
from ml.trials.arguments import TASKS
from ml.trials.completion import MODELS, compare, run
from ml.trials.outcome import Wishes
from tests.trials.folders import SETTINGS, read, write, write_catalogue, write_orders

CUT = date(2020, 2, 1)
PAIRS = ("ab", "cd", "ef", "gh")


def planted(folder: Path, later: str = "2020-02-01") -> Path:
    """Write four pairs bought together ten times by different customers, and each pair once again later."""
    days = [f"2020-01-{day:02d}" for day in range(1, 11)]
    write_catalogue(folder, "abcdefghijklmnopqrstuvwxyz")
    sold = [(f"{pair}{day}", day, pair) for day in days for pair in PAIRS]
    popular = [(None, days[0], one) for one in "ijklmnopqrstu" for _ in range(15)]
    write_orders(folder, [*sold, *popular, *((f"later {pair}", later, pair) for pair in PAIRS)])
    return folder


def test_a_planted_pair_is_found_and_popularity_misses_it(tmp_path: Path) -> None:
    files = read(planted(tmp_path))
    found = run(files, CUT, "cosine", 0, SETTINGS)
    assert (found.metrics["hit_10"]["value"], found.metrics["ndcg_10"]["value"]) == (1.0, 1.0)
    assert found.counts == {"questions": 4, "judged": 4, "products": 26, "learned_baskets": 235}
    assert run(files, CUT, "popularity", 0, SETTINGS).metrics["hit_10"]["value"] == 0.0


def test_all_products_but_those_shown_are_ranked(tmp_path: Path) -> None:
    found = run(read(planted(tmp_path)), CUT, "cosine", 0, SETTINGS)
    places = found.predictions.group_by("question_id").agg("product_id")
    assert all(len(set(ranked)) == 25 for ranked in places["product_id"])


def test_the_same_seed_gives_the_same_and_another_hides_others(tmp_path: Path) -> None:
    files = read(planted(tmp_path))
    first, again, other = (run(files, CUT, "cosine", seed, SETTINGS).predictions for seed in (0, 0, 1))
    assert first.equals(again) and not first.equals(other)


def test_nothing_from_the_cut_on_is_learned(tmp_path: Path) -> None:
    # The pairs of the questions were never bought before: counts know nothing of them.
    write_catalogue(tmp_path, "abcdefghijklmnop")
    write_orders(tmp_path, [("x", "2020-01-01", "mn"), ("y", "2020-02-01", "ab"), ("z", "2020-02-02", "ab")])
    found = run(read(tmp_path), CUT, "cosine", 0, SETTINGS)
    assert found.predictions["score"].unique().to_list() == [0.0]


def test_the_best_is_chosen_on_the_newest_baskets_before_the_cut(tmp_path: Path) -> None:
    found = run(read(planted(tmp_path)), CUT, "best", 0, SETTINGS)
    parts = {name: mean for name, mean in found.validation.items() if name != "blend"}
    assert found.validation[found.model] == max(parts.values())
    assert found.validation["cosine"] == 1.0 > found.validation["popularity"]


def test_all_models_at_once_are_judged_as_one_by_one(tmp_path: Path) -> None:
    files = read(planted(tmp_path))
    best, compared = compare(files, CUT, 0, SETTINGS)
    assert best == run(files, CUT, "best", 0, SETTINGS).model
    for model in ("lift", "cosine", "popularity", best):
        alone = run(files, CUT, model, 0, SETTINGS).metrics
        assert {name: compared[model][name].mean() for name in alone} == pytest.approx(
            {name: metric["value"] for name, metric in alone.items()}
        )


def questions(folder: Path, answer: str = "true") -> Path:
    """Write a partial basket of a lamp, completed by a bulb that nobody ever bought."""
    write(folder, "products", "product_id,title", ["b,desk lamp bulb", "l,desk lamp", "p,pan", "q,pot"])
    write_orders(folder, [(None, "2020-01-01", "lp"), (None, "2020-01-02", "pq")])
    write(folder, "partial_baskets", "basket_id,product_id", ["k,l"])
    write(folder, "basket_candidates", "basket_id,product_id,is_answer", [f"k,b,{answer}", "k,p,", "k,q,"])
    return folder


def test_a_cold_product_is_found_by_its_title_among_the_candidates(tmp_path: Path) -> None:
    files = read(questions(tmp_path))
    found = run(files, None, "text_category", 0, SETTINGS)
    assert found.predictions["product_id"].to_list() == ["b", "p", "q"]
    assert found.metrics["ndcg_10"]["value"] == 1.0
    by_counts = run(files, None, "cosine", 0, SETTINGS)
    assert by_counts.predictions["product_id"].to_list() == ["p", "q", "b"]
    assert by_counts.metrics["ndcg_10"]["value"] == pytest.approx(0.5)


def test_without_an_answer_only_predictions_are_given(tmp_path: Path) -> None:
    found = run(read(questions(tmp_path, "")), None, "text_category", 0, SETTINGS)
    assert found.metrics == {} and found.counts["judged"] == 0
    assert found.predictions.height == 3


def test_two_answers_are_refused(tmp_path: Path) -> None:
    questions(tmp_path)
    write(tmp_path, "basket_candidates", "basket_id,product_id,is_answer", ["k,b,true", "k,p,true"])
    with pytest.raises(DataError, match="basket k has 2 answers"):
        run(read(tmp_path), None, "cosine", 0, SETTINGS)


def test_a_candidate_that_lies_in_the_basket_already_comes_last(tmp_path: Path) -> None:
    questions(tmp_path)
    write(tmp_path, "basket_candidates", "basket_id,product_id,is_answer", ["k,l,", "k,b,true", "k,q,"])
    found = run(read(tmp_path), None, "text_category", 0, SETTINGS)
    assert found.predictions["product_id"].to_list() == ["b", "q", "l"]


def test_a_partial_basket_without_candidates_asks_the_whole_catalogue(tmp_path: Path) -> None:
    questions(tmp_path)
    write(tmp_path, "partial_baskets", "basket_id,product_id", ["k,l", "alone,l"])
    found = run(read(tmp_path), None, "text_category", 0, SETTINGS)
    assert found.predictions["question_id"].to_list() == ["alone"] * 3 + ["k"] * 3
    assert (found.counts["questions"], found.counts["judged"]) == (2, 1)
    (tmp_path / "basket_candidates.csv").unlink()
    found = run(read(tmp_path), None, "text_category", 0, SETTINGS)
    assert found.metrics == {} and found.predictions.height == 6


def test_a_list_is_ranked_whole_and_a_catalogue_as_far_as_is_asked(tmp_path: Path) -> None:
    questions(tmp_path)
    write(tmp_path, "partial_baskets", "basket_id,product_id", ["k,l", "alone,l"])
    found = run(read(tmp_path), None, "text_category", 0, SETTINGS, Wishes(places=2))
    assert found.predictions.group_by("question_id", maintain_order=True).len()["len"].to_list() == [2, 3]


def test_partial_baskets_with_a_cut_are_completed_by_what_was_bought_before_it(tmp_path: Path) -> None:
    questions(tmp_path)
    early, late = (run(read(tmp_path), cut, "cosine", 0, SETTINGS) for cut in (date(2020, 1, 2), None))
    assert (early.counts["learned_baskets"], late.counts["learned_baskets"]) == (1, 2)


def test_titles_alone_complete_partial_baskets(tmp_path: Path) -> None:
    questions(tmp_path)
    for name in ("orders", "order_items"):
        (tmp_path / f"{name}.csv").unlink()
    for model in ("best", "text_category", "regression"):
        assert run(read(tmp_path), None, model, 0, SETTINGS).predictions.height == 3
    assert run(read(tmp_path), None, "text_category", 0, SETTINGS).metrics["hit_10"]["value"] == 1.0


@pytest.mark.parametrize("who", ["nobody", "one order each", "one shopper"])
def test_without_times_a_fifth_of_the_baskets_is_drawn_by_seed(tmp_path: Path, who: str) -> None:
    owner = {"nobody": lambda k: None, "one order each": lambda k: f"c{k}", "one shopper": lambda k: "c"}[who]
    write_catalogue(tmp_path, "abcdefghijklmnop")
    write_orders(tmp_path, [(owner(k), None, PAIRS[k % 4]) for k in range(40)])
    for model in ("cosine", "best"):
        found = run(read(tmp_path), date(2030, 1, 1), model, 0, SETTINGS)
        assert (found.counts["questions"], found.counts["learned_baskets"]) == (8, 32)
        assert found.metrics["hit_10"]["value"] == 1.0


def test_one_day_of_orders_is_parted_by_seed(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "abcdefghijklmnop")
    write_orders(tmp_path, [(f"c{k}", "2020-01-01", PAIRS[k % 4]) for k in range(40)])
    assert run(read(tmp_path), None, "best", 0, SETTINGS).counts["questions"] == 8


def test_sentences_are_read_where_they_are_named_or_set_whatever_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = read(planted(tmp_path))
    for installed in (True, False):
        monkeypatch.setattr("ml.association.sentences.is_installed", lambda installed=installed: installed)
        found = run(files, CUT, "best", 0, SETTINGS)
        assert "sentences" not in found.validation and found.facts["is_reading_sentences"] == 0.0


def test_given_bundles_alone_are_enough(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "abcdefgh")
    rows = [f"{pair}{k},{product}" for k in range(20) for pair in PAIRS for product in pair]
    write(tmp_path, "given_bundles", "bundle_id,product_id", rows)
    found = run(read(tmp_path), None, "cosine", 0, SETTINGS)
    assert found.metrics["hit_10"]["value"] == 1.0
    assert 0 < found.counts["questions"] < 80 and found.counts["questions"] + found.counts["learned_baskets"] == 80


def test_no_basket_of_two_products_is_nobody_to_judge(tmp_path: Path) -> None:
    write_catalogue(tmp_path, "ab")
    write_orders(tmp_path, [("x", "2020-01-01", "ab"), ("x", "2020-02-01", "a")])
    with pytest.raises(DataError, match="nobody to judge: no basket with two or more products"):
        run(read(tmp_path), CUT, "cosine", 0, SETTINGS)
    with pytest.raises(DataError, match="nobody to judge"):
        run(read(tmp_path), date(2020, 2, 2), "cosine", 0, SETTINGS)
    write(tmp_path, "partial_baskets", "basket_id,product_id", ["k,a"])
    assert run(read(tmp_path), date(2020, 2, 2), "cosine", 0, SETTINGS).predictions["product_id"].to_list() == ["b"]
    (tmp_path / "partial_baskets.csv").unlink()
    with pytest.raises(DataError, match="completion without orders: needs table given_bundles"):
        (tmp_path / "orders.csv").unlink()
        (tmp_path / "order_items.csv").unlink()
        run(read(tmp_path), None, "cosine", 0, SETTINGS)


def test_the_help_lists_the_models_that_there_are() -> None:
    assert set(TASKS["completion"]) == {"best", "blend", *MODELS}


def test_predictions_have_the_documented_form(tmp_path: Path) -> None:
    predictions = run(read(planted(tmp_path)), CUT, "lift", 0, SETTINGS).predictions
    assert predictions.columns == ["question_id", "product_id", "place", "score"]
    assert predictions.schema["place"] == pl.Int32
