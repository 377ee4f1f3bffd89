"""Two tries of one run alive together, and two runs at once: one publish each, and who was overtaken learns it."""

import random
import signal
from dataclasses import replace

import psutil
import pytest

from ml.errors import FencedError
from tests.faults.children import Fault, Try, attempt
from tests.faults.conftest import LONG, SEED, Report
from tests.faults.points import CALL, REPLACE
from tests.faults.world import NOW, World, wait_until_stopped

pytestmark = [pytest.mark.faults, pytest.mark.slow]
STOP = signal.SIGSTOP
REST = ("list_bundles", "audit_bundles", "publish_bundles")
RIVALS, ROUNDS = 4, 40 if LONG else 3


def publishes(world: World) -> list[tuple[str, str]]:
    """Return who published, and how, since the first run."""
    with world.owner() as owner, owner.cursor() as cursor:
        cursor.execute("select actor, action from ops.publish_log where actor <> 'before' order by publish_id")
        return cursor.fetchall()


def test_a_try_that_wakes_after_another_has_published_is_fenced(world: World, report: Report) -> None:
    """Its supervisor was killed: nobody told it to end, and Airflow began the task anew."""
    context = world.begin_of("optimise_bundles")
    sleeps = Fault("asleep before it writes", "optimise_bundles", REPLACE, containing="bundles", signal=STOP)
    late = Try(world.settings, "optimise_bundles", context, world.home, sleeps)
    wait_until_stopped(late.pid)
    for stage in ("optimise_bundles", *REST):
        done = attempt(world.settings, stage, context, world.home)
        assert done.code == 0, done.words
    psutil.Process(late.pid).resume()
    lost = late.outcome()
    broken = world.broken()
    count = len(publishes(world))
    report("supervisor killed, both tries alive", f"{count} publish, loser {lost.words.split(':')[0]}", broken)
    assert lost.code == FencedError.exit_code and lost.words.startswith("FencedError")
    assert (publishes(world), broken) == ([("now", "publish")], [])
    assert world.content().published == world.led_to["publish_bundles"].published


def test_a_publish_that_wakes_after_another_try_published_changes_nothing(world: World, report: Report) -> None:
    context = world.begin_of("publish_bundles")
    sleeps = Fault("asleep before it publishes", "publish_bundles", CALL, containing="ops.publish", signal=STOP)
    late = Try(world.settings, "publish_bundles", context, world.home, sleeps)
    wait_until_stopped(late.pid)
    assert attempt(world.settings, "publish_bundles", context, world.home).code == 0
    psutil.Process(late.pid).resume()
    second = late.outcome()
    broken = world.broken()
    report("two tries of publishing alive", f"{len(publishes(world))} publish, late try {second.code}", broken)
    assert second.code == 0, "a try that finds its work done has done it"
    assert (publishes(world), broken) == ([("now", "publish")], [])


@pytest.mark.parametrize("number", range(ROUNDS))
def test_rivals_at_the_same_moment_publish_once(world: World, number: int, report: Report) -> None:
    context = world.begin_of("publish_bundles")
    rivals = [Try(world.settings, "publish_bundles", context, world.home) for _ in range(RIVALS)]
    if random.Random(f"{SEED}:{number}").random() < 0.5:
        psutil.Process(rivals[0].pid).kill()
    codes = [rival.outcome().code for rival in rivals]
    broken = world.broken()
    report(f"{RIVALS} tries of publishing at once", f"{len(publishes(world))} publish, exits {codes}", broken)
    assert (publishes(world), broken) == ([("now", "publish")], [])
    assert set(codes) <= {0, 75, -signal.SIGKILL}


def test_two_runs_at_once_publish_one_after_the_other_or_not_at_all(world: World, report: Report) -> None:
    """The run that opened last holds the lease; the one before it may not publish what it was audited for."""
    first = world.begin_of("publish_bundles")
    second = replace(NOW, started_by="from the command line")
    assert attempt(world.settings, "propose_candidates", second, world.home).code == 0
    lost = attempt(world.settings, "publish_bundles", first, world.home)
    for stage in ("optimise_bundles", *REST):
        assert attempt(world.settings, stage, second, world.home).code == 0
    broken = world.broken()
    report("two runs at once", f"first {lost.words.split(':')[0]}, second published", broken)
    assert lost.code == FencedError.exit_code and "fenced" in lost.words
    assert (publishes(world), broken) == ([("from the command line", "publish")], [])
