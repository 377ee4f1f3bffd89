"""When the champion's recipe of pairs is refreshed: where there is one, and the newest window could measure it."""

from datetime import date
from typing import Any, cast

import numpy as np
import pytest

from ml.association.cooccurrence import CooccurrenceParams
from ml.association.rehearsal import PARTS, Scale
from ml.contest.cold import ColdWindow
from ml.contest.counts import PairWindow
from ml.contest.pair_plan import AGED, CHAMPION, OURS, PairPlan
from ml.evaluation.pair_metrics import PairSample
from ml.stages.train_association import Job

DAY = date(2024, 6, 30)
WANTED, THEIRS = CooccurrenceParams(5.0, 5), CooccurrenceParams(9.0, 90)


def window(*names: str) -> PairWindow:
    nothing = PairSample(*(np.empty(0, np.int64) for _ in range(4)))
    cold = ColdWindow({}, {name: Scale(0, 0, 0) for name in PARTS}, 0)
    shown: dict[str, dict[str, float]] = {name: {} for name in names}
    return PairWindow(DAY, shown, (), {name: np.empty(0) for name in names}, {}, nothing, shown, cold)


def job(plan: PairPlan, *windows: PairWindow) -> Job:
    none = cast(Any, None)
    return Job(none, none, plan, list(windows), [], none, none, {}, (), {})


@pytest.mark.parametrize(
    ("measured", "older", "refreshed"),
    [((OURS, CHAMPION, AGED), 1, True), ((OURS, CHAMPION), 0, False), ((OURS, AGED), 1, False), ((OURS,), 1, False)],
)
def test_a_champion_is_refreshed_where_the_newest_window_measured_its_recipe(
    measured: tuple[str, ...], older: int, refreshed: bool
) -> None:
    plan = PairPlan(WANTED, THEIRS, "challenger", older, "")
    assert job(plan, window(OURS, CHAMPION, AGED), window(*measured)).can_refresh_champion is refreshed
