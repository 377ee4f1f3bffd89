"""What ended by itself is started again, what is well is left alone, and what cannot live is not tried without end."""

import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import keeper, processes
from local.instance import Instance, LocalError, current
from local.keeper import LONGEST_WAIT_SECONDS, TURN_SECONDS, UNWELL_SECONDS, Keeper
from local.processes import Component, stop

LIVES = (sys.executable, "-c", "import time; time.sleep(600)")
DIES = (sys.executable, "-c", "raise SystemExit(1)")
PART = "airflow-scheduler"


class Postgres:
    """A server that is up or down."""

    def __init__(self, runs: bool = True) -> None:
        self.runs, self.starts = runs, 0

    def is_running(self) -> bool:
        return self.runs

    def start(self) -> None:
        self.runs, self.starts = True, self.starts + 1


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    monkeypatch.setenv("BUNDLES_HOME", str(tmp_path))
    monkeypatch.setattr(processes, "GRACE_SECONDS", 1)
    one = current()
    yield one
    stop([Component(PART, [])], one)


def keeping(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], postgres: Any = None
) -> tuple[Keeper, Component, set[str]]:
    """Return a keeper of one part, the part, and the set of what has no heartbeat, to be changed."""
    part, unwell = Component(PART, command), set[str]()
    monkeypatch.setattr(keeper, "components", lambda of: {PART: part})
    monkeypatch.setattr(keeper, "server", lambda of: postgres or Postgres())
    monkeypatch.setattr(keeper, "without_heartbeat", lambda of: unwell)
    return Keeper(instance), part, unwell


def running(part: Component, instance: Instance) -> psutil.Process:
    found = part.process(instance)
    assert found is not None
    return found


def test_what_ended_is_started_again_and_what_runs_is_left_alone(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, part, _ = keeping(instance, monkeypatch, LIVES)
    one.turn(0)
    first = running(part, instance)
    one.turn(TURN_SECONDS)
    assert running(part, instance) == first
    first.kill()
    first.wait(5)
    one.turn(3 * TURN_SECONDS)
    assert running(part, instance) != first


def test_what_has_no_heartbeat_for_long_is_ended_and_started_again(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, part, unwell = keeping(instance, monkeypatch, LIVES)
    one.turn(0)
    first = running(part, instance)
    unwell.add(PART)
    one.turn(10)
    one.turn(10 + UNWELL_SECONDS - 1)
    assert running(part, instance) == first, "a heartbeat that is late is no reason yet"
    unwell.clear()
    one.turn(400)
    unwell.add(PART)
    one.turn(410)
    one.turn(410 + UNWELL_SECONDS - 1)
    assert running(part, instance) == first, "the time counts from the last one"
    one.turn(410 + UNWELL_SECONDS)
    assert running(part, instance) != first and not first.is_running()


def test_what_dies_of_its_start_is_tried_less_and_less_often(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, part, _ = keeping(instance, monkeypatch, DIES)
    starts = []
    monkeypatch.setattr(Component, "start", lambda self, of, env: starts.append(now))
    for now in range(0, 7200, TURN_SECONDS):
        one.turn(now)
    gaps = [later - sooner for sooner, later in pairwise(starts)]
    assert gaps[0] == TURN_SECONDS and sorted(gaps) == gaps
    assert gaps[-1] == LONGEST_WAIT_SECONDS and part.process(instance) is None


def test_postgres_is_started_again_first(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = Postgres(runs=False)
    one, _, _ = keeping(instance, monkeypatch, LIVES, postgres)
    one.turn(0)
    one.turn(TURN_SECONDS)
    assert postgres.starts == 1


@pytest.mark.parametrize("failure", [LocalError("Postgres did not start"), ValueError("no JSON"), OSError("disk full")])
def test_a_turn_that_fails_is_not_the_last(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    turns = []

    def turn(self: Keeper, now: float) -> None:
        turns.append(now)
        raise failure if len(turns) < 3 else KeyboardInterrupt

    monkeypatch.setattr(Keeper, "turn", turn)
    monkeypatch.setattr(keeper, "TURN_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt):
        keeper.keep(instance)
    assert len(turns) == 3


def test_one_hand_at_a_time_starts_and_stops(instance: Instance) -> None:
    """Else the keeper starts what ``down`` has just ended, or a second scheduler beside the one of ``up``."""
    other = Component(
        "other", (sys.executable, "-c", "from local.instance import current\nwith current().in_one_hand(): print('in')")
    )
    with instance.in_one_hand():
        other.start(instance, {"BUNDLES_HOME": str(instance.home)})
        time.sleep(1)
        assert other.process(instance) is not None and not (instance.logs / "other.log").read_bytes()
    deadline = time.monotonic() + 20
    while b"in" not in (instance.logs / "other.log").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)
