"""Bundle ranking: the shop's bundles are ranked for each customer who bought one whole later."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml.policies.named import COMPARED, POLICIES
from ml.trials import bundle_ranking
from ml.trials.arguments import ASSOCIATIONS, TASKS
from ml.trials.bundle_ranking import FALLBACK, MODELS, SIMPLE, run
from ml.trials.outcome import Wishes
from tests.trials.folders import SETTINGS, read, write, write_catalogue, write_orders

CUT = date(2020, 2, 1)
BUNDLES = {"B1": "ab", "B2": "cd", "B3": "ac", "B4": "ef"}


def shop(folder: Path, later: str = "ab") -> Path:
    """Write x who buys a and b together, y who buys c and d together, and what x buys later."""
    write_catalogue(folder, "abcdefgh")
    days = [f"2020-01-{day:02d}" for day in (1, 8, 15, 22)]
    past = [(who, day, held) for day in days for who, held in (("x", "ab"), ("y", "cd"), ("z", "c"))]
    write_orders(folder, [*past, ("x", "2020-02-03", later), ("y", "2020-02-03", "cg"), (None, "2020-02-04", "ef")])
    rows = [f"{bundle},{product}" for bundle, held in BUNDLES.items() for product in held]
    write(folder, "given_bundles", "bundle_id,product_id", rows)
    return folder


def ranked(predictions: pl.DataFrame) -> list[str]:
    return predictions.sort("question_id", "place")["bundle_id"].to_list()


@pytest.mark.parametrize(
    ("model", "order", "ndcg"),
    [
        # 12 baskets: c lies in 8, a, b and d in 4. Means: cd and ac 6/12, ab 4/12, ef 0.
        ("popularity", ["B2", "B3", "B1", "B4"], 1 / 2),
        # x holds a and b in each basket: ab first, then ac by a.
        ("preference", ["B1", "B3", "B2", "B4"], 1.0),
        # a and b always together: 1; c and d 4 / sqrt(8 * 4).
        ("association", ["B1", "B2", "B3", "B4"], 1.0),
    ],
)
def test_bundles_are_ranked_and_scored_as_worked_by_hand(
    tmp_path: Path, model: str, order: list[str], ndcg: float
) -> None:
    found = run(read(shop(tmp_path)), CUT, model, 0, SETTINGS)
    assert ranked(found.predictions.filter(question_id="x")) == order
    assert found.metrics["ndcg_5"]["value"] == pytest.approx(ndcg)
    assert found.counts == {"customers": 3, "judged": 1, "bundles": 4, "products": 8}


def test_half_a_bundle_is_not_bought_and_without_anybody_to_judge_all_are_ranked_for(tmp_path: Path) -> None:
    found = run(read(shop(tmp_path, "ag")), CUT, "best", 0, SETTINGS)
    assert found.metrics == {} and found.counts["judged"] == 0
    places = found.predictions.group_by("question_id").len().sort("question_id")
    assert places.rows() == [("x", 4), ("y", 4), ("z", 4)]


def test_a_cut_after_the_last_day_ranks_by_everything(tmp_path: Path) -> None:
    found = run(read(shop(tmp_path, "cd")), date(2020, 3, 1), "preference", 0, SETTINGS)
    assert found.metrics == {} and found.predictions["question_id"].n_unique() == 3


@pytest.mark.parametrize("orders", [1, 3])
def test_without_times_every_customer_gets_a_ranking(tmp_path: Path, orders: int) -> None:
    shop(tmp_path)
    write_orders(tmp_path, [(who, None, held) for _ in range(orders) for who, held in (("x", "ab"), ("y", "cd"))])
    found = run(read(tmp_path), None, "best", 0, SETTINGS)
    assert found.counts["judged"] == (0 if orders == 1 else 2)
    assert found.predictions.filter(place=1).select("question_id", "bundle_id").rows() == [("x", "B1"), ("y", "B2")]


def test_a_policy_scores_a_bundle_by_its_objective_over_the_pairs(tmp_path: Path) -> None:
    shop(tmp_path)
    found = run(read(tmp_path), CUT, "independence", 0, SETTINGS, Wishes(preference="personal_frequency"))
    score = dict(found.predictions.filter(question_id="x").select("bundle_id", "score").rows())
    # Of x's 4 baskets all hold a and b, as do 4 of 12: (4 + 1/3) / 5 each; c and d were never bought together by x.
    assert score["B1"] == pytest.approx(((4 + 1 / 3) / 5) ** 2)
    assert score["B2"] == pytest.approx((2 / 3 / 5) * (1 / 3 / 5))
    assert score["B3"] == 0, "a and c never met: no evidence"
    evident = run(read(tmp_path), CUT, "pairwise_sum", 0, SETTINGS, Wishes(association="evidence"))
    assert dict(evident.predictions.filter(question_id="x").select("bundle_id", "score").rows())["B3"] == 0


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_ranks_all_bundles_for_everybody(tmp_path: Path, policy: str) -> None:
    found = run(read(shop(tmp_path)), CUT, policy, 0, SETTINGS)
    assert found.predictions.height == 12 and found.predictions["score"].is_finite().all()


@pytest.mark.parametrize("association", [name for name in ASSOCIATIONS if name != "graph"])  # it takes seconds
def test_a_policy_takes_any_association(tmp_path: Path, association: str) -> None:
    found = run(read(shop(tmp_path)), CUT, "pairwise_sum", 0, SETTINGS, Wishes(association=association))
    assert found.predictions.height == 12 and found.predictions["score"].is_finite().all()


def test_the_best_is_chosen_before_the_cut_and_the_later_baskets_change_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = run(read(shop(tmp_path / "0")), CUT, "best", 0, SETTINGS)
    assert few.model == FALLBACK and few.validation == {}, "two customers choose nothing"
    monkeypatch.setattr(bundle_ranking, "LEAST_CUSTOMERS", 1)
    first = run(read(shop(tmp_path / "1")), CUT, "best", 0, SETTINGS)
    second = run(read(shop(tmp_path / "2", "abcdef")), CUT, "best", 0, SETTINGS)
    assert first.validation == second.validation and set(first.validation) == {*SIMPLE, *COMPARED}
    assert first.predictions.equals(second.predictions)


def test_a_customer_without_a_past_gets_the_bundles_of_best_sellers(tmp_path: Path) -> None:
    shop(tmp_path)
    past = [("x", "2020-01-01", "ab"), ("y", "2020-01-02", "cd"), ("y", "2020-01-03", "cd")]
    write_orders(tmp_path, [*past, ("new", "2020-02-01", "ab")])
    found = run(read(tmp_path), CUT, "preference", 0, SETTINGS).predictions
    assert ranked(found.filter(question_id="new"))[0] == "B2"


def test_the_help_lists_the_models_that_there_are() -> None:
    assert set(TASKS["bundle_ranking"]) == {"best", *MODELS}
