"""The world of the faults, one for each process of tests, and the report: one line a fault."""

import os
from collections.abc import Callable, Iterator

import pytest

from local.temporary import temporary_server
from tests.faults.children import end_begun
from tests.faults.world import World, small

LONG = os.environ.get("BUNDLES_FAULTS") == "long"
SEED = int(os.environ.get("BUNDLES_FAULTS_SEED", "7"))
"""Of every random moment."""
Report = Callable[[str, str, list[str]], None]


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A prepared shop in a Postgres of its own, which may be killed."""
    home = tmp_path_factory.mktemp("faults")
    with temporary_server(home) as server:
        whole = World(server, home, small(server, home))
        whole.prepare()
        yield whole


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Leave nothing at work of a test that failed amid a try."""
    yield
    end_begun()


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """Note a fault for the report: what was injected, what came of it, which invariants do not hold."""

    def note(injected: str, outcome: str, broken: list[str]) -> None:
        record_property("fault", f"{injected} | {outcome} | {', '.join(broken) or 'all invariants hold'}")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line a fault."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    lines = [
        f"{'ok' if one.passed else 'BROKEN':<6} {value}"
        for one in reports
        for name, value in getattr(one, "user_properties", ())
        if name == "fault"
    ]
    if lines:
        terminalreporter.section("faults: injected | outcome | invariants")
        for line in lines:
            terminalreporter.write_line(line)
