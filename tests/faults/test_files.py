"""A delivery that comes twice, and one that comes ten times at once: nothing of it is counted again."""

import pytest

from tests.faults.children import Try, attempt
from tests.faults.conftest import Report
from tests.faults.world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow]
AT_ONCE = 4


def test_a_delivery_that_comes_again_changes_nothing(world: World, report: Report) -> None:
    context = world.begin_of("load_raw")
    codes = [attempt(world.settings, "load_raw", context, world.home).code for _ in range(2)]
    broken = world.broken()
    same = world.content() == world.led_to["load_raw"]
    report("the same files twice", f"exits {codes}, {'nothing new' if same else 'ROWS CAME TWICE'}", broken)
    assert (codes, same, broken) == ([0, 0], True, [])


def test_loaders_with_the_same_files_at_once_land_them_once(world: World, report: Report) -> None:
    context = world.begin_of("load_raw")
    tries = [Try(world.settings, "load_raw", context, world.home) for _ in range(AT_ONCE)]
    codes = [one.outcome().code for one in tries]
    broken = world.broken()
    same = world.content() == world.led_to["load_raw"]
    report(f"the same files by {AT_ONCE} loaders at once", f"exits {codes}", broken)
    assert (same, broken) == (True, [])
    assert set(codes) <= {0, 75}
