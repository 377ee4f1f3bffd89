"""A connection that is lost in the middle of bulk work: nothing is written, and another try may help."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import adbc_driver_manager.dbapi as adbc
import pytest

from ml.errors import TemporaryError
from ml.settings import Settings
from ml.tables import UNAVAILABLE
from ml.warehouse import Lease, Warehouse


@pytest.fixture
def cut(settings: Settings) -> Callable[[], None]:
    """End whatever ``ml`` has open: a role may end its own connections."""

    def end_all() -> None:
        with Warehouse(settings, "ml").transaction() as connection, connection.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where usename = current_user and pid <> pg_backend_pid()"
            )

    return end_all


@pytest.mark.parametrize("moment", ["adbc_ingest", "fetchall"])
def test_a_run_is_not_half_replaced(
    settings: Settings, cut: Callable[[], None], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    ml = Warehouse(settings, "ml")
    facts = {"as_of": date(2017, 12, 14), "started_by": moment, "seed": 1, "params": {}, "git_commit": ""}
    ((run_id, epoch),) = ml.call("ops.open_run", scope="launch", **facts)
    lease = Lease("launch", run_id, epoch)
    rows = UNAVAILABLE.frame([{"run_id": run_id, "result": "launches", "reason": "no launch"}])
    ml.replace_run(UNAVAILABLE, rows, lease)
    original = getattr(adbc.Cursor, moment)

    def breaking(*args: Any, **kwargs: Any) -> Any:
        cut()
        return original(*args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(TemporaryError):
        patch.setattr(adbc.Cursor, moment, breaking)
        ml.replace_run(UNAVAILABLE, UNAVAILABLE.frame([]) if moment == "fetchall" else rows, lease)
    assert ml.read_view("ml.unavailable", {"run_id": run_id}).height == 1


def test_a_server_that_fell_silent_is_not_waited_for_by_either_driver(settings: Settings) -> None:
    ml = Warehouse(settings, "ml")
    with ml.transaction(), ml._bulk():
        waits = list(_waits(settings.warehouse.port))
    assert len(waits) >= 2
    assert set(waits) == {(30, 10, 3, 60_000)}


def _waits(port: int) -> Iterator[tuple[int, ...]]:
    """Yield of each of our connections to a port how long its peer may be silent."""
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(path.name))) as one:
            if one.getpeername()[1] == port:
                yield tuple(one.getsockopt(socket.IPPROTO_TCP, option) for option in options)
