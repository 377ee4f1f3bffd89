"""When a model is trained anew: age, a person's wish, or drift that was published after the newest data were judged."""

from datetime import date, timedelta

import pytest

from ml.evaluation.drift import DriftCheck, Verdict
from ml.measurement.stability import row_of
from ml.params import Context, RunParams
from ml.publishing.audit import Check
from ml.publishing.due import why_train
from ml.publishing.lease import open_run
from ml.publishing.promotion import Promotions
from ml.publishing.publish import publish, record
from ml.settings import Settings
from ml.tables import DRIFT_CHECKS
from ml.tracking import Tracking
from ml.versions import Version
from ml.warehouse import Warehouse

TRAINED = date(2017, 11, 1)
SCOPE = RunParams(scenario="measurements")
BOTH = ("feature", "score")


def champion(cut_off: date) -> Version:
    return Version("preference", 1, "run", {"data_cut_off": cut_off.isoformat()})


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """No version but the champion was ever judged; MLflow need not be there."""
    monkeypatch.setattr(Tracking, "versions", lambda self, name: [])


def measured(settings: Settings, day: date, *checks: tuple[str, str, Verdict]) -> None:
    """Publish drift checks of a day: kind, subject, verdict."""
    context = Context(day, "measured", SCOPE)
    lease = open_run(settings, context)
    rows = [
        row_of(kind, DriftCheck(name, "psi", 0.31, 0.25, 1e-9, 900, 900, verdict, f"{name} psi 0.31 > 0.25"))
        for kind, name, verdict in checks
    ]
    Warehouse(settings, "ml").replace_run(DRIFT_CHECKS, DRIFT_CHECKS.frame(rows), lease)
    record(settings, lease, [Check("stands for the audit", 0)])
    publish(settings, context)


def why(settings: Settings, day: date, kinds: tuple[str, ...] = BOTH, retrain: bool = False) -> str | None:
    context = Context(day, "test", RunParams(retrain=retrain))
    return why_train(settings, context, Promotions(settings, context, "preference"), champion(TRAINED), kinds)


def test_without_a_measurement_age_decides(settings: Settings, judged: None) -> None:
    assert why(settings, TRAINED + timedelta(days=27)) is None
    assert why(settings, TRAINED + timedelta(days=28)) == "age: no data of the last 28 days were judged"
    assert why(settings, TRAINED, retrain=True) == "asked for"
    context = Context(TRAINED, "test", RunParams())
    nobody = why_train(settings, context, Promotions(settings, context, "preference"), None, BOTH)
    assert nobody is not None and nobody.startswith("first")


def test_published_drift_is_a_reason_once(settings: Settings, judged: None) -> None:
    day = TRAINED + timedelta(days=10)
    measured(settings, day, ("feature", "basket_cents", "drifted"), ("feature", "basket_products", "steady"))
    assert why(settings, day + timedelta(days=1)) == "drift: feature basket_cents psi 0.31 > 0.25"
    assert why(settings, day - timedelta(days=1)) is None, "a backfill must not know of later days"
    context = Context(day + timedelta(days=2), "test", RunParams())
    promotions = Promotions(settings, context, "preference")
    for cut_off, answered in ((day - timedelta(days=1), False), (day, True), (day + timedelta(days=1), True)):
        found = why_train(settings, context, promotions, champion(cut_off), BOTH)
        assert (found is None) == answered, cut_off


def test_scores_concern_the_model_that_gives_them_and_age_of_tables_no_model(settings: Settings, judged: None) -> None:
    day = TRAINED + timedelta(days=12)
    measured(settings, day, ("score", "preference", "drifted"), ("freshness", "baskets", "drifted"))
    later = day + timedelta(days=1)
    assert why(settings, later) == "drift: score preference psi 0.31 > 0.25"
    assert why(settings, later, kinds=("feature",)) is None


def test_what_is_measured_and_steady_is_no_reason(settings: Settings, judged: None) -> None:
    day = TRAINED + timedelta(days=14)
    measured(settings, day, ("feature", "basket_cents", "steady"))
    assert why(settings, day + timedelta(days=1)) is None
