"""Starts again what ended by itself, for as long as the stack is up.

A Postgres that comes back after a crash costs Airflow's scheduler, DAG processor and triggerer their connection, and
each of them ends of it. In the services the restart policy of ``docker-compose.yaml`` does this work.
"""

import logging
import subprocess
import time
from contextlib import suppress
from typing import NoReturn

import psutil

from local.environment import environment
from local.instance import Instance, LocalError
from local.processes import Component, end_left_behind
from local.stack import components, environment_of, server, without_heartbeat

TURN_SECONDS = 10
UNWELL_SECONDS = 300
"""What is at work without a heartbeat for longer is ended: a scheduler that lost Postgres waits for its workers first,
which may take hours."""
LONGEST_WAIT_SECONDS = 600

log = logging.getLogger("keeper")


class Keeper:
    """Looks after the parts of an instance.

    Parameters
    ----------
    instance
        The instance whose stack is up.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._unwell_since: dict[str, float] = {}
        self._waits: dict[str, float] = {}
        self._next: dict[str, float] = {}

    def turn(self, now: float) -> None:
        """Look at every part once, and start what is down.

        Parameters
        ----------
        now
            Seconds of a clock that never goes back.

        Raises
        ------
        LocalError
            When Postgres does not start.
        """
        postgres = server(self.instance)
        if not postgres.is_running():
            log.warning("Postgres is down and started again")
            postgres.start()
        unwell = without_heartbeat(self.instance)
        for part in components(self.instance).values():
            process = part.process(self.instance)
            if process and not self._is_given_up(part.name, part.name in unwell, now):
                continue
            if process:
                log.warning("%s has had no heartbeat for %s s and is ended", part.name, UNWELL_SECONDS)
                with suppress(psutil.Error):
                    process.kill()
                    process.wait(30)
            if now >= self._next.get(part.name, now):
                self._start(part, now)

    def _is_given_up(self, name: str, is_unwell: bool, now: float) -> bool:
        if not is_unwell:
            self._unwell_since.pop(name, None)
            if now > self._next.get(name, now):
                # It has lived for as long as the next start would have had to wait.
                self._waits.pop(name, None)
            return False
        return now - self._unwell_since.setdefault(name, now) >= UNWELL_SECONDS

    def _start(self, part: Component, now: float) -> None:
        """Start a part that is down; what dies of its start is tried less and less often."""
        wait = min(2 * self._waits.get(part.name, TURN_SECONDS / 2), LONGEST_WAIT_SECONDS)
        self._waits[part.name], self._next[part.name] = wait, now + wait
        self._unwell_since.pop(part.name, None)
        log.warning("%s is down and started again", part.name)
        # As ``up`` does: workers of a scheduler that is gone hold memory, and what they do is begun anew.
        end_left_behind([part], self.instance)
        part.start(self.instance, environment_of(part.name, self.instance, environment(self.instance)))


def keep(instance: Instance) -> NoReturn:
    """Look after an instance until this process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    keeper = Keeper(instance)
    while True:
        time.sleep(TURN_SECONDS)
        try:
            with instance.in_one_hand():
                keeper.turn(time.monotonic())
        except (LocalError, OSError, ValueError, subprocess.SubprocessError, psutil.Error) as error:
            # Nobody starts the keeper again.
            log.warning("%s", error)
