"""A stage that is killed anywhere leaves what was there, and the next try leads to the same end."""

import pytest

from ml.__main__ import STAGES
from tests.faults.children import Fault, attempt
from tests.faults.conftest import LONG, Report
from tests.faults.points import LONG_ONLY, POINTS, UNTRIED
from tests.faults.world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow]
TRIED = [point for point in POINTS if LONG or (point.stage, point.name) not in LONG_ONLY]


def test_there_are_twenty_points_and_a_reason_for_each_stage_without_one() -> None:
    assert len(TRIED) >= 20
    assert {*(point.stage for point in POINTS), *UNTRIED} == set(STAGES)
    assert not {point.stage for point in POINTS} & set(UNTRIED)
    assert {point.stage for point in TRIED} == {point.stage for point in POINTS}


@pytest.mark.parametrize("point", TRIED, ids=lambda point: f"{point.stage}: {point.name}")
def test_a_killed_stage_is_tried_again_and_leads_to_the_same_end(world: World, point: Fault, report: Report) -> None:
    context = world.begin_of(point.stage)
    old, clean = world.content().published, world.led_to[point.stage]
    first = attempt(world.settings, point.stage, context, world.home, point)
    assert first.was_killed, f"the point was not reached: {first}"
    assert world.content().published in (old, clean.published)
    broken = world.broken()
    second = attempt(world.settings, point.stage, context, world.home)
    broken += world.broken()
    end = world.content()
    outcome = "as without the fault" if end == clean else "DIFFERS"
    report(f"{point.stage} killed: {point.name}", f"retry {second.code}, {outcome}", broken)
    assert (second.code, second.words) == (0, "")
    assert broken == []
    assert end == clean
