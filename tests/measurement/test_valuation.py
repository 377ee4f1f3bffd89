"""Policies over the shop's bundles: what came of an impression, what a policy shows to whom, and what is refused."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from ml.measurement.valuation import (
    BEST_RANKED,
    NO_RANKS,
    NOBODY,
    OTHER,
    UNIFORM,
    Ranked,
    impressions_of,
    question_of,
    valued_rows,
)
from ml.params import RunParams
from ml.tables import FEEDBACK, GIVEN_BUNDLE_RANKS, OFF_POLICY_VALUES

DAY = date(2024, 3, 8)
GIVEN = ["breakfast", "dinner"]
Rows = list[dict[str, object]]


def feedback(rows: Rows) -> pl.DataFrame:
    usual = {"policy": "uniform", "propensity": 0.5, "occurred_on": DAY}
    whole = [{**dict.fromkeys(FEEDBACK.columns), **usual, "feedback_id": str(n), **row} for n, row in enumerate(rows)]
    return pl.DataFrame(whole, schema=dict(FEEDBACK.columns)).drop("as_of")


def ranks(rows: Rows, ago: int = 1) -> Ranked:
    whole = [{**dict.fromkeys(GIVEN_BUNDLE_RANKS.columns), **row} for row in rows]
    return Ranked(
        pl.DataFrame(whole, schema=dict(GIVEN_BUNDLE_RANKS.columns)).drop("run_id"), DAY - timedelta(days=ago)
    )


NONE = Ranked(GIVEN_BUNDLE_RANKS.frame([]), None)


def seen(customer: str, bundle: str, kind: str = "impression", ago: int = 0, **more: object) -> dict[str, object]:
    return {
        "customer_id": customer,
        "bundle_id": bundle,
        "kind": kind,
        "occurred_on": DAY - timedelta(days=ago),
        **more,
    }


def test_what_came_of_a_day_is_shared_by_its_impressions() -> None:
    told = feedback([
        seen("ann", "dinner"), seen("ann", "dinner"), seen("ann", "dinner", "click"),
        seen("ann", "breakfast"), *[seen("ann", "breakfast", "click")] * 3, seen("ann", "breakfast", "add", ago=1),
        seen("bob", "dinner", "click"), seen("bob", "dinner", ago=9),
    ])  # fmt: skip
    found = impressions_of(told, DAY, 5).select("customer_id", "bundle_id", "click", "add").rows()
    assert found == [("ann", "dinner", 0.5, 0.0), ("ann", "dinner", 0.5, 0.0), ("ann", "breakfast", 1.0, 0.0)]


def test_policies_show_what_they_say() -> None:
    shown = impressions_of(feedback([seen("ann", "dinner"), seen("bob", "old"), seen("eve", "dinner")]), DAY, 5)
    known = ranks([
        {"customer_id": "ann", "given_bundle_id": "breakfast", "bundle_rank": 1, "joint_probability": 0.3},
        {"customer_id": "ann", "given_bundle_id": "dinner", "bundle_rank": 2, "joint_probability": 0.2},
        {"customer_id": "bob", "given_bundle_id": "dinner", "bundle_rank": 1, "joint_probability": 0.1},
        {"customer_id": "eve", "given_bundle_id": "dinner", "unranked_reason": "too dear"},
    ])  # fmt: skip
    uniform, best = (question_of(name, shown, GIVEN, known) for name in (UNIFORM, BEST_RANKED))
    assert uniform.bundles == best.bundles == ["breakfast", "dinner", OTHER], "personal bundles share one place"
    assert uniform.target.tolist() == [[0.5, 0.5, 0]] * 3
    assert best.customers == ["ann", "bob"] and best.target.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert best.features[:, :, 0].tolist() == [[0.3, 0.2, 0], [0, 0.1, 0]] and not uniform.features.size
    assert best.log("click").action.tolist() == [1, 2]


def test_ranks_are_judged_on_later_days_alone() -> None:
    told = feedback([seen("ann", "dinner", ago=ago) for ago in (0, 1, 2, 3)])
    known = [{"customer_id": "ann", "given_bundle_id": "dinner", "bundle_rank": 1, "joint_probability": 0.3}]
    shown = impressions_of(told, DAY, 5)
    assert question_of(BEST_RANKED, shown, GIVEN, ranks(known, ago=2)).impressions["occurred_on"].to_list() == [
        DAY,
        DAY - timedelta(days=1),
    ]
    assert question_of(UNIFORM, shown, GIVEN, ranks(known, ago=2)).impressions.height == 4
    assert question_of(BEST_RANKED, shown, GIVEN, NONE).impressions.is_empty()


def log_of(customers: int, clicks: float) -> pl.DataFrame:
    """Return two impressions a customer, one of each bundle; breakfast is clicked more often."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(customers):
        for bundle in GIVEN:
            rows.append(seen(f"c{number:03d}", bundle))
            if rng.random() < clicks + 0.3 * (bundle == "breakfast"):
                rows.append(seen(f"c{number:03d}", bundle, "click"))
    return feedback(rows)


def test_the_better_policy_is_worth_more_and_rows_conform() -> None:
    known = ranks([
        {"customer_id": f"c{n:03d}", "given_bundle_id": "breakfast", "bundle_rank": 1, "joint_probability": 0.3}
        for n in range(390)
    ])  # fmt: skip
    rows, lacking = valued_rows(log_of(400, 0.2), GIVEN, known, DAY, RunParams())
    assert lacking is None
    table = OFF_POLICY_VALUES.conform(OFF_POLICY_VALUES.frame(rows).with_columns(run_id=1))
    clicks = {(row["target"], row["estimator"]): row for row in table.filter(reward="click").to_dicts()}
    assert len(clicks) == 6 and table.height == 12
    for estimator in ("ips", "snips", "doubly_robust"):
        uniform, best = clicks[UNIFORM, estimator], clicks[BEST_RANKED, estimator]
        assert uniform["low"] < 0.35 < uniform["high"] and best["low"] < 0.5 < best["high"]
        assert uniform["left_out_impressions"] == 0 and best["left_out_impressions"] == 20
        assert best["effective_impressions"] == 390


def test_what_the_log_cannot_tell_is_refused_without_a_value() -> None:
    rows, _ = valued_rows(log_of(50, 0.2), GIVEN, ranks([]), DAY, RunParams())
    table = OFF_POLICY_VALUES.conform(OFF_POLICY_VALUES.frame(rows).with_columns(run_id=1))
    assert table["value"].null_count() == table.height == 12
    reasons = dict(table.select("target", "refusal_reason").iter_rows())
    assert reasons[UNIFORM].startswith("weak overlap: 100 impressions count as 100") and reasons[BEST_RANKED] == NOBODY
    without, _ = valued_rows(log_of(50, 0.2), GIVEN, NONE, DAY, RunParams())
    assert {row["refusal_reason"] for row in without if row["target"] == BEST_RANKED} == {NO_RANKS}


def test_a_log_of_personal_bundles_alone_is_refused() -> None:
    rows = [seen(f"c{n:03d}", f"{n}-{day}", ago=day) for n in range(300) for day in range(5)]
    found, lacking = valued_rows(feedback(rows), GIVEN, ranks([]), DAY, RunParams())
    assert lacking is None and {row["impressions"] for row in found if row["target"] == UNIFORM} == {1500}
    uniform = {str(row["refusal_reason"]) for row in found if row["target"] == UNIFORM}
    assert (
        len(uniform) == 1 and "100.0% of the impressions would show bundles that the log never shows" in uniform.pop()
    )


def test_what_lacks_is_named() -> None:
    log = log_of(5, 0.2)
    for told, given, needed in (
        (log.clear(), GIVEN, "bundle_feedback"),
        (log.with_columns(propensity=pl.lit(None, pl.Float64)), GIVEN, "bundle_feedback.propensity"),
        (log, [], "given_bundles"),
    ):
        rows, lacking = valued_rows(told, given, ranks([]), DAY, RunParams())
        assert not rows and lacking is not None and lacking.startswith(f"not available: needs {needed}")
