"""Measurements of a tiny shop: what it cannot tell is said, what it can is told, and drift makes training due."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient

import ml.stages.list_bundles
import ml.stages.measure_drift
import ml.stages.measure_experiment
import ml.stages.measure_off_policy
import ml.stages.optimise_bundles
import ml.stages.propose_candidates
import ml.stages.report_measurements
from ml.measurement.valuation import NO_RANKS
from ml.params import Context, Counts, RunParams
from ml.publishing.audit import Check
from ml.publishing.lease import open_run
from ml.publishing.publish import record
from ml.settings import Settings
from ml.tables import DRIFT_CHECKS, EXPERIMENT_READOUTS, OFF_POLICY_VALUES, UNAVAILABLE
from ml.warehouse import Warehouse
from tests.stages.features import AS_OF, CUSTOMERS_WITH_HISTORY, feedback
from tests.stages.runs import read

STAGES = (
    ml.stages.measure_experiment,
    ml.stages.measure_off_policy,
    ml.stages.measure_drift,
    ml.stages.report_measurements,
)
PERSONAL = Context(AS_OF, "before measuring", RunParams())


def context(name: str, **asked: object) -> Context:
    return Context(AS_OF, name, RunParams(scenario="measurements", **asked))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ready(shop: Settings, trained: dict[str, Counts]) -> Iterator[Settings]:
    """The shop with a personal run of the day that passed its audit."""
    for stage in (ml.stages.propose_candidates, ml.stages.optimise_bundles, ml.stages.list_bundles):
        stage.run(shop, PERSONAL)
    record(shop, open_run(shop, PERSONAL), [Check("stands for the audit", 0)])
    yield shop
    feedback(shop, pl.DataFrame())


def shown(variants: tuple[str, ...] = ("control", "bundles")) -> pl.DataFrame:
    """Return 900 impressions of two given bundles, one click in four; each customer is in one arm."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(900):
        who = number % CUSTOMERS_WITH_HISTORY
        row = {
            "customer_id": f"c{who:02d}",
            "bundle_id": ("breakfast", "rest", "unpriced")[rng.integers(3)],
            "occurred_on": AS_OF - timedelta(days=10 + number // CUSTOMERS_WITH_HISTORY % 10),
            "policy": "uniform",
            "propensity": 1 / 3,
            "variant": variants[who % len(variants)],
        }
        rows.append({**row, "feedback_id": f"i{number}", "kind": "impression"})
        if rng.random() < 0.25:
            rows.append({**row, "feedback_id": f"k{number}", "kind": "click"})
    return pl.DataFrame(rows)


def measured(settings: Settings, asked: Context) -> Counts:
    (counts, *_) = [stage.run(settings, asked) for stage in STAGES]
    return counts


def test_a_shop_without_feedback_says_what_it_needs(ready: Settings) -> None:
    feedback(ready, pl.DataFrame())
    counts = measured(ready, context("nothing"))
    assert read(ready, EXPERIMENT_READOUTS, counts).is_empty() and read(ready, OFF_POLICY_VALUES, counts).is_empty()
    lacking = dict(read(ready, UNAVAILABLE, counts).select("result", "reason").iter_rows())
    needs = "not available: needs bundle_feedback"
    assert lacking == {"experiment_readouts": needs, "off_policy_values": needs}
    checks = read(ready, DRIFT_CHECKS, counts)
    assert set(checks.filter(kind="feature")["verdict"]) == {"not_judged"}, "the champion knows all days"
    ages = checks.filter(kind="freshness").select("subject", "verdict").rows()
    assert ages == [("baskets", "steady"), ("events", "steady"), ("feedback", "not_judged")]


def test_what_feedback_tells_is_told_twice_alike(ready: Settings) -> None:
    feedback(ready, shown())
    one, other = (measured(ready, context(f"told {n}", experiment_pre_days=14)) for n in range(2))
    for table in (EXPERIMENT_READOUTS, OFF_POLICY_VALUES, DRIFT_CHECKS):
        first, second = (read(ready, table, run).drop("run_id") for run in (one, other))
        assert first.equals(second)
    assert read(ready, UNAVAILABLE, one).is_empty()
    refused = read(ready, EXPERIMENT_READOUTS, one)["refusal_reason"].to_list()
    assert len(refused) == 2 and all(reason.startswith("too few customers") for reason in refused)
    values = read(ready, OFF_POLICY_VALUES, one).filter(reward="click", target="uniform")
    assert (values["effective_impressions"] == 900).all() and values["refusal_reason"].null_count() == 3
    assert ((values["low"] < 0.25) & (values["high"] > 0.25)).all()
    best = read(ready, OFF_POLICY_VALUES, one).filter(target="best_ranked")["refusal_reason"]
    assert set(best) == {NO_RANKS}, "the shop has no run of an earlier day"


def test_one_arm_alone_is_no_experiment(ready: Settings) -> None:
    feedback(ready, shown(("control",)))
    counts = measured(ready, context("one arm"))
    lacking = dict(read(ready, UNAVAILABLE, counts).select("result", "reason").iter_rows())
    assert list(lacking) == ["experiment_readouts"] and "needs two arms" in lacking["experiment_readouts"]


def test_a_stage_tried_again_forgets_what_lacked_before(ready: Settings) -> None:
    again = context("again")
    feedback(ready, pl.DataFrame())
    measured(ready, again)
    feedback(ready, shown())
    counts = ml.stages.measure_off_policy.run(ready, again)
    assert read(ready, UNAVAILABLE, counts)["result"].to_list() == ["experiment_readouts"]


def test_the_report_is_an_artifact_and_the_run_knows_it(ready: Settings) -> None:
    feedback(ready, shown())
    counts = measured(ready, context("report"))
    (noted,) = Warehouse(ready, "ml").read_view("ops.runs", {"run_id": counts["run_id"]}).to_dicts()
    client = MlflowClient(ready.tracking.uri)
    run = client.get_run(noted["mlflow_run_id"])
    assert run.data.tags["run_id"] == str(counts["run_id"]) and run.data.tags["complete"] == "true"
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["report.html"]
    assert "uniform_click_ips" in run.data.metrics
    assert '"preference"' in noted["model_versions"] and noted["data_through"] == AS_OF
