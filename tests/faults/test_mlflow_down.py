"""MLflow does not answer: training goes on without it, registering waits for it, and says so within two minutes."""

import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from ml.settings import Settings, TrackingSettings
from tests.faults.children import Fault, Try, attempt
from tests.faults.conftest import LONG, Report
from tests.faults.points import ALIAS, STORE
from tests.faults.servers import Door, mlflow_server
from tests.faults.world import AGAIN, World, wait_until_stopped

pytestmark = [pytest.mark.faults, pytest.mark.slow]
LIMIT_SECONDS = 120
STAGE = "train_preference"
MOMENTS = {
    "in training": Fault("", STAGE, "ml.tracking.runs:Run.metrics", signal=signal.SIGSTOP),
    "at registration": Fault("", STAGE, STORE, containing="model", signal=signal.SIGSTOP),
    "at the change of the alias": Fault("", STAGE, ALIAS, signal=signal.SIGSTOP),
}
TRIED = list(MOMENTS) if LONG else ["at the change of the alias"]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door to an MLflow server with a store of its own."""
    home = tmp_path_factory.mktemp("mlflow_server")
    with mlflow_server(home, home / "mlflow.db", home / "files") as port:
        yield Door(port)


@pytest.fixture
def through_the_door(world: World, door: Door) -> Settings:
    world.begin("published")
    return world.settings.model_copy(update={"tracking": TrackingSettings(uri=f"http://127.0.0.1:{door.port}")})


def test_down_before_the_start_costs_a_try_within_the_limit(
    world: World, through_the_door: Settings, report: Report
) -> None:
    started = time.monotonic()
    done = attempt(through_the_door, "train_preference", AGAIN, world.home)
    seconds = time.monotonic() - started
    broken = world.broken()
    report("MLflow down before the start", f"exit {done.code} after {seconds:.0f} s: {done.words[:50]}", broken)
    assert done.code == 75 and "MLflow at http" in done.words
    assert seconds <= LIMIT_SECONDS
    assert broken == []


@pytest.mark.parametrize("moment", TRIED)
def test_down_while_a_model_is_made(
    world: World, door: Door, through_the_door: Settings, moment: str, report: Report
) -> None:
    door.open()
    old = world.content().published
    first = Try(through_the_door, STAGE, AGAIN, world.home, MOMENTS[moment])
    wait_until_stopped(first.pid)
    door.shut()
    started = time.monotonic()
    psutil.Process(first.pid).resume()
    died = first.outcome()
    seconds = time.monotonic() - started
    broken, still = world.broken(), world.content().published
    door.open()
    second = attempt(through_the_door, STAGE, AGAIN, world.home)
    door.shut()
    report(f"MLflow down {moment}", f"exit {died.code} after {seconds:.0f} s; with it back: {second.code}", broken)
    assert died.code == 75 and "MLflow" in died.words, died
    assert seconds <= LIMIT_SECONDS
    assert still == old
    assert (second.code, broken + world.broken()) == (0, [])
