"""The network to Postgres is cut, so that nobody says goodbye: a try ends by itself, and the next one goes through.

The stage sits in a network of its own. Its only cable leads to a door on this machine, and through it to Postgres.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psutil
import pytest

from ml.settings import Settings
from tests.faults.children import Fault, Try, attempt
from tests.faults.conftest import Report
from tests.faults.points import INGEST
from tests.faults.servers import Door
from tests.faults.world import World, wait_until_stopped

pytestmark = [pytest.mark.faults, pytest.mark.slow]
STAGE = "propose_candidates"
LIMIT_SECONDS = 85
"""``tcp_user_timeout`` of a minute, the ten seconds in which it is noticed at worst, and some to end."""
SILENCE = {
    "tcp_keepalives_idle": socket.TCP_KEEPIDLE,
    "tcp_keepalives_interval": socket.TCP_KEEPINTVL,
    "tcp_keepalives_count": socket.TCP_KEEPCNT,
    "tcp_user_timeout": socket.TCP_USER_TIMEOUT,
}
SESSIONS = "select count(*) from pg_stat_activity where usename = 'bundles_ml'"


@dataclass(frozen=True)
class Cable:
    """The only way out of a namespace: its card on this machine, and the address of Postgres at that end."""

    namespace: str
    card: str
    host: str
    port: int

    def cut(self) -> None:
        """Let nothing through any more, in neither direction, without a word to anybody."""
        ip("link", "set", self.card, "down")

    def settings(self, world: World) -> Settings:
        """Return settings that look for Postgres at the end of the cable."""
        warehouse = world.settings.warehouse.model_copy(update={"host": self.host, "port": self.port})
        return world.settings.model_copy(update={"warehouse": warehouse})


def silence(world: World) -> list[tuple[int, int, int]]:
    """Return how Postgres finds out that a client is gone: the door stands for its end of the network."""
    names = ", ".join(f"current_setting('{name}')::int" for name in SILENCE)
    with closing(world.superuser()) as connection, connection.cursor() as cursor:
        cursor.execute(f"select {names}")
        (values,) = cursor.fetchall()
    options = [(socket.IPPROTO_TCP, *option) for option in zip(SILENCE.values(), values, strict=True)]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *options]


def ip(*words: str) -> None:
    """Change the networks of this machine."""
    subprocess.run(["ip", *words], check=True, timeout=30)


@contextmanager
def cable(world: World) -> Iterator[Cable]:
    """Give a namespace with a cable to Postgres; both are gone afterwards."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a network")
    mine = os.getpid()
    namespace, ours, theirs = f"bundles-{mine}", f"bo{mine}", f"bi{mine}"
    # 198.18.0.0/15 is kept for trials of networks; four addresses of it for each process.
    network, first = f"198.18.{mine // 64 % 256}", mine % 64 * 4
    host = f"{network}.{first + 1}"
    door = Door(world.server.port, host, silence(world))
    ip("netns", "add", namespace)
    try:
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", namespace)
        ip("addr", "add", f"{host}/30", "dev", ours)
        ip("link", "set", ours, "up")
        ip("-n", namespace, "addr", "add", f"{network}.{first + 2}/30", "dev", theirs)
        ip("-n", namespace, "link", "set", theirs, "up")
        door.open()
        yield Cable(namespace, ours, host, door.port)
    finally:
        door.shut()
        # A namespace, and its card with ours, would outlive its name as long as a process is in it.
        subprocess.run(["ip", "link", "del", ours], check=False, timeout=30, stderr=subprocess.DEVNULL)
        ip("netns", "del", namespace)


def test_a_cut_network_ends_a_try_within_the_limit_and_costs_nothing_else(world: World, report: Report) -> None:
    context = world.begin_of(STAGE)
    old = world.content().published
    stops = Fault("rows deleted, not written", STAGE, INGEST, nth=2, signal=signal.SIGSTOP)
    with cable(world) as way:
        first = Try(way.settings(world), STAGE, context, world.home, stops, way.namespace)
        try:
            wait_until_stopped(first.pid)
            way.cut()
            started = time.monotonic()
            psutil.Process(first.pid).resume()
            died = first.outcome(LIMIT_SECONDS)
            seconds = time.monotonic() - started
            world.wait_for(SESSIONS, 0, LIMIT_SECONDS - seconds)
        finally:
            first.process.kill()
    left = world.content()
    broken = world.broken()
    second = attempt(world.settings, STAGE, context, world.home)
    broken += world.broken()
    end = "as without the fault" if world.content() == world.led_to[STAGE] else "DIFFERS"
    outcome = f"try {died.code} after {seconds:.0f} s: {died.words}; retry {second.code}, {end}"
    report("network to Postgres cut", outcome, broken)
    assert died.code == 75 and died.words.startswith("TemporaryError") and "timed out" in died.words, died
    assert left.published == old
    assert (second.code, end, broken) == (0, "as without the fault", []), second.words


def test_the_network_of_the_stage_leads_nowhere_else(world: World) -> None:
    with cable(world) as way:
        inside = ["ip", "netns", "exec", way.namespace, "bash", "-c"]

        def reaches(host: str, port: int) -> bool:
            line = f"exec 3<>/dev/tcp/{host}/{port}"
            return subprocess.run([*inside, line], check=False, timeout=30, stderr=subprocess.DEVNULL).returncode == 0

        assert reaches(way.host, way.port)
        assert not reaches("127.0.0.1", world.server.port)
        assert not reaches("192.0.2.1", 80)
