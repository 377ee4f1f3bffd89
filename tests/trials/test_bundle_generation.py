"""Bundle generation: a session's products are parted into the groups that people made of them."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml.errors import DataError
from ml.policies.named import POLICIES
from ml.trials.arguments import TASKS
from ml.trials.bundle_generation import CLUSTERED, PLAIN, run
from ml.trials.outcome import Wishes
from tests.trials.folders import SETTINGS, read, write

SESSIONS = 12


def sessions(folder: Path, part: str = "validation") -> Path:
    """Write sessions of two lamps, two mugs and a stranger; people bundled the lamps, and the mugs."""
    words = {"l1": "red desk lamp", "l2": "blue desk lamp", "m1": "tea mug", "m2": "coffee mug", "s": "garden hose"}
    titles = [f"{key}{k},{title}" for k in range(SESSIONS) for key, title in words.items()]
    write(folder, "products", "product_id,title", titles)
    seen = [f"e{k}{key},s{k:02d},{key}{k},2020-01-{k + 1:02d}" for k in range(SESSIONS) for key in words]
    write(folder, "events", "event_id,session_id,product_id,occurred_at", seen)
    held = [f"{kind}{k},{kind}{n}{k}" for k in range(SESSIONS) for kind in "lm" for n in (1, 2)]
    write(folder, "given_bundles", "bundle_id,product_id", held)
    made = [f"s{k:02d},{kind}{k},{part if k < 6 else 'test'}" for k in range(SESSIONS) for kind in "lm"]
    write(folder, "session_bundles", "session_id,bundle_id,part", made)
    return folder


def test_planted_bundles_are_found_and_the_threshold_is_chosen_on_the_validation(tmp_path: Path) -> None:
    found = run(read(sessions(tmp_path)), None, "best", 0, SETTINGS)
    assert found.model in CLUSTERED
    assert found.metrics["jaccard_f1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert found.counts["judged"] == found.counts["validation_sessions"] == 6
    groups = (
        found.predictions.filter(question_id="s06").group_by("bundle_number").agg("product_id").sort("bundle_number")
    )
    assert sorted(groups["product_id"].to_list()) == [["l16", "l26"], ["m16", "m26"]]


def test_the_whole_session_scores_as_worked_by_hand(tmp_path: Path) -> None:
    found = run(read(sessions(tmp_path)), None, "whole", 0, SETTINGS)
    # Five products against two bundles of two: 2/5 either way.
    assert {name: metric["value"] for name, metric in found.metrics.items()} == pytest.approx(
        {"jaccard_recall": 0.4, "jaccard_precision": 0.4, "jaccard_f1": 0.4}
    )


def test_same_category_goes_by_the_first_two_levels(tmp_path: Path) -> None:
    sessions(tmp_path)
    kinds = {"l": "Home > Light > Desk", "m": "Home > Table > Mugs", "s": "Garden"}
    names = [f"{key}{k}" for k in range(SESSIONS) for key in ("l1", "l2", "m1", "m2", "s")]
    write(tmp_path, "products", "product_id,category_path", [f"{name},{kinds[name[0]]}" for name in names])
    assert run(read(tmp_path), None, "same_category", 0, SETTINGS).metrics["jaccard_f1"]["value"] == 1.0


def test_described_keeps_what_has_a_title_or_a_category(tmp_path: Path) -> None:
    sessions(tmp_path)
    names = [f"{key}{k}" for k in range(SESSIONS) for key in ("l1", "l2", "m1", "m2", "s")]
    write(tmp_path, "products", "product_id,title", [f"{name},{'' if name[0] == 's' else 'x'}" for name in names])
    assert run(read(tmp_path), None, "described", 0, SETTINGS).metrics["jaccard_recall"]["value"] == pytest.approx(0.5)


def test_without_parts_the_cut_parts_the_sessions_and_without_a_cut_the_seed(tmp_path: Path) -> None:
    files = read(sessions(tmp_path, "test"))
    by_cut = run(files, date(2020, 1, 5), "best", 0, SETTINGS)
    assert (by_cut.counts["validation_sessions"], by_cut.counts["judged"]) == (4, 8)
    first, again = (run(files, None, "best", 3, SETTINGS) for _ in range(2))
    assert first.predictions.equals(again.predictions)
    assert 0 < first.counts["validation_sessions"] < SESSIONS


def test_test_sessions_change_no_choice(tmp_path: Path) -> None:
    before = run(read(sessions(tmp_path)), None, "best", 0, SETTINGS)
    late = pl.read_csv(tmp_path / "given_bundles.csv").filter(~pl.col("bundle_id").str.contains(r"[a-z](9|10|11)"))
    late.write_csv(tmp_path / "given_bundles.csv")
    made = pl.read_csv(tmp_path / "session_bundles.csv").join(late, on="bundle_id", how="semi")
    made.write_csv(tmp_path / "session_bundles.csv")
    after = run(read(tmp_path), None, "best", 0, SETTINGS)
    assert (before.validation, before.facts) == (after.validation, after.facts)


def test_every_session_is_predicted_and_those_with_known_bundles_are_judged(tmp_path: Path) -> None:
    sessions(tmp_path)
    events = pl.read_csv(tmp_path / "events.csv").with_columns(pl.col("session_id").str.replace("s05", "stray"))
    events.write_csv(tmp_path / "events.csv")
    found = run(read(tmp_path), None, "components", 0, SETTINGS)
    assert set(found.predictions["question_id"]) == set(events["session_id"])
    assert (found.counts["sessions"], found.counts["judged"], found.counts["validation_sessions"]) == (12, 6, 5)


def test_without_session_bundles_those_that_lie_wholly_in_a_session_are_its_own(tmp_path: Path) -> None:
    sessions(tmp_path)
    (tmp_path / "session_bundles.csv").unlink()
    write(tmp_path, "given_bundles", "bundle_id,product_id", ["L,l10", "L,l20", "across,m10", "across,m11", "one,s0"])
    found = run(read(tmp_path), date(2020, 1, 1), "whole", 0, SETTINGS)
    assert (found.counts["sessions"], found.counts["judged"]) == (12, 1)
    assert found.metrics["jaccard_f1"]["value"] == pytest.approx(2 / 5), "the lamps of session 0 among five products"


def test_without_any_bundle_predictions_are_written_and_no_metrics(tmp_path: Path) -> None:
    sessions(tmp_path)
    for name in ("session_bundles", "given_bundles"):
        (tmp_path / f"{name}.csv").unlink()
    found = run(read(tmp_path), None, "best", 0, SETTINGS)
    assert found.metrics == {} and found.predictions["question_id"].n_unique() == 12


def test_orders_stand_in_where_no_event_belongs_to_a_session(tmp_path: Path) -> None:
    sessions(tmp_path)
    held = pl.read_csv(tmp_path / "events.csv")
    (tmp_path / "events.csv").unlink()
    held.select(order_id="session_id").unique().write_csv(tmp_path / "orders.csv")
    held.select("product_id", order_id="session_id").write_csv(tmp_path / "order_items.csv")
    found = run(read(tmp_path), None, "best", 0, SETTINGS)
    assert found.counts["judged"] == 6 and found.metrics["jaccard_f1"]["value"] == 1.0


def test_a_policy_parts_a_session_by_what_its_objective_says_of_pairs(tmp_path: Path) -> None:
    sessions(tmp_path)
    with pytest.raises(DataError, match="independence needs orders to learn from"):
        run(read(tmp_path), None, "independence", 0, SETTINGS)
    pairs = [f"{kind}{k}" for k in range(SESSIONS) for kind in "lm"]
    write(tmp_path, "orders", "order_id,customer_id", [f"{pair}{n},u{n}" for pair in pairs for n in range(2)])
    lines = [f"{pair}{n},{pair[0]}{half}{pair[1:]}" for pair in pairs for n in range(2) for half in (1, 2)]
    write(tmp_path, "order_items", "order_id,product_id", lines)
    for policy in POLICIES:
        wishes = Wishes(preference="popularity", association="cosine")
        found = run(read(tmp_path), None, policy, 0, SETTINGS, wishes)
        assert found.metrics["jaccard_f1"]["value"] == pytest.approx(
            0.4 if policy == "expected_incremental_margin" else 1.0
        )


def test_missing_products_and_no_session_are_refused(tmp_path: Path) -> None:
    sessions(tmp_path)
    (tmp_path / "events.csv").unlink()
    with pytest.raises(DataError, match="no sessions: needs events"):
        run(read(tmp_path), None, "whole", 0, SETTINGS)
    for table in ("given_bundles", "session_bundles"):
        (tmp_path / f"{table}.csv").unlink()
    write(tmp_path, "orders", "order_id", ["1"])
    (tmp_path / "products.csv").unlink()
    with pytest.raises(DataError, match="bundle_generation: needs table products"):
        run(read(tmp_path), None, "whole", 0, SETTINGS)


def test_a_cut_without_times_means_nothing(tmp_path: Path) -> None:
    sessions(tmp_path, "test")
    pl.read_csv(tmp_path / "events.csv").drop("occurred_at").write_csv(tmp_path / "events.csv")
    with_cut, without = (run(read(tmp_path), cut, "best", 0, SETTINGS) for cut in (date(2020, 1, 5), None))
    assert with_cut.predictions.equals(without.predictions) and with_cut.metrics == without.metrics


def test_the_help_lists_the_models_that_there_are() -> None:
    assert set(TASKS["bundle_generation"]) == {"best", "described", *PLAIN, *CLUSTERED, *POLICIES}
