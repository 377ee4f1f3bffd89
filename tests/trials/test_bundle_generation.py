"""Bundle generation: a session's products are parted into the groups that people made of them."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml.errors import DataError
from ml.trials.arguments import TASKS
from ml.trials.bundle_generation import CLUSTERED, PLAIN, run
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
    assert found.counts["sessions"] == found.counts["validation_sessions"] == 6
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
    assert (by_cut.counts["validation_sessions"], by_cut.counts["sessions"]) == (4, 8)
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


def test_a_missing_table_and_nobody_to_judge_are_refused(tmp_path: Path) -> None:
    sessions(tmp_path)
    with pytest.raises(DataError, match="nobody to judge: no session"):
        made = pl.read_csv(tmp_path / "session_bundles.csv").with_columns(part=pl.lit("validation"))
        made.write_csv(tmp_path / "session_bundles.csv")
        run(read(tmp_path), None, "whole", 0, SETTINGS)
    (tmp_path / "events.csv").unlink()
    with pytest.raises(DataError, match="bundle_generation: needs table events"):
        run(read(tmp_path), None, "whole", 0, SETTINGS)


def test_a_cut_without_times_is_refused(tmp_path: Path) -> None:
    sessions(tmp_path, "test")
    pl.read_csv(tmp_path / "events.csv").drop("occurred_at").write_csv(tmp_path / "events.csv")
    with pytest.raises(DataError, match="--cut needs occurred_at"):
        run(read(tmp_path), date(2020, 1, 5), "whole", 0, SETTINGS)


def test_the_help_lists_the_models_that_there_are() -> None:
    assert set(TASKS["bundle_generation"]) == {"best", "described", *PLAIN, *CLUSTERED}
